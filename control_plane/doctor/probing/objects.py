"""Writes objects and looks at them the way acks, sweeps and players do."""

from contextlib import suppress

from control_plane.doctor.judging.objects import RANGE_FROM, RANGE_TO, Assembled, Listed, Looked
from control_plane.doctor.probing.visit import Visit
from control_plane.doctor.seen import Answer, Outcome, Silence, Trouble
from control_plane.domain.bucket import BucketUnreachable, SourceChanged, UploadUnknown
from control_plane.domain.file_names import attachment

# A name with all that a proxy may stumble over.
FILE_NAME = "Übung 1, “a+b” 100%.webm"
CONTENT_TYPE = "video/webm"
NOT_ASKED = Silence(Trouble.OTHER, "not asked")


async def looked_at(visit: Visit) -> Looked | Silence:
    """One object: HEAD, and a GET with a range. `Silence` if it could not be written."""
    key, body = visit.key("object"), visit.body("object")
    put = await visit.asker.ask(visit.outside.put(key, body, overwrite=True))
    if not isinstance(put, Answer):
        return put
    return Looked(
        body=body,
        put=put,
        head=await visit.stored(key),
        ranged=await visit.asker.ask(visit.outside.get(key, {"range": f"bytes={RANGE_FROM}-{RANGE_TO}"})),
    )


async def listed(visit: Visit) -> Listed:
    """Two folders whose names begin alike, listed by what sweeps list with."""
    prefix = visit.key("list/a/")
    written = [f"{prefix}1", f"{prefix}2", f"{prefix}3", visit.key("list/ab/1")]
    for key in written:
        await visit.asker.ask(visit.inside.put(key, visit.body("list"), overwrite=True))
    try:
        whole = [found.key async for page in visit.listing.list_pages(prefix) for found in page]
        later = [found.key async for page in visit.listing.list_pages(prefix, start_after=written[0]) for found in page]
    except BucketUnreachable as exc:
        return Listed(prefix, written, [], written[0], [], failed=str(exc))
    return Listed(prefix, written, whole, written[0], later)


async def assembled(visit: Visit) -> Assembled:
    """A file of one object, made as downloads are, and fetched as a browser does."""
    key, body = visit.key("download"), visit.body("download")
    fetched: Outcome = NOT_ASKED
    conditional, failed = False, ""
    try:
        conditional = await _assemble(visit, key, body)
        fetched = await visit.asker.ask(visit.outside.named_get(key, FILE_NAME, CONTENT_TYPE))
    except (BucketUnreachable, SourceChanged, UploadUnknown) as exc:
        failed = str(exc)
    return Assembled(body, attachment(FILE_NAME), CONTENT_TYPE, fetched, conditional, failed)


async def _assemble(visit: Visit, key: str, body: bytes) -> bool:
    """Whether the store refused the copy of another object than the one that was meant."""
    bucket, source = visit.listing, visit.key("download-source")
    await bucket.write(source, body, content_type=CONTENT_TYPE, overwrite=True)
    stored = await bucket.head(source)
    if stored is None:
        raise BucketUnreachable(f"HEAD {source}: absent right after it was written")
    upload_id = await bucket.begin_upload(key, content_type=CONTENT_TYPE)
    try:
        await bucket.upload_part(key, upload_id, 2, body)  # not joined: each part but the last would need 5 MiB
        other = await visit.asker.ask(
            visit.inside.copy_part(key, upload_id, 1, source=source, etag="0" * len(stored.etag))
        )
        part = await bucket.copy_part(key, upload_id, 1, source=source, etag=stored.etag)
        await bucket.complete_upload(key, upload_id, [part])
    except BaseException:
        with suppress(BucketUnreachable):
            await bucket.abort_upload(key, upload_id)
        raise
    return isinstance(other, Answer) and other.status == 412
