/** What the control plane takes as a title. */
const MAX_TITLE_LENGTH = 200;

/**
 * A title as the control plane takes it: controls become blanks, halves of characters are replaced, the rest is cut off. A page
 * may name a recording as it likes: its chunks must not stay behind for a line break in its title.
 */
export function fitTitle(title: string): string {
  const shown = title.replace(/\p{Control}+/gu, ' ').replace(/\p{Surrogate}/gu, '\u{fffd}');
  return Array.from(shown).slice(0, MAX_TITLE_LENGTH).join('');
}
