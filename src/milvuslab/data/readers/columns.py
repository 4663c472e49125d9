"""Which column of a row is which field of a document, and its values turned into ours."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from collections.abc import Iterable, Mapping
from typing import Any

from milvuslab.data.readers.source import Source
from milvuslab.model.errors import UsageError, suggest

__all__ = ["FIELD_COLUMNS", "Columns", "row_fields", "to_unix_s"]

FIELD_COLUMNS: dict[str, tuple[str, ...]] = {
    "text": ("text", "body", "content", "passage", "article", "document", "본문", "내용"),
    "title": ("title", "headline", "subject", "name", "제목"),
    "id": ("id", "_id", "document_id", "doc_id"),
    "language": ("language", "lang"),
    "url": ("url", "link"),
    "published_at": ("published_at", "published", "date", "timestamp", "created_at"),
}
"""Column names tried for each field, in order, when the caller names none."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Name of the column of each field; None where there is none."""

    text: str | None
    title: str | None
    id: str | None
    language: str | None
    url: str | None
    published_at: str | None

    @classmethod
    def find(cls, names: Iterable[str], given: Mapping[str, str]) -> Columns:
        """The columns among `names`; `given` (our field to their column) decides before the usual names.

        Raises:
            UsageError: `given` names a field that is none of ours.
        """
        for field in given:
            if field not in FIELD_COLUMNS:
                raise UsageError(f"a document has no field {field!r}", hint=suggest(field, FIELD_COLUMNS))
        there = set(names)
        found = {
            field: given[field]
            if field in given and given[field] in there
            else None
            if field in given
            else next((name for name in usual if name in there), None)
            for field, usual in FIELD_COLUMNS.items()
        }
        return cls(**found)


def row_fields(source: Source, row: Mapping[str, Any], columns: Columns, number: int) -> dict[str, Any] | None:
    """Arguments of `Source.document` from a row; None, and a report, when the row cannot be taken."""
    text = row.get(columns.text) if columns.text else None
    if not isinstance(text, str):
        wanted = source.columns.get("text", "text")
        what = f"no column {wanted!r}" if columns.text is None else f"{columns.text!r} is {_shown(text)}, not a text"
        source.skip("row", what, row=number)
        return None
    try:
        published_at_s = to_unix_s(row.get(columns.published_at) if columns.published_at else None)
    except ValueError as error:
        source.skip("field", f"{columns.published_at!r}: {error}", row=number)
        return None
    return {
        "text": text,
        "title": _string(row, columns.title),
        "own_id": _string(row, columns.id),
        "language": _string(row, columns.language) or None,
        "url": _string(row, columns.url),
        "published_at_s": published_at_s,
    }


def to_unix_s(value: Any) -> int | None:
    """Unix seconds UTC from a number of seconds, an ISO 8601 text, a date or a datetime; None from nothing.

    A time without a zone counts as UTC. Numbers from 10^11 on count as milliseconds: as seconds they would lie beyond
    the year 5000.

    Raises:
        ValueError: it is no time.

    >>> to_unix_s("2024-02-29T12:00:00Z"), to_unix_s("2024-02-29"), to_unix_s(1_709_208_000_000), to_unix_s("")
    (1709208000, 1709164800, 1709208000, None)
    """
    if value is None or value == "":
        return None
    if isinstance(value, dt.datetime):
        return int((value if value.tzinfo else value.replace(tzinfo=dt.timezone.utc)).timestamp())
    if isinstance(value, dt.date):
        return to_unix_s(dt.datetime(value.year, value.month, value.day, tzinfo=dt.timezone.utc))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise ValueError(f"{value} is no time")
        seconds = int(value / 1000 if abs(value) >= 10**11 else value)
        if abs(seconds) >= 10**11:
            raise ValueError(f"{value} is no time")
        return seconds
    if isinstance(value, str):
        return _from_iso(value.strip())
    raise ValueError(f"{_shown(value)} is no time")


def _from_iso(value: str) -> int | None:
    try:
        return to_unix_s(float(value))
    except ValueError:
        pass
    try:
        # Python 3.10 does not know the Z.
        return to_unix_s(dt.datetime.fromisoformat(value.removesuffix("Z") + ("+00:00" if value[-1:] == "Z" else "")))
    except (ValueError, OverflowError):
        raise ValueError(f"{value[:40]!r} is no time; write 2024-02-29T12:00:00Z or Unix seconds") from None


def _string(row: Mapping[str, Any], column: str | None) -> str:
    value = row.get(column) if column else None
    return "" if value is None else str(value).strip()


def _shown(value: Any) -> str:
    return "missing" if value is None else f"{type(value).__name__} {str(value)[:40]!r}"
