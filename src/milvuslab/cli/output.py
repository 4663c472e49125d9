"""Values as text for a person: tables with the right width for Korean, sizes, durations, times."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone

__all__ = ["cell_width", "format_bytes", "format_duration", "format_time", "pad", "shorten", "table"]


def table(head: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str = "none") -> Iterator[str]:
    """Lines of a table with aligned columns; numbers stand on the right.

    >>> list(table(["name", "rows"], [["문서", 12], ["text_en", 1500]]))
    ['name      rows', '문서        12', 'text_en  1,500']
    """
    if not rows:
        yield empty
        return
    cells = [[_text(value) for value in row] for row in rows]
    widths = [max(cell_width(row[column]) for row in [list(head), *cells]) for column in range(len(head))]
    is_number = [all(isinstance(row[column], int | float) for row in rows) for column in range(len(head))]
    for line in [list(head), *cells]:
        yield "  ".join(
            pad(cell, width, is_right=right) for cell, width, right in zip(line, widths, is_number, strict=True)
        ).rstrip()


def cell_width(text: str) -> int:
    """Columns that the text takes in a terminal: Hangul and Han take two, combining marks none.

    >>> cell_width("한글 ok")
    7
    """
    return sum(_letter_width(letter) for letter in text)


def pad(text: str, width: int, *, is_right: bool = False) -> str:
    """The text filled with blanks to that many columns."""
    blanks = " " * max(0, width - cell_width(text))
    return blanks + text if is_right else text + blanks


def shorten(text: str, width: int) -> str:
    """The text on one line, cut to that many columns with an ellipsis.

    >>> shorten("벡터 데이터베이스", 8)
    '벡터 데…'
    """
    line = " ".join(text.split())
    if cell_width(line) <= width:
        return line
    kept, used = [], 0
    for letter in line:
        used += _letter_width(letter)
        if used > width - 1:
            break
        kept.append(letter)
    return "".join(kept).rstrip() + "…"


def format_bytes(size_bytes: float | None) -> str:
    """A size in the unit that keeps it short; powers of ten.

    >>> format_bytes(213_400_000), format_bytes(None)
    ('213 MB', '-')
    """
    if size_bytes is None:
        return "-"
    for unit in ("B", "kB", "MB"):
        if abs(size_bytes) < 1000:
            return f"{size_bytes:.0f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} GB"


def format_duration(duration_s: float | None) -> str:
    """A duration in its two largest units.

    >>> format_duration(3.21), format_duration(75), format_duration(93_600)
    ('3.2 s', '1 min 15 s', '1 d 2 h')
    """
    if duration_s is None:
        return "-"
    if duration_s < 60:
        return f"{duration_s:.1f} s"
    minutes, seconds = divmod(int(duration_s), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"


def format_time(unix_s: float | None) -> str:
    """A time in UTC to the minute.

    >>> format_time(0)
    '1970-01-01 00:00'
    """
    if unix_s is None:
        return "-"
    return datetime.fromtimestamp(unix_s, tz=timezone.utc).strftime("%Y-%m-%d %H:%M")


def _text(value: object) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def _letter_width(letter: str) -> int:
    if unicodedata.combining(letter) or unicodedata.category(letter) in ("Cf", "Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in ("W", "F") else 1
