"""Sizes, times and counts in words for people, and texts of others made harmless for a terminal."""

from datetime import UTC, datetime, timedelta

_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")
_SPANS = ((86_400, "d"), (3_600, "h"), (60, "min"))
# Of a span below it, fractions matter.
SHORT_S = 10.0


def size(count: int) -> str:
    """Bytes in decimal units, as stores count them: “5.2 MB”."""
    value, unit = float(count), 0
    while round(value, 1) >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{count:,} bytes" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"


def span(length: timedelta | float) -> str:
    """A length of time, rounded to what matters: “0.25 s”, “42 s”, “3 min”, “2 d”. A number is of seconds."""
    seconds = length.total_seconds() if isinstance(length, timedelta) else length
    for unit_s, name in _SPANS:
        if seconds >= 2 * unit_s:
            return f"{seconds / unit_s:.0f} {name}"
    return f"{seconds:.2f} s" if seconds < SHORT_S else f"{seconds:.0f} s"


def at(time: datetime | None) -> str:
    """A time in UTC as ISO 8601 writes it, to the second; empty where there is none."""
    return "" if time is None else time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def counted(count: int, one: str, many: str = "") -> str:
    """“1 chunk”, “1,200 chunks”; `many` where it is not `one` with an s."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def plain(text: str) -> str:
    """What somebody else wrote, without what would move a terminal's cursor or begin a new line."""
    return "".join(character if character.isprintable() else "�" for character in text)


def sentence(text: str) -> str:
    """What somebody else wrote, made harmless, with an end."""
    shown = plain(text)
    return shown if shown.endswith((".", "?", "!", ":")) else f"{shown}."


def listed(parts: list[str]) -> str:
    """“a”, “a and b”, “a, b and c”."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
