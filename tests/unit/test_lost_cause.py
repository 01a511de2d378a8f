"""When a ticket is lost, and how a recording at risk looks before that: the decisions, by table."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from control_plane.domain.tickets import AtRisk, Holder, HolderAtRisk, LostCause, OpenTicket, Prospect, lost_cause

NOW = datetime(2026, 11, 30, tzinfo=UTC)
SILENT_AFTER = timedelta(days=7)
OPENED = timedelta(days=1)
MAKER = uuid4()


def ago(**given: float) -> datetime:
    return NOW - timedelta(**given)


def holder(
    *, holds: bool = True, gone: bool = False, beat: datetime | None = NOW, recorder: UUID | None = None
) -> Holder:
    return Holder(recorder or uuid4(), holds, gone, beat)


def maker(*, holds: bool = False, gone: bool = False, beat: datetime | None = NOW) -> Holder:
    return holder(holds=holds, gone=gone, beat=beat, recorder=MAKER)


@pytest.mark.parametrize(
    ("holders", "opened", "cause", "why"),
    [
        ([maker(holds=True)], OPENED, None, "it holds it"),
        ([maker(holds=True, beat=ago(days=6.9))], OPENED, None, "it may be back on Monday"),
        ([maker(holds=True, beat=ago(days=7.1))], OPENED, LostCause.SILENT, "silent for too long"),
        ([maker(gone=True)], OPENED, LostCause.GONE, "the only one says it is gone"),
        ([maker(holds=True, gone=True)], OPENED, LostCause.GONE, "its word about the ticket counts, not its list"),
        ([maker(gone=True), holder()], OPENED, None, "another device holds it"),
        ([maker(gone=True), holder(beat=ago(days=8))], OPENED, LostCause.SILENT, "the other one is silent"),
        ([maker(gone=True), holder(gone=True)], OPENED, LostCause.GONE, "both say it is gone"),
        ([maker()], OPENED, None, "beats without it; nobody is known to hold it"),
        ([maker()], timedelta(days=7.1), LostCause.UNHELD, "nobody has come for a week"),
        ([maker(beat=None)], OPENED, None, "never beat: it may have crashed with it"),
        ([maker(beat=None)], timedelta(days=7.1), LostCause.UNHELD, "and did not come back"),
        ([maker(beat=ago(days=20))], OPENED, None, "silent before the loss: from its opening on it is waited for"),
        (
            [maker(beat=ago(days=20)), holder(gone=True)],
            OPENED,
            None,
            "another one's word does not speak for the maker",
        ),
        ([maker(), holder(gone=True)], OPENED, LostCause.GONE, "the maker has beaten since, without it"),
        ([maker(beat=ago(days=20)), holder(gone=True)], timedelta(days=8), LostCause.GONE, "the maker never came"),
    ],
)
def test_a_ticket_is_lost_only_when_nobody_can_serve_it(
    holders: list[Holder], opened: timedelta, cause: LostCause | None, why: str
) -> None:
    ticket = OpenTicket(uuid4(), uuid4(), 0, 1, NOW - opened, holders)
    assert lost_cause(ticket, NOW, SILENT_AFTER) is cause, why


def at_risk(
    *, missing: int = 1, lost: int = 0, delivered: datetime | None = None, beats: tuple[datetime, ...] = (NOW,)
) -> AtRisk:
    return AtRisk(
        recording_id=uuid4(),
        owner="alice",
        title=None,
        missing_chunks=missing,
        missing_bytes=missing,
        lost_chunks=lost,
        lost_bytes=lost,
        oldest_ticket_at=ago(days=1),
        undelivered=0,
        oldest_delivered_at=delivered,
        holders=[HolderAtRisk(uuid4(), 1, beat) for beat in beats],
        read_at=NOW,
    )


@pytest.mark.parametrize(
    ("found", "prospect"),
    [
        (at_risk(), Prospect.ASKED),
        (at_risk(delivered=ago(minutes=9)), Prospect.ASKED),
        (at_risk(delivered=ago(minutes=11)), Prospect.UNSERVED),
        (at_risk(delivered=ago(minutes=11), beats=(ago(minutes=11), ago(hours=3))), Prospect.AWAY),
        (at_risk(beats=(ago(days=3), NOW)), Prospect.ASKED),
        (at_risk(beats=()), Prospect.UNHELD),
        (at_risk(missing=0, lost=2), Prospect.LOST),
        (at_risk(missing=1, lost=2), Prospect.ASKED),
    ],
)
def test_prospects(found: AtRisk, prospect: Prospect) -> None:
    assert found.prospect is prospect
