"""Links: whose calls are counted together, and what the bucket may tell of them."""

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest

from control_plane.domain.models import ShareLink
from control_plane.domain.rebuilding import share_document, told_link
from control_plane.domain.sharing import caller_of, is_share_id

RECORDING = UUID("01905d5e-7b00-7c00-8a00-000000000001")
LINK = ShareLink("q2mX0v1uYH3l8r5d", shared=True, expires_at=datetime(2026, 11, 30, 18, tzinfo=UTC))


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "caller"),
    [
        ("198.51.100.7", ["203.0.113.9"], 0, "198.51.100.7"),  # nobody in front: the header is the viewer's own
        ("10.0.0.2", ["6.6.6.6", "203.0.113.9"], 1, "203.0.113.9"),
        ("10.0.0.2", ["6.6.6.6", "203.0.113.9", "10.0.0.1"], 2, "203.0.113.9"),
        ("10.0.0.2", [""], 1, "10.0.0.2"),
        ("10.0.0.2", ["unknown"], 1, "10.0.0.2"),
        ("10.0.0.2", ["6.6.6.6", "nonsense", "10.0.0.1"], 2, "10.0.0.1"),
        ("10.0.0.2", [" 203.0.113.9:51234"], 1, "203.0.113.9"),
        ("10.0.0.2", ["[2001:db8:1:2:3::4]:443"], 1, "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::9", [], 0, "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.9", [], 0, "203.0.113.9"),
        (None, [], 0, "unknown"),
    ],
)
def test_whose_calls_are_counted_together(peer: str | None, forwarded: list[str], trusted: int, caller: str) -> None:
    assert caller_of(peer, forwarded, trusted_proxies=trusted) == caller


def test_what_is_written_is_read() -> None:
    for link in (LINK, ShareLink("a", shared=False, expires_at=None)):
        assert told_link(json.dumps(share_document(RECORDING, link)).encode(), RECORDING) == link


@pytest.mark.parametrize(
    "changed",
    [
        {"version": 2},
        {"id": "01905d5e-7b00-7c00-8a00-000000000002"},
        {"shared": 1},
        {"shared": "true"},
        {"share_id": ""},
        {"share_id": "../a"},
        {"expires_at": "tomorrow"},
        {"expires_at": "2026-11-30T18:00:00"},
        {"expires_at": 0},
    ],
)
def test_what_is_not_ours_shares_nothing(changed: dict[str, object]) -> None:
    assert told_link(json.dumps({**share_document(RECORDING, LINK), **changed}).encode(), RECORDING) is None
    missing = {name: value for name, value in share_document(RECORDING, LINK).items() if name not in changed}
    assert told_link(json.dumps(missing).encode(), RECORDING) is None


def test_not_json_shares_nothing() -> None:
    for body in (b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000):
        assert told_link(body, RECORDING) is None


def test_what_may_stand_in_a_link() -> None:
    assert is_share_id("q2mX0v1uYH3l8r5d_-")
    for text in ("", "a" * 129, "a b", "a\x00", "ä", "a\n"):
        assert not is_share_id(text)
