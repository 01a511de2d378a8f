"""The table of verdicts: what a HEAD proves about a claim."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from control_plane.domain.bucket import ListedObject, ObjectHead
from control_plane.domain.judging import judge, judge_again, looks_right, unquoted
from control_plane.domain.models import Chunk, ChunkState, Verdict

AT = datetime(2026, 1, 1, tzinfo=UTC)
SHA, OTHER = "a" * 64, "b" * 64


def head(size: int = 10, etag: str = "e", sha256: str | None = SHA) -> ObjectHead:
    return ObjectHead(size, etag, sha256, AT)


def acked(etag: str = "e") -> Chunk:
    return Chunk(UUID(int=1), 0, 0, 10, SHA, ChunkState.ACKED, 1, etag, False, AT, AT, AT, None)


@pytest.mark.parametrize(
    ("etag", "seen", "verdict"),
    [
        ("e", head(), Verdict.MATCH),
        ('"e"', head(), Verdict.MATCH),
        ('W/"e"', head(), Verdict.MATCH),
        ("e", head(sha256=None), Verdict.MATCH),
        (None, head(), Verdict.MATCH),
        (None, head(sha256=None), Verdict.UNPROVEN),
        ("e", None, Verdict.MISSING),
        (None, None, Verdict.MISSING),
        ("e", head(size=9), Verdict.SIZE_DIFFERS),
        ("e", head(size=11), Verdict.SIZE_DIFFERS),
        (None, head(size=9), Verdict.SIZE_DIFFERS),
        ("e", head(etag="f"), Verdict.ETAG_DIFFERS),
        ("E", head(), Verdict.ETAG_DIFFERS),
        ("", head(), Verdict.ETAG_DIFFERS),
        ("e", head(sha256=OTHER), Verdict.DIGEST_DIFFERS),
        (None, head(sha256=OTHER), Verdict.DIGEST_DIFFERS),
        # The size is told first: it says most about what happened.
        ("e", head(size=9, etag="f", sha256=OTHER), Verdict.SIZE_DIFFERS),
        ("e", head(etag="f", sha256=OTHER), Verdict.ETAG_DIFFERS),
    ],
)
def test_verdicts(etag: str | None, seen: ObjectHead | None, verdict: Verdict) -> None:
    assert judge(size=10, sha256=SHA, etag=etag, head=seen) is verdict


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        (head(), Verdict.MATCH),
        (head(etag="f"), Verdict.MATCH),
        (head(etag="f", sha256=None), Verdict.ETAG_DIFFERS),
        (head(etag="f", sha256=OTHER), Verdict.ETAG_DIFFERS),
        (head(sha256=OTHER), Verdict.DIGEST_DIFFERS),
        (head(size=9), Verdict.SIZE_DIFFERS),
        (None, Verdict.MISSING),
    ],
)
def test_later_verdicts_let_the_digest_stand_for_the_etag(seen: ObjectHead | None, verdict: Verdict) -> None:
    assert judge_again(acked(), seen) is verdict


def test_a_listing_only_gives_reason_to_doubt() -> None:
    def listed(size: int = 10, etag: str = "e") -> ListedObject:
        return ListedObject("k", size, etag, AT)

    assert looks_right(acked(), listed())
    assert not looks_right(acked(), None)
    assert not looks_right(acked(), listed(size=9))
    assert not looks_right(acked(), listed(etag="f"))


def test_etags_are_opaque_but_for_their_quotes() -> None:
    assert unquoted('"d41d8cd9-3"') == "d41d8cd9-3"
    assert unquoted("d41D8cd9") == "d41D8cd9"
