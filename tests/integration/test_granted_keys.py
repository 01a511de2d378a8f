"""No accepted input, whatever it is, gets a grant for a key outside of its own recording's prefix."""

import asyncio
import re
from collections import Counter
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import aiohttp
import hypothesis
import pytest
from hypothesis import strategies as st

from control_plane.domain.keys import MAX_SEGMENT, MAX_SEQ, recording_prefix
from control_plane.domain.limits import MAX_CHUNK_BYTES
from tests.support.plane import Running

pytestmark = pytest.mark.anyio

EXAMPLES = 150
ANSWER_S = 30.0
KEY = re.compile(r"v1/[0-9a-f]{2}/[0-9a-f-]{36}/[0-9]{8}-[0-9]{4}-[0-9]+-[0-9a-f]{64}")

hostile = st.one_of(
    st.text(max_size=80),
    st.text(alphabet="./%0aA-_\\:\x00\n?#&=", max_size=80),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
    st.sampled_from(
        ["../" * 21 + "a", "A" * 64, "a" * 63 + "/", "a" * 64 + "\n", "٣" * 64, "%2e%2e%2f", f"{uuid4()}/x"]
    ),
)
chunks = st.fixed_dictionaries(
    {
        "seq": st.integers(0, MAX_SEQ),
        "segment": st.integers(0, MAX_SEGMENT),
        "size": st.integers(1, MAX_CHUNK_BYTES),
        "sha256": st.binary(min_size=32, max_size=32).map(bytes.hex),
    }
)
# Most are as they should be but for one member: what is all wrong is refused at the first look.
changes = st.dictionaries(
    st.sampled_from(["seq", "segment", "size", "sha256", "key", "recording_id"]), hostile, max_size=1
)
claims = st.tuples(chunks, st.one_of(st.just({}), st.just({}), changes)).map(lambda parts: {**parts[0], **parts[1]})
batches = st.lists(claims, min_size=1, max_size=5, unique_by=lambda claim: str(claim["seq"]))
titles = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=200)
starts = st.one_of(
    st.fixed_dictionaries({"title": titles}),
    st.fixed_dictionaries({"title": titles, "mime_type": st.just('audio/webm;codecs="opus"')}),
    st.dictionaries(st.sampled_from(["title", "mime_type", "share_id", "owner"]), hostile, max_size=1),
)
spellings = st.sampled_from(
    [str, lambda found: str(found).upper(), lambda found: found.hex, str, lambda found: f"%7B{found}%7D"]
)


class Caller:
    """Makes calls from the thread in which hypothesis runs."""

    def __init__(self, running: Running, client: aiohttp.ClientSession) -> None:
        self._running = running
        self._client = client
        self._loop = asyncio.get_running_loop()
        self._headers = {"authorization": f"Bearer {running.token()}"}

    def __call__(self, method: str, path: str, body: object) -> tuple[int, Any]:
        return asyncio.run_coroutine_threadsafe(self._call(method, path, body), self._loop).result(ANSWER_S)

    async def _call(self, method: str, path: str, body: object) -> tuple[int, Any]:
        url = self._running.endpoint + path
        async with self._client.request(method, url, json=body, headers=self._headers) as answer:
            return answer.status, await answer.json(content_type=None)


def assert_own_key(running: Running, recording_id: UUID, claim: dict[str, Any], put: dict[str, Any]) -> None:
    """The signed address is that of the chunk that was asked for, letter by letter."""
    url = urlsplit(put["url"])
    assert f"{url.scheme}://{url.netloc}" == running.settings.public_endpoint
    bucket = f"/{running.settings.s3_bucket_name}/"
    assert url.path.startswith(bucket)
    key = url.path.removeprefix(bucket)
    assert KEY.fullmatch(key), key
    name = f"{claim['seq']:08d}-{claim['segment']:04d}-{claim['size']}-{claim['sha256']}"
    assert key == recording_prefix(recording_id) + name
    assert not url.fragment


async def test_grants_are_for_keys_of_the_recording_alone(running: Running) -> None:
    seen = Counter[str]()
    async with aiohttp.ClientSession() as client:
        call = Caller(running, client)

        @hypothesis.settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
        @hypothesis.given(st.uuids(), spellings, starts, batches)
        def walk(recording_id: UUID, spelled: Any, start: dict[str, Any], batch: list[dict[str, Any]]) -> None:
            path = f"/v1/recordings/{spelled(recording_id)}"
            required = {"recorder_id": str(uuid4()), "source": "recorder", "mime_type": "video/webm"}
            status, _ = call("PUT", path, {**required, **start})
            if status not in {200, 201}:
                seen["refused start"] += 1
                assert 400 <= status < 500
                return
            status, told = call("POST", f"{path}/grants", {"chunks": batch})
            if status != 200:
                seen["refused batch"] += 1
                assert 400 <= status < 500
                return
            for claim, grant in zip(batch, told["grants"], strict=True):
                seen[grant["state"]] += 1
                if grant["state"] == "granted":
                    assert_own_key(running, recording_id, claim, grant["put"])

        await asyncio.to_thread(walk)
    assert seen["granted"] > EXAMPLES / 3, seen
    assert seen["refused batch"] > EXAMPLES / 10, seen
    assert seen["refused start"] > EXAMPLES / 10, seen
