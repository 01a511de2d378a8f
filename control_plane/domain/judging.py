"""Verdicts: what a HEAD proves about a chunk. Pure, so that the whole table can be tested.

Existence is not proof: stores have answered success without data, listed keys that HEAD does not find, and reported
the full size with parts missing.
"""

from control_plane.domain.bucket import ListedObject, ObjectHead
from control_plane.domain.models import Chunk, Verdict

DAMAGED = frozenset({Verdict.SIZE_DIFFERS, Verdict.ETAG_DIFFERS, Verdict.DIGEST_DIFFERS, Verdict.UNPROVEN})
"""Verdicts after which an object is in the way: the next grant must allow overwriting it."""


def unquoted(etag: str) -> str:
    """An ETag without the quotes of RFC 9110, and without the mark of a weak one: opaque otherwise."""
    return etag.removeprefix("W/").strip('"')


def judge(*, size: int, sha256: str, etag: str | None, head: ObjectHead | None) -> Verdict:
    """Judges the claim "these bytes are in the bucket, under this ETag" against what HEAD showed.

    `etag` None: the PUT's answer was lost; then only the store's own SHA-256 is proof. `head` None: the store said 404.
    """
    if head is None:
        return Verdict.MISSING
    if head.size != size:
        return Verdict.SIZE_DIFFERS
    if etag is not None and head.etag != unquoted(etag):
        return Verdict.ETAG_DIFFERS
    if head.sha256 is not None:
        return Verdict.MATCH if head.sha256 == sha256 else Verdict.DIGEST_DIFFERS
    return Verdict.UNPROVEN if etag is None else Verdict.MATCH


def judge_again(chunk: Chunk, head: ObjectHead | None) -> Verdict:
    """Judges an acked chunk against a later HEAD.

    Another ETag over the granted SHA-256 is the same content stored anew (re-encrypted, copied by a migration): the
    digest is the proof, the ETag only stands in for it where a store tells no digest.
    """
    verdict = judge(size=chunk.size, sha256=chunk.sha256, etag=chunk.etag, head=head)
    if verdict is Verdict.ETAG_DIFFERS and head is not None and head.sha256 == chunk.sha256:
        return Verdict.MATCH
    return verdict


def looks_right(chunk: Chunk, listed: ListedObject | None) -> bool:
    """Whether a listing gives no reason to doubt an acked chunk. It proves nothing: a HEAD must follow."""
    return listed is not None and listed.size == chunk.size and listed.etag == chunk.etag
