"""How doctor's findings look: at a terminal, in a file, and to a machine."""

import io
import json
from collections.abc import Sequence

import pytest

from control_plane.doctor.findings import Check, Finding, Report, Standing, ok, skipped, warning, wrong
from control_plane.doctor.printing import Printer, as_json, line, summary

MENDED = (
    "Set the rule below:\n$ safereel provision --with-a-very-long-argument https://app.example.com\n" + '{"a": "b"}'
)


def printed(findings: Sequence[Finding]) -> list[str]:
    """What a run prints to a file, with the sum."""
    out = io.StringIO()
    printer = Printer(out, io.StringIO())
    for finding in findings:
        printer.found(finding)
    printer.ends(Report({}, findings))
    return out.getvalue().splitlines()


def test_only_what_is_wrong_fails() -> None:
    fine = ok(Check.BUCKET_REACH, "a", "b")
    doubt = warning(Check.CORS_PUT, "a", "b", "c")
    left_out = skipped(Check.GRANTS_PUT, "because")

    assert Report({}, [fine, doubt, left_out]).well
    assert not Report({}, [fine, wrong(Check.CORS_PUT, "a", "b", "c")]).well


def test_the_sum_names_what_is_wrong() -> None:
    bad = wrong(Check.CORS_ETAG, "a", "b", "c")
    found = Report({}, [ok(Check.BUCKET_REACH, "a", "b"), bad, bad, warning(Check.CORS_STRANGER, "a", "b", "c")])

    assert summary(found).splitlines() == [
        "Safereel cannot live with this: 1 ok, 1 warning, 2 wrong, 0 not examined.",
        "Wrong: cors.etag",
        "Warning: cors.stranger",
    ]
    assert "All that Safereel needs" in summary(Report({}, [ok(Check.BUCKET_REACH, "a", "b")]))


def test_lines_are_aligned_and_plain_where_nobody_sees_colours() -> None:
    fine, bad = (
        ok(Check.BUCKET_REACH, "tried", "seen"),
        wrong(Check.DATABASE_CONNECTIONS, "tried", "seen", "one\n$ two"),
    )

    first, second, *mends = printed([fine, bad])[0:1] + printed([bad])[0:3]

    assert first.index("tried → seen") == second.index("tried → seen")
    assert [mend.strip() for mend in mends] == ["↳ one", "$ two"]
    assert "\x1b" not in first
    assert "\x1b[31m" in line(bad, bad.mend, colours=True, width=None)


@pytest.mark.parametrize("width", [80, 120])
def test_sentences_are_broken_to_the_terminal_and_commands_are_not(width: int) -> None:
    seen = "other bytes were taken, and they are stored there " * 3
    lines = line(wrong(Check.GRANTS_DIGEST, "a PUT", seen, MENDED), MENDED, colours=False, width=width).splitlines()

    *sentences, command, config = lines
    assert max(map(len, sentences)) <= width
    assert len(sentences) > 2
    assert [command.strip(), config.strip()] == MENDED.splitlines()[1:]


def test_advice_is_given_once() -> None:
    lines = printed(
        [
            wrong(Check.CORS_PUT, "a", "b", MENDED),
            ok(Check.OBJECTS_HEAD, "a", "b"),
            wrong(Check.CORS_GET, "a", "b", MENDED),
        ]
    )

    assert sum("safereel provision" in each for each in lines) == 1
    assert any("As for cors.put above." in each for each in lines)


def test_what_one_fault_hides_is_one_line() -> None:
    hidden = [skipped(Check.GRANTS_PUT, "no bucket"), skipped(Check.GRANTS_ONCE, "no bucket")]
    lines = printed([*hidden, skipped(Check.CORS_PUT, "no page"), ok(Check.DOCTOR_REMAINS, "a", "b")])

    assert [each for each in lines if each.startswith("·")] == [
        "· skipped 2 checks             not examined: no bucket",
        "· skipped cors.put             not examined: no page",
    ]
    assert any("grants.put, grants.once" in each for each in lines)


def test_a_machine_is_told_all_of_it() -> None:
    findings = [
        ok(Check.BUCKET_REACH, "tried", "seen"),
        wrong(Check.CORS_PUT, "a", "b", MENDED),
        skipped(Check.CORS_GET, "c"),
    ]
    shape = json.loads(as_json(Report({"bucket": "films"}, findings)))

    assert (shape["version"], shape["well"], shape["examined"]) == (1, False, {"bucket": "films"})
    assert shape["counts"] == {"ok": 1, "warning": 0, "wrong": 1, "skipped": 1}
    assert [each["mend"] for each in shape["findings"]] == [None, MENDED, None]
    assert {each["standing"] for each in shape["findings"]} <= set(Standing)
