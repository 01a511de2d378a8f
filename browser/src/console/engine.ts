/** Whose Media Source Extensions these are: what they make of one recording differs, and no feature can be asked for it. */
export function isChromium(): boolean {
  return agent().includes('Chrome/');
}

export function isFirefox(): boolean {
  return agent().includes('Firefox/');
}

function agent(): string {
  return globalThis.navigator?.userAgent ?? '';
}
