/** As much of EBML (RFC 8794), which WebM is written in, as reading and rewriting its elements takes. */

export interface Span {
  body: number;
  end: number;
}

export interface Element extends Span {
  id: number;
  /** Of its first byte. */
  at: number;
  isSized: boolean;
  /** Its last bytes are not here. */
  isCut: boolean;
}

/** The elements in a span. What is cut off, or has an unknown size, reaches to its end. */
export function* children(data: Uint8Array, { body, end }: Span): Generator<Element> {
  for (let at = body; at < end; ) {
    const idLength = Math.clz32(data[at] || 1) - 23;
    const size = sizeAt(data, at + idLength);
    if (idLength > 4 || !size) return;
    const inside = at + idLength + size.length;
    const until = size.value === null ? end : inside + size.value;
    const id = unsigned(data, { body: at, end: at + idLength });
    yield { id, at, isSized: size.value !== null, body: inside, end: Math.min(until, end), isCut: until > end };
    at = until;
  }
}

export function child(data: Uint8Array, span: Span, id: number): Element | null {
  for (const one of children(data, span)) if (one.id === id) return one;
  return null;
}

export function unsigned(data: Uint8Array, { body, end }: Span): number {
  let value = 0;
  for (let at = body; at < end; at += 1) value = value * 256 + (data[at] ?? 0);
  return value;
}

/** A size as EBML writes it; `value` is null for "unknown", which live recordings use for what is still growing. */
export function sizeAt(data: Uint8Array, at: number): { value: number | null; length: number } | null {
  const head = data[at];
  if (head === undefined || head === 0) return null;
  const length = Math.clz32(head) - 23;
  if (at + length > data.length) return null;
  let value = head & (0xff >> length);
  let ones = value === 0xff >> length;
  for (let index = 1; index < length; index += 1) {
    const byte = data[at + index] ?? 0;
    value = value * 256 + byte;
    ones &&= byte === 0xff;
  }
  return { value: ones ? null : value, length };
}

/** An element of these contents. */
export function sized(id: readonly number[], content: readonly Uint8Array[]): Uint8Array {
  const body = joined(content);
  const size = new Uint8Array(8);
  new DataView(size.buffer).setUint32(4, body.length);
  size[0] = 0x01;
  return joined([Uint8Array.from(id), size, body]);
}

export function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
