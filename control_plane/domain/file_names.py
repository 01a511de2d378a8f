"""Names under which browsers save files: any text made into one, and the header that carries it."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from urllib.parse import quote

# File systems take 255 bytes, and browsers put ` (1)` and `.crdownload` behind it. In UTF-8.
LONGEST_NAME_BYTES = 180
# What counts as an extension when a name is cut: `.webm`, `.tar`. A title may end in a sentence with a dot in it.
EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,8}$")
NAMELESS = "download"

# Separators of folders, and what Windows refuses in names.
REFUSED = re.compile(r'[/\\:*?"<>|]')
# Categories that are not seen or end a line, among them those that turn the direction of writing (`gpj.exe` shown as `exe.jpg`).
UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Joiners between letters of Arabic, Indic scripts and emoji: unseen, and part of the word.
JOINERS = "\u200c\u200d"
# What filename="…" can carry without being read in two ways: no escape, and no % that some decode (RFC 6266, appendix D).
NOT_PLAIN = re.compile(r"[^ -~]|%")
# Names of devices, with whatever ending: https://learn.microsoft.com/windows/win32/fileio/naming-a-file
DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
# Of a title: some words say which one it is, and a number and an ending have to fit behind them.
LONGEST_STEM = 60

ENDINGS = {
    "audio/webm": "webm",
    "audio/ogg": "ogg",
    "audio/mp4": "m4a",
    "video/webm": "webm",
    "video/mp4": "mp4",
    "video/x-matroska": "mkv",
    "application/zip": "zip",
}

# `attr-char` of RFC 8187 beside letters and digits.
UNESCAPED = "!#$&+-.^_`|~"


def file_name_of(text: str) -> str:
    """A name that every system takes, as like `text` as can be: at most 180 bytes of UTF-8, its extension kept.

    What cannot be in a name becomes `_`, what is not seen is left out; dots and spaces at the ends go, so that nothing is hidden
    and Windows finds it again. `download` where nothing is left.
    """
    composed = unicodedata.normalize("NFC", text)
    seen = "".join(" " if letter.isspace() else letter for letter in composed if _is_seen(letter))
    name = REFUSED.sub("_", " ".join(seen.split())).strip(". ")
    return _cut(name) or NAMELESS


def attachment(file_name: str) -> str:
    """`Content-Disposition` that has `file_name` saved under that name (RFC 6266), made fit by `file_name_of`.

    `filename` is for what does not read `filename*` (RFC 8187), which bears all of it.
    """
    name = file_name_of(file_name)
    return f"attachment; filename=\"{_plain(name)}\"; filename*=UTF-8''{quote(name, safe=UNESCAPED)}"


def file_stem(title: str | None, began_at: datetime) -> str:
    """What a recording's file is called, without its ending: its title as far as it can be, else when it began (UTC)."""
    stem = file_name_of(title or "")
    if stem == NAMELESS:
        return f"Recording {began_at.astimezone(UTC):%Y-%m-%d %H.%M.%S}"
    stem = stem[:LONGEST_STEM].strip(". ")
    return f"_{stem}" if DEVICES.fullmatch(stem) else stem


def ending_of(content_type: str) -> str:
    """The ending of files of this type; `bin` where it is none of ours."""
    return ENDINGS.get(content_type.split(";", 1)[0].strip(), "bin")


def each_once(names: Iterable[tuple[str, str]]) -> Sequence[str]:
    """`(stem, ending)` as names of which no two are the same, also where a system does not tell cases apart."""
    taken = set[str]()
    found = []
    for stem, ending in names:
        name, number = f"{stem}.{ending}", 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem} ({number}).{ending}"
        taken.add(name.casefold())
        found.append(name)
    return found


def _plain(name: str) -> str:
    """What ASCII has for it. A full-width quote becomes a quote on the way: what is refused is looked for once more."""
    base = "".join(letter for letter in unicodedata.normalize("NFKD", name) if not unicodedata.combining(letter))
    return file_name_of(NOT_PLAIN.sub("_", base))


def _is_seen(letter: str) -> bool:
    return letter in JOINERS or letter.isspace() or unicodedata.category(letter) not in UNSEEN


def _cut(name: str) -> str:
    if len(name.encode()) <= LONGEST_NAME_BYTES:
        return name
    extension = found[0] if (found := EXTENSION.search(name)) else ""
    stem = name.removesuffix(extension).encode()[: LONGEST_NAME_BYTES - len(extension)]
    return stem.decode(errors="ignore").rstrip(". " + JOINERS) + extension
