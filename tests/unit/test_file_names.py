"""File names: whatever a title is, a name that every system takes, in a header that says one thing."""

import re
from email.message import Message
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from control_plane.domain.file_names import LONGEST_NAME_BYTES, attachment, file_name_of

PARTS = re.compile(r"attachment; filename=\"([ -~]+)\"; filename\*=UTF-8''([A-Za-z0-9!#$&+\-.^_`|~%]+)")
UNFIT = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')
FAMILY = "👩\u200d👩\u200d👧"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Physics, week 3.webm", "Physics, week 3.webm"),
        ("Übung “Größe”.webm", "Übung “Größe”.webm"),
        ("日本語の録画.webm", "日本語の録画.webm"),
        ('say "hi".webm', "say _hi_.webm"),
        ("a/b\\c:d*e?.webm", "a_b_c_d_e_.webm"),
        ("../../etc/passwd", "_.._etc_passwd"),
        (".hidden", "hidden"),
        ("ends with dots. . .", "ends with dots"),
        ("one\r\nX-Evil: two\tthree", "one X-Evil_ two three"),
        ("a\0b\x07c\x7f.webm", "abc.webm"),
        ("gpj.\u202eexe", "gpj.exe"),
        ("a\u2028b\u00a0c", "a b c"),
        ("half\ud800.webm", "half.webm"),
        ("e\u0301", "é"),
        (f"{FAMILY}.webm", f"{FAMILY}.webm"),
        ("", "download"),
        ("...", "download"),
        (" \r\n\0", "download"),
    ],
)
def test_a_title_becomes_a_name(text: str, name: str) -> None:
    assert file_name_of(text) == name


@pytest.mark.parametrize("letter", ["x", "é", "漢", "😀", FAMILY])
def test_a_long_name_is_cut_between_characters_and_keeps_its_extension(letter: str) -> None:
    name = file_name_of(letter * 1_000 + ".webm")

    assert name.endswith(".webm")
    assert set(name.removesuffix(".webm")) == set(letter)
    assert LONGEST_NAME_BYTES - 30 < len(name.encode()) <= LONGEST_NAME_BYTES


def test_a_sentence_is_no_extension() -> None:
    assert file_name_of("Once. " + "And so on " * 40) == file_name_of("Once. " + "And so on " * 80)


@given(st.text(max_size=400))
@example("＂; filename=＂evil.exe")
@example("%22%0d%0a")
@example("ﷺ" * 60)
def test_the_header_says_one_thing(text: str) -> None:
    header = attachment(text)

    found = PARTS.fullmatch(header)
    assert found is not None
    plain, escaped = found.groups()
    assert not UNFIT.search(plain)
    assert "%" not in plain, "some decode it"
    assert unquote(escaped, errors="strict") == file_name_of(text)
    assert not UNFIT.search(unquote(escaped))
    assert len(plain) <= LONGEST_NAME_BYTES
    assert len(header) < 1_000


@given(st.text(max_size=400))
def test_a_name_stays_what_it_is(text: str) -> None:
    name = file_name_of(text)

    assert file_name_of(name) == name
    assert len(name.encode()) <= LONGEST_NAME_BYTES


@given(st.text(max_size=100))
def test_others_read_the_same_name(text: str) -> None:
    message = Message()
    message["Content-Disposition"] = attachment(text).replace("filename=", "plain=", 1)

    assert message.get_filename() == file_name_of(text)
