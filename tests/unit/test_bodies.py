"""Bodies: each way to be wrong has its own code and names its member."""

from typing import Any
from uuid import uuid4

import pytest
from pydantic import ValidationError
from pydantic_core import to_json

from control_plane.api.bodies import AcksBody, Body, CompleteBody, GrantsBody, HeartbeatBody, StartBody
from control_plane.api.body_refusals import refusal_of
from control_plane.domain.limits import MAX_CHUNK_BYTES, MAX_SEQ

CHUNK = {"seq": 0, "segment": 0, "size": 1, "sha256": "a" * 64}
START = {"recorder_id": str(uuid4()), "source": "recorder", "mime_type": "video/webm"}
BEAT: dict[str, Any] = {
    "recorder_id": str(uuid4()),
    "counter": 1,
    "sdk": "0.1.0",
    "storage": {"persisted": True, "usage": 1, "quota": 2},
    "holding": [],
}


def held(ranges: object) -> dict[str, Any]:
    return {**BEAT, "holding": [{"recording_id": str(uuid4()), "ranges": ranges, "open": True}]}


def kept(ranges: object) -> dict[str, Any]:
    return {**BEAT, "holding": [{"recording_id": str(uuid4()), "ranges": [], "open": True, "kept": ranges}]}


def code_of(model: type[Body], body: object) -> tuple[str, str]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate_json(to_json(body))
    refusal = refusal_of(caught.value.errors(include_url=False, include_input=False))
    errors: Any = refusal.extra["errors"]
    return refusal.code, errors[0]["pointer"]


@pytest.mark.parametrize(
    ("model", "body", "code", "pointer"),
    [
        (GrantsBody, {"chunks": [{**CHUNK, "colour": 1}]}, "unknown_member", "/chunks/0/colour"),
        (GrantsBody, {"chunks": [{"seq": 0}]}, "member_missing", "/chunks/0/segment"),
        (GrantsBody, {"chunks": [{**CHUNK, "seq": "0"}]}, "wrong_type", "/chunks/0/seq"),
        (GrantsBody, {"chunks": [{**CHUNK, "seq": 0.5}]}, "wrong_type", "/chunks/0/seq"),
        (GrantsBody, {"chunks": [{**CHUNK, "seq": True}]}, "wrong_type", "/chunks/0/seq"),
        (GrantsBody, {"chunks": [{**CHUNK, "seq": -1}]}, "seq_out_of_range", "/chunks/0/seq"),
        (GrantsBody, {"chunks": [{**CHUNK, "seq": MAX_SEQ + 1}]}, "seq_out_of_range", "/chunks/0/seq"),
        (GrantsBody, {"chunks": [{**CHUNK, "seq": 10**40}]}, "seq_out_of_range", "/chunks/0/seq"),
        (GrantsBody, {"chunks": [{**CHUNK, "segment": 10_000}]}, "segment_out_of_range", "/chunks/0/segment"),
        (GrantsBody, {"chunks": [{**CHUNK, "size": 0}]}, "size_out_of_range", "/chunks/0/size"),
        (GrantsBody, {"chunks": [{**CHUNK, "size": MAX_CHUNK_BYTES + 1}]}, "size_out_of_range", "/chunks/0/size"),
        (GrantsBody, {"chunks": [{**CHUNK, "sha256": "a" * 63}]}, "digest_malformed", "/chunks/0/sha256"),
        (GrantsBody, {"chunks": [{**CHUNK, "sha256": "A" * 64}]}, "digest_malformed", "/chunks/0/sha256"),
        (GrantsBody, {"chunks": [{**CHUNK, "sha256": "a" * 64 + "\n"}]}, "digest_malformed", "/chunks/0/sha256"),
        (GrantsBody, {"chunks": [CHUNK, CHUNK]}, "duplicate_seq", "/chunks/1/seq"),
        (GrantsBody, {"chunks": []}, "batch_size_out_of_range", "/chunks"),
        (GrantsBody, {"chunks": [{**CHUNK, "seq": n} for n in range(1_001)]}, "batch_size_out_of_range", "/chunks"),
        (GrantsBody, [], "wrong_type", ""),
        (AcksBody, {"acks": [{"seq": 1}, {"seq": 1}]}, "duplicate_seq", "/acks/1/seq"),
        (AcksBody, {"acks": [{"seq": 1, "etag": ""}]}, "etag_malformed", "/acks/0/etag"),
        (AcksBody, {"acks": [{"seq": 1, "etag": "a\r\nx: y"}]}, "etag_malformed", "/acks/0/etag"),
        (StartBody, {**START, "mime_type": "text/html"}, "mime_type_not_allowed", "/mime_type"),
        (
            StartBody,
            {**START, "mime_type": "video/webm\r\nx-amz-acl: public-read"},
            "mime_type_not_allowed",
            "/mime_type",
        ),
        (StartBody, {**START, "source": "cinema"}, "value_out_of_range", "/source"),
        (StartBody, {**START, "title": "a" * 201}, "title_malformed", "/title"),
        (StartBody, {**START, "title": "a\x00b"}, "title_malformed", "/title"),
        (StartBody, {**START, "recorder_id": "me"}, "id_malformed", "/recorder_id"),
        (StartBody, {**START, "expected_bytes": -1}, "value_out_of_range", "/expected_bytes"),
        (CompleteBody, {"chunk_count": 1}, "member_missing", "/total_bytes"),
        (CompleteBody, {"chunk_count": -1, "total_bytes": 0}, "value_out_of_range", "/chunk_count"),
        (HeartbeatBody, held([[0, 1], [3, 1]]), "range_malformed", "/holding/0/ranges/1"),
        (HeartbeatBody, held([[1]]), "range_malformed", "/holding/0/ranges/0"),
        (HeartbeatBody, kept([[0, 1], [3, 1]]), "range_malformed", "/holding/0/kept/1"),
        (HeartbeatBody, held([[0, MAX_SEQ + 1]]), "range_malformed", "/holding/0/ranges/0/1"),
        (HeartbeatBody, held([[0, 0]] * 10_001), "batch_size_out_of_range", "/holding"),
        (HeartbeatBody, {**BEAT, "holding": held([])["holding"] * 2}, "duplicate_recording", "/holding/1/recording_id"),
        (HeartbeatBody, {**BEAT, "a/b~c": 1}, "unknown_member", "/a~1b~0c"),
        (HeartbeatBody, {**BEAT, "gone": ["x"]}, "id_malformed", "/gone/0"),
    ],
)
def test_each_wrong_member_has_its_code(model: type[Body], body: object, code: str, pointer: str) -> None:
    assert code_of(model, body) == (code, pointer)


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (GrantsBody, {"chunks": [{**CHUNK, "seq": n} for n in range(1_000)]}),
        (StartBody, {**START, "mime_type": 'video/mp4;codecs="avc1.42E01E, mp4a.40.2"'}),
        (StartBody, {**START, "title": "Zimmer 4 — Anhörung 🎥", "expected_bytes": None}),
        (HeartbeatBody, held([[0, 41], [43, 43]])),
    ],
)
def test_good_bodies_are_taken_as_they_are(model: type[Body], body: dict[str, Any]) -> None:
    taken = model.model_validate_json(to_json(body)).model_dump(mode="json", exclude_unset=True)
    assert taken == body
