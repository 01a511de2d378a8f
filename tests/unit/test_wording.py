"""What commands print for people: sizes, times, columns, a sweep in sentences, what is at risk."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from control_plane.commands.at_risk import Risks, summary
from control_plane.commands.sweep_words import sentences, what_releases_did
from control_plane.commands.sweeps import causes
from control_plane.commands.tables import Table
from control_plane.commands.tickets import none
from control_plane.commands.wording import at, counted, plain, size, span
from control_plane.doctor.findings import OF_PAGES, beside_stack
from control_plane.domain.findings import Handled, Observation, report_detail
from control_plane.domain.freezing import Freeze, FreezeCause
from control_plane.domain.models import Figures, SweepKind, SweepOutcome, TicketState
from control_plane.domain.tickets import AtRisk, TicketFilter
from control_plane.domain.work import Distrust, StoredSweep
from control_plane.drill.cases import Case, Outcome, what_lacks

NOW = datetime(2026, 11, 2, 10, tzinfo=UTC)
ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1_000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_960, "1.0 MB"),
        (5_242_880, "5.2 MB"),
        (3 * 10**15, "3.0 PB"),
    ],
)
def test_sizes(count: int, words: str) -> None:
    assert size(count) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.25, "0.25 s"), (42, "42 s"), (119, "119 s"), (180, "3 min"), (7_300, "2 h"), (86_400 * 3, "3 d")],
)
def test_spans(seconds: float, words: str) -> None:
    assert span(seconds) == span(timedelta(seconds=seconds)) == words


def test_times_counts_and_texts_of_others() -> None:
    assert at(NOW) == "2026-11-02T10:00:00Z"
    assert at(None) == ""
    assert (counted(1, "chunk"), counted(1_200, "chunk")) == ("1 chunk", "1,200 chunks")
    assert plain("Zürich\x1b[2J\nRoom") == "Zürich�[2J�Room"


def test_columns_stand_below_their_names() -> None:
    rows = [("alice", "3"), ("bob", "1,000")]
    assert list(Table(("owner", "n"), width=None).lines(rows)) == ["owner  n", "alice  3", "bob    1,000"]


def test_what_does_not_fit_goes_on_below_whole() -> None:
    rows = [("alice", "3", str(ID)), ("bob", "1,000", "")]
    assert list(Table(("owner", "n", "id"), width=20).lines(rows)) == [
        "owner  n",
        "    id",
        "alice  3",
        f"    {ID}",
        "bob    1,000",
    ]


def swept(
    kind: SweepKind, *, looked_at: int = 4, dry_run: bool = False, cause: str | None = None, **report: Any
) -> StoredSweep:
    outcome = SweepOutcome.DECIDED if cause is None else SweepOutcome.UNDECIDED
    full = {**report_detail(Observation(), Handled()), **report}
    return StoredSweep(ID, kind, dry_run, outcome, cause, NOW, NOW, looked_at, full, 0, 255, None, "worker")


@pytest.mark.parametrize(
    ("sweep", "said"),
    [
        (swept(SweepKind.AUDIT), ["Compared 4 chunks of the ledger with the bucket: all is as it should be."]),
        (
            swept(SweepKind.CONFIRM, looked_at=1, confirmed=1),
            ["Looked at 1 chunk that waited to be confirmed: all is as it should be.", "Done: 1 confirmed."],
        ),
        (
            swept(SweepKind.FIXITY, read_bytes=5_242_880, discrepancies={"digest_differs": 1}, healed=1),
            ["Read 4 chunks (5.2 MB) back and hashed them: 1 with other bytes.", "Done: 1 healed."],
        ),
        (
            swept(SweepKind.AUDIT, discrepancies={"missing": 3, "size_differs": 1}, tickets_opened=2, tickets_left=2),
            [
                "Compared 4 chunks of the ledger with the bucket: 3 missing and 1 of another size.",
                "Done: 2 tickets opened.",
                "2 more tickets did not fit into one sweep: run `safereel sweep audit` again.",
            ],
        ),
        (
            swept(
                SweepKind.AUDIT,
                dry_run=True,
                discrepancies={"missing": 3},
                tickets_that_would_open=3,
                releases_would_freeze=True,
            ),
            [
                "Compared 4 chunks of the ledger with the bucket: 3 missing.",
                "Would be done: 3 tickets opened.",
                "This was a dry run: nothing was changed. A sweep that is none would have stopped releases.",
            ],
        ),
        (
            swept(SweepKind.AUDIT, looked_at=55, known_missing=130, known_lost=2),
            [
                "Compared 55 chunks of the ledger with the bucket: these are as they should be.",
                "Not compared: 2 lost and 130 known to be missing, with tickets open.",
            ],
        ),
        (
            swept(SweepKind.AUDIT, looked_at=0, known_missing=3, discrepancies={}),
            [
                "Compared 0 chunks of the ledger with the bucket: these are as they should be.",
                "Not compared: 3 known to be missing, with tickets open.",
            ],
        ),
        (
            swept(SweepKind.AUDIT, looked_at=0, unexpected={"unknown": 2, "foreign": 1}),
            [
                "Compared 0 chunks of the ledger with the bucket: 2 objects unknown to the ledger and 1 object that is no chunk.",
                "`safereel rebuild --dry-run` says why some of the unknown objects are not taken up.",
            ],
        ),
        (
            swept(SweepKind.AUDIT, looked_at=0, cause="The bucket is another one."),
            ["Nothing was looked at.", "It decided nothing, for this: The bucket is another one."],
        ),
    ],
)
def test_a_sweep_in_a_few_sentences(sweep: StoredSweep, said: Sequence[str]) -> None:
    assert sentences(sweep) == said


def test_a_sweep_says_what_became_of_releases_while_it_ran() -> None:
    freeze = Freeze(NOW, FreezeCause.MISSING)
    assert what_releases_did(None, None) == what_releases_did(freeze, freeze) == []
    (stopped,) = what_releases_did(None, freeze)
    assert stopped.startswith("Frozen: nothing is released since 2026-11-02T10:00:00Z: too much is missing")
    (going_on,) = what_releases_did(freeze, None)
    assert going_on.startswith("Releases go on.")


def test_listed_sweeps_say_why_they_were_undecided_each_cause_once() -> None:
    seen = [
        swept(SweepKind.AUDIT, cause="No mark"),
        swept(SweepKind.CONFIRM),
        swept(SweepKind.FIXITY, cause="No mark"),
        swept(SweepKind.AUDIT, cause="Nobody answers.", dry_run=True),
    ]
    assert list(causes(seen)) == [
        "",
        "Undecided: 2 sweeps, the last one at 2026-11-02T10:00:00Z, for this: No mark.",
        "Undecided: 1 sweep, the last one at 2026-11-02T10:00:00Z, for this: Nobody answers.",
    ]
    assert list(causes(seen[1:2])) == []


def figures(**told: Any) -> Figures:
    return Figures(**{**{field.name: 0 for field in fields(Figures)}, "frozen": False, **told})


def risky(**told: Any) -> AtRisk:
    nothing = {"missing_chunks": 0, "missing_bytes": 0, "lost_chunks": 0, "lost_bytes": 0, "undelivered": 0}
    at_no_time = {"oldest_ticket_at": None, "oldest_delivered_at": None, "holders": (), "read_at": NOW}
    return AtRisk(**{"recording_id": ID, "owner": "alice", "title": None, **nothing, **at_no_time, **told})


@pytest.mark.parametrize(
    ("risks", "begins"),
    [
        (Risks(figures(), None, [], all_read=True), ["Nothing is at risk"]),
        (Risks(figures(used_bytes=9_000), None, [], all_read=True), ["All is safe: what was acknowledged (9.0 kB)"]),
        (
            Risks(figures(used_bytes=9_000, workers_silent_s=None), None, [], all_read=True),
            ["All is safe", "Unwatched: No worker runs"],
        ),
        (
            Risks(
                figures(
                    used_bytes=9_000, lost_chunks=1, oldest_unconfirmed_s=900, unconfirmed_chunks=2, deletions_failing=1
                ),
                Freeze(NOW, FreezeCause.MISSING),
                [risky(missing_chunks=2, missing_bytes=6_000), risky(lost_chunks=1, lost_bytes=3_000)],
                all_read=True,
            ),
            [
                "Safe: 3.0 kB in the bucket, as far as sweeps have looked, of which 2 chunks wait to be confirmed.",
                "Missing: 2 chunks (6.0 kB) of 1 recording",
                "Lost: 1 chunk (3.0 kB)",
                "Behind: the oldest chunk has waited for 15 min",
                "Frozen: nothing is released since 2026-11-02T10:00:00Z: too much is missing at once",
                "Failing: 1 deletion. What owners deleted may still be in the bucket. They",
            ],
        ),
        (
            Risks(
                figures(used_bytes=9_000, sighted=188, sighted_bytes=4_000),
                Freeze(NOW, FreezeCause.MISSING),
                [],
                all_read=True,
            ),
            [
                "Safe: 5.0 kB in the bucket, as far as sweeps have looked, but for what is in doubt below.",
                "Sighted: 188 chunks (4.0 kB) were not in the bucket as acknowledged",
                "Frozen: nothing is released",
            ],
        ),
        (
            Risks(figures(used_bytes=9_000, read_wrong=3), None, [], all_read=True),
            [
                "Safe: 9.0 kB in the bucket, as far as sweeps have looked, but for what is in doubt below.",
                "Doubted: 3 chunks were read wrong",
            ],
        ),
        (
            Risks(figures(used_bytes=9_000), Freeze(NOW, FreezeCause.ADMINISTRATOR), [], all_read=True),
            ["All is safe", "Frozen: nothing is released"],
        ),
        (
            Risks(
                figures(used_bytes=9_000, deletions_failing=2),
                None,
                [],
                all_read=True,
                distrust=Distrust(NOW, "The bucket has no mark"),
                purge_failure="The bucket has no mark",
            ),
            [
                "Not known: what was acknowledged (9.0 kB) was safe as far as",
                "Undecided: sweeps have decided nothing since 2026-11-02T10:00:00Z, for this: The bucket has no mark. What was",
                "Failing: 2 deletions. What owners deleted may still be in the bucket, for this: The bucket has no mark. They",
            ],
        ),
    ],
)
def test_what_is_at_risk_is_said_and_nothing_else(risks: Risks, begins: Sequence[str]) -> None:
    said = list(summary(risks))
    assert len(said) == len(begins), said
    assert [sentence for sentence, start in zip(said, begins, strict=True) if not sentence.startswith(start)] == []


def test_no_open_tickets_does_not_hide_what_is_lost() -> None:
    wanted = TicketFilter(TicketState.OPEN)
    assert "every chunk that was acknowledged is in the bucket" in none(wanted, figures(), None)
    assert "1 chunk is lost" in none(wanted, figures(lost_chunks=1), None)
    assert none(TicketFilter(TicketState.OPEN, owner="bob"), figures(), None) == "There are no such tickets."


def test_no_open_tickets_does_not_hide_what_no_second_look_has_decided() -> None:
    wanted = TicketFilter(TicketState.OPEN)
    assert none(wanted, figures(sighted=3), None).startswith("No open tickets, but 3 chunks are in doubt")
    assert none(wanted, figures(read_wrong=1), None).startswith("No open tickets, but 1 chunk is in doubt")
    blind = none(wanted, figures(), Distrust(NOW, "The bucket has no mark."))
    assert "sweeps have decided nothing since 2026-11-02T10:00:00Z" in blind
    assert "The bucket has no mark." in blind


def test_a_drill_says_which_step_lacks() -> None:
    repaired = [Outcome(Case.PURGED, "resent by ticket", 41.0), Outcome(Case.CORRUPTED, "resent by ticket", 36.0)]
    words = what_lacks(repaired)
    assert words.startswith("purged, corrupted. Repaired, but not safe yet: purged, corrupted; a confirmation must")
    assert "Not repaired" not in words
    words = what_lacks([*repaired, Outcome(Case.HIDDEN)])
    assert "Not repaired: hidden; two audits" in words
    assert "not safe yet: purged, corrupted;" in words


def test_advice_beside_a_stack_names_it() -> None:
    advice = "Run `safereel migrate`.\n$ SAFEREEL_PAGE_ORIGINS=x safereel provision"
    assert beside_stack(advice, Path("/a b")) == (
        "Run `safereel migrate --data-dir '/a b'`.\n$ SAFEREEL_PAGE_ORIGINS=x safereel provision --data-dir '/a b'"
        f"\n{OF_PAGES}"
    )
    assert beside_stack("", Path("x")) == ""
