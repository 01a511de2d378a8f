/** Whose recordings these are. */
import { Failure } from './failure';
import { lastOwner } from './spool-root';
import { subjectOf, type Tokens } from './token';

/** The token's owner, or (without a network, most likely) whoever recorded here last. @throws Failure `owner_unknown`. */
export async function ownerOf(tokens: Tokens, root: FileSystemDirectoryHandle): Promise<string> {
  let reason: unknown = 'the token names no owner';
  try {
    const subject = subjectOf(await tokens.get(null));
    if (subject !== null) return subject;
  } catch (error) {
    reason = error;
  }
  const last = await lastOwner(root);
  if (last === null) throw new Failure('owner_unknown', reason);
  return last;
}
