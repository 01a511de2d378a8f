"""Does the bucket tell what it holds? Acks rest on HEAD, sweeps on listings, playback on ranges."""

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

from control_plane.doctor.findings import Check, Finding, ok, warning, wrong
from control_plane.doctor.seen import Answer, Outcome

RANGE_FROM, RANGE_TO = 4, 11


@dataclass(frozen=True, slots=True)
class Looked:
    """An object just written: the PUT's answer, and what HEAD and a GET with a range said."""

    body: bytes
    put: Answer
    head: Outcome
    ranged: Outcome


def head(seen: Looked) -> Finding:
    """Size and ETag must be those of the PUT."""
    tried = "HEAD of an object just written"
    mend = (
        "An ack compares both with the PUT's answer. A proxy or CDN before the store may change them: sign for the store "
        "itself."
    )
    if not (isinstance(seen.head, Answer) and seen.head.done):
        return wrong(Check.OBJECTS_HEAD, tried, str(seen.head), "Acks are impossible without it: allow s3:GetObject.")
    size, etag = seen.head.headers.get("content-length", "none"), seen.head.etag or "none"
    if size != str(len(seen.body)):
        return wrong(Check.OBJECTS_HEAD, tried, f"size {size}, not {len(seen.body)}", mend)
    if not seen.put.etag or etag != seen.put.etag:
        return wrong(Check.OBJECTS_HEAD, tried, f"ETag {etag}, but the PUT answered {seen.put.etag or 'none'}", mend)
    return ok(Check.OBJECTS_HEAD, tried, f"size {size} and the ETag of the PUT")


def sha256(seen: Looked) -> Finding:
    """The content's proof: without it an ack rests on the ETag alone."""
    tried = "HEAD in checksum mode"
    wanted = b64encode(hashlib.sha256(seen.body).digest()).decode()
    told = seen.head.headers.get("x-amz-checksum-sha256") if isinstance(seen.head, Answer) else None
    if told is None:
        return warning(
            Check.OBJECTS_SHA256,
            tried,
            "the SHA-256 is not told: acks rest on size and ETag, and a PUT whose answer was lost must be sent again",
            "Use a store or version that keeps x-amz-checksum-sha256 and tells it on HEAD, if you can.",
        )
    if told != wanted:
        return wrong(
            Check.OBJECTS_SHA256,
            tried,
            f"it tells {told}, but the bytes have {wanted}",
            "The store cannot be trusted with a digest: use another.",
        )
    return ok(Check.OBJECTS_SHA256, tried, "the SHA-256 of the bytes")


def ranged(seen: Looked) -> Finding:
    """Players ask for ranges."""
    tried = f"GET of bytes {RANGE_FROM} to {RANGE_TO} with a signed URL"
    wanted = seen.body[RANGE_FROM : RANGE_TO + 1]
    if isinstance(seen.ranged, Answer) and seen.ranged.status == 206 and seen.ranged.body == wanted:
        return ok(Check.OBJECTS_RANGE, tried, "206 with these bytes")
    if isinstance(seen.ranged, Answer) and seen.ranged.body == seen.body:
        said = f"{seen.ranged} with the whole object"
    else:
        part = isinstance(seen.ranged, Answer) and seen.ranged.body == wanted
        said = f"{seen.ranged}{' with these bytes, but not 206' if part else ', not 206 with these bytes'}"
    return wrong(
        Check.OBJECTS_RANGE,
        tried,
        said,
        "Players cannot seek without it: let the store, and any proxy before it, serve Range.",
    )


@dataclass(frozen=True, slots=True)
class Assembled:
    """A file made of an object by a multipart upload, and fetched under a name; `failed` is what the store would not do.

    `conditional`: whether a copy of what is another object than was meant was refused by the store itself.
    """

    body: bytes
    disposition: str
    content_type: str
    fetched: Outcome
    conditional: bool
    failed: str = ""


def download(seen: Assembled) -> Finding:
    """Downloads are made in the bucket, and saved by browsers under the name that the URL bears."""
    tried = "a file made by multipart upload with UploadPartCopy, fetched under a signed name"
    if seen.failed:
        return wrong(
            Check.OBJECTS_DOWNLOAD,
            tried,
            seen.failed,
            "Recordings are kept, but none can be downloaded as a file. Allow s3:PutObject, s3:AbortMultipartUpload and "
            "s3:ListMultipartUploadParts on downloads/*; a store without these calls cannot assemble: use another.",
        )
    if not (isinstance(seen.fetched, Answer) and seen.fetched.status == 200 and seen.fetched.body == seen.body):
        other = isinstance(seen.fetched, Answer) and seen.fetched.status == 200
        return wrong(
            Check.OBJECTS_DOWNLOAD,
            tried,
            f"GET: {seen.fetched}{' with other bytes than it was made of' if other else ''}",
            "A proxy before the store must pass on the whole query: it is signed.",
        )
    told = (seen.fetched.headers.get("content-disposition"), seen.fetched.headers.get("content-type"))
    if told != (seen.disposition, seen.content_type):
        return warning(
            Check.OBJECTS_DOWNLOAD,
            tried,
            f"the answer has the name {told[0] or 'none'} and the type {told[1] or 'none'}, not those that were signed",
            "Browsers will play downloads, or save them under the name of their key. The store (or a proxy) passes over "
            "response-content-disposition.",
        )
    if not seen.conditional:
        return warning(
            Check.OBJECTS_DOWNLOAD,
            tried,
            "it copies also what is not what was meant: x-amz-copy-source-if-match is passed over",
            "The control plane looks before and after each copy instead. A store that heeds it is better.",
        )
    return ok(Check.OBJECTS_DOWNLOAD, tried, "its bytes, under that name")


@dataclass(frozen=True, slots=True)
class Listed:
    """Keys written, and what listings showed right after; `failed` is why there is none."""

    prefix: str
    written: Sequence[str]
    under_prefix: Sequence[str]
    start_after: str
    after: Sequence[str]
    failed: str = ""


def listing(seen: Listed) -> Finding:
    """Every key is listed at once, none of a neighbouring folder, and a listing may start in the middle."""
    tried = "LIST right after writing, of a folder beside one of similar name, and from its middle on"
    mend = (
        "Sweeps compare listings with the ledger and would see losses that are none: use a store that lists as S3 does, "
        "without a cache before it."
    )
    if seen.failed:
        return wrong(
            Check.OBJECTS_LIST,
            tried,
            seen.failed,
            "Allow s3:ListBucket on the bucket, without a condition on the prefix.",
        )
    wanted = sorted(key for key in seen.written if key.startswith(seen.prefix))
    if missing := set(wanted) - set(seen.under_prefix):
        return wrong(Check.OBJECTS_LIST, tried, f"{len(missing)} of {len(wanted)} objects are not listed", mend)
    if more := set(seen.under_prefix) - set(wanted):
        return wrong(Check.OBJECTS_LIST, tried, f"listed beside them: {min(more)}, which is in another folder", mend)
    if sorted(seen.after) != [key for key in wanted if key > seen.start_after]:
        return wrong(
            Check.OBJECTS_LIST, tried, "start-after is not obeyed: other keys than the later ones were listed", mend
        )
    return ok(Check.OBJECTS_LIST, tried, f"all {len(wanted)} and nothing else")
