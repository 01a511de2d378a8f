"""Downloads: what was recorded comes out again as one file, whoever makes it and whatever happens meanwhile."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.downloads import begin, cut, fetched, looked_at, made, recorded
from tests.support.films import decode, ends_at
from tests.support.movies import film
from tests.support.plane import Running
from tests.support.recorder import Refused

pytestmark = pytest.mark.anyio


async def test_three_segments_become_one_file(running: Running, tmp_path: Path) -> None:
    first, second, third = film(seconds=2), film(seconds=3), film(seconds=1)
    async with running.recorder(mime_type="video/webm;codecs=vp8,opus") as recorder:
        await recorded(recorder, cut(first, second, third), title="Room 4: Ärztin / “Visit”")
        begun = await begin(recorder)
        assert (begun["state"], begun["waiting_for"], begun["percent"]) == ("queued", "turn", 0)
        ready = await made(running, recorder, begun)
        assert (ready["state"], ready["percent"], ready["problem"]) == ("ready", 100, None)
        data, headers = await fetched(running, recorder, ready)
        assert len(data) == ready["file"]["size"]
        assert headers["content-type"] == "video/webm"
        assert "filename*=UTF-8''Room%204" in headers["content-disposition"]
        assert ends_at(data, tmp_path) == pytest.approx(6, abs=0.2)
        streams = decode(data, tmp_path)
        assert streams["video"].frames == 60


async def test_a_file_is_joined_byte_for_byte(running: Running) -> None:
    async with running.recorder(mime_type="video/mp4") as recorder:
        chunks = [
            recorder.chunk(0, size=5 * 1024**2),
            recorder.chunk(1, size=5 * 1024**2 + 1),
            recorder.chunk(2, size=17),
        ]
        await recorded(recorder, chunks, source="file", title="film")
        ready = await made(running, recorder, await begin(recorder))
        assert ready["state"] == "ready"
        data, _ = await fetched(running, recorder, ready)
        assert data == b"".join(chunk.data for chunk in chunks)
        assert ready["file"]["name"] == "film.mp4"


async def test_a_file_of_small_chunks_is_whole_too(running: Running) -> None:
    async with running.recorder(mime_type="video/mp4") as recorder:
        chunks = [recorder.chunk(seq, size=300_000 + seq) for seq in range(40)]
        await recorded(recorder, chunks, source="file")
        ready = await made(running, recorder, await begin(recorder))
        data, _ = await fetched(running, recorder, ready)
        assert data == b"".join(chunk.data for chunk in chunks)


async def test_several_recordings_come_as_a_zip(running: Running, tmp_path: Path) -> None:
    async with (
        running.recorder(mime_type="video/webm;codecs=vp8,opus") as live,
        running.recorder(mime_type="video/mp4") as file,
    ):
        await recorded(live, cut(film(seconds=1), film(seconds=2)), title="Visit")
        chunks = [file.chunk(0, size=100_000), file.chunk(1, size=9)]
        await recorded(file, chunks, source="file", title="Visit")
        ready = await made(running, live, await begin(live, live.recording_id, file.recording_id))
        assert ready["file"]["content_type"] == "application/zip"
        data, _ = await fetched(running, live, ready)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert archive.testzip() is None
            assert archive.namelist() == ["Visit.webm", "Visit.mp4", "manifest.json"]
            assert archive.read("Visit.mp4") == b"".join(chunk.data for chunk in chunks)
            assert ends_at(archive.read("Visit.webm"), tmp_path) == pytest.approx(3, abs=0.2)
            manifest = json.loads(archive.read("manifest.json"))
        assert [entry["id"] for entry in manifest["recordings"]] == [live.recording_id, file.recording_id]


async def test_segments_that_differ_come_as_files_of_their_own(running: Running, tmp_path: Path) -> None:
    async with running.recorder(mime_type="video/webm") as recorder:
        await recorded(recorder, cut(film(seconds=1), film(seconds=1, size=(128, 96)), film(seconds=2, size=(128, 96))))
        ready = await made(running, recorder, await begin(recorder))
        data, _ = await fetched(running, recorder, ready)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            one, two, manifest = archive.namelist()
            assert ends_at(archive.read(one), tmp_path) == pytest.approx(1, abs=0.2)
            assert ends_at(archive.read(two), tmp_path) == pytest.approx(3, abs=0.2)
            assert json.loads(archive.read(manifest))["recordings"][0]["files"][1]["segments"] == [1, 2]


async def test_the_same_request_is_the_same_download(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorded(recorder, [recorder.chunk(0, size=500)])
        begun = await begin(recorder)
        assert (await begin(recorder))["id"] == begun["id"]
        ready = await made(running, recorder, begun)
        assert (await begin(recorder))["id"] == ready["id"]
        # Whoever wants it made anew ends it.
        await recorder.call("DELETE", f"/v1/downloads/{begun['id']}")
        assert (await looked_at(recorder, begun))["state"] == "expired"
        assert (await begin(recorder))["id"] != begun["id"]


async def test_a_key_stands_for_one_request(running: Running) -> None:
    async with running.recorder() as recorder, running.recorder() as other, aiohttp.ClientSession() as client:
        await recorded(recorder, [recorder.chunk(0, size=500)])
        await recorded(other, [other.chunk(0, size=500)])

        async def ask(key: str, recording_id: str) -> tuple[int, dict[str, Any]]:
            headers = {"Authorization": f"Bearer {running.token()}", "Idempotency-Key": key}
            body = {"recordings": [recording_id]}
            async with client.post(f"{running.endpoint}/v1/downloads", json=body, headers=headers) as answer:
                return answer.status, await answer.json()

        status, begun = await ask("one", recorder.recording_id)
        assert status == 202
        await recorder.call("DELETE", f"/v1/downloads/{begun['id']}")
        assert (await ask("one", recorder.recording_id))[1]["id"] == begun["id"]  # whatever became of it
        assert (await ask("one", other.recording_id))[1]["code"] == "idempotency_conflict"
        assert (await ask("two", recorder.recording_id))[1]["id"] != begun["id"]
        status, told = await ask("x" * 300, recorder.recording_id)
        assert (status, told["code"]) == (422, "idempotency_key_malformed")


async def test_nobody_elses_download_is_there(running: Running) -> None:
    async with running.recorder() as recorder, running.recorder("mallory") as other:
        await recorded(recorder, [recorder.chunk(0, size=500)])
        begun = await begin(recorder)
        for method, rest in (("GET", ""), ("DELETE", ""), ("GET", "/file"), ("GET", "/events")):
            with pytest.raises(Refused) as refused:
                await other.call(method, f"/v1/downloads/{begun['id']}{rest}")
            assert (refused.value.problem.status, refused.value.problem.code) == (404, "download_unknown")
        assert (await other.call("GET", "/v1/downloads"))["downloads"] == []
        assert (await looked_at(recorder, begun))["state"] == "queued"


async def test_what_cannot_be_had_is_refused_by_name(running: Running) -> None:
    async with running.recorder() as recorder, running.recorder("mallory") as other:
        chunks = [recorder.chunk(seq, size=500) for seq in range(3)]
        await recorded(recorder, chunks[:2], complete=False)
        with pytest.raises(Refused) as refused:
            await begin(recorder)
        assert refused.value.problem.code == "recording_incomplete"
        with pytest.raises(Refused) as refused:
            await begin(other, recorder.recording_id)
        assert (refused.value.problem.code, refused.value.problem.status) == ("recording_unknown", 404)
        checked = await recorder.call("POST", "/v1/downloads/check", {"recordings": [recorder.recording_id]})
        assert checked["recordings"][0]["problem"]["code"] == "recording_incomplete"


async def test_what_is_missing_is_left_out_and_named(running: Running, tmp_path: Path) -> None:
    """WebM goes on behind a hole; of MP4 the bytes are given as they were recorded."""
    for container, codec, mime in (("webm", "libvpx", "video/webm"), ("mp4", "libx264", "video/mp4")):
        async with running.recorder(mime_type=mime) as recorder:
            chunks = cut(film(container, codec, "libopus", seconds=4), size=8_000)
            assert len(chunks) > 3
            await recorded(recorder, [chunk for chunk in chunks if chunk.seq != 2], complete=False)
            with pytest.raises(Refused):
                await begin(recorder)
            ready = await made(running, recorder, await begin(recorder, allow_gaps=True))
            assert ready["state"] == "ready"
            assert ready["gaps"] == [{"recording_id": recorder.recording_id, "missing": [[2, 2]]}]
            data, _ = await fetched(running, recorder, ready)
            if container == "webm":
                assert ready["problem"] is None
                assert 2 < ends_at(data, tmp_path) < 4.2
            else:
                assert ready["problem"]["code"] == "media_unreadable"
                assert data == b"".join(chunk.data for chunk in chunks if chunk.seq != 2)
