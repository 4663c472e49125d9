"""A document as every reader gives it, and the place in its source after which reading goes on."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import unicodedata
from urllib.parse import urlsplit

from milvuslab.model.errors import SchemaError

__all__ = ["TITLE_LIMIT_CHARS", "Document", "Item", "clean_text", "clean_title", "make_document_id"]

TITLE_LIMIT_CHARS = 300
"""Longest title; a longer one is cut by `clean_title`. MediaWiki's own limit is 255 bytes (mediawiki.org, Manual:Page title)."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x9f\ufeff\ufffe\uffff]|[\ud800-\udfff]")
_BLANK_LINES = re.compile(r"\n[ \t]*\n(?:[ \t]*\n)+")
_TRAILING = re.compile(r"[ \t]+\n")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One text with its title and where it came from.

    Attributes:
        document_id: the same for the same row of the same source, whenever and wherever it is read; 1 to 128 of
            `A-Z a-z 0-9 . _ : -`, so it can stand in a path of a URL.
        title: one line, at most `TITLE_LIMIT_CHARS` characters.
        text: plain text in NFC, not blank. Paragraphs are separated by an empty line.
        language: primary language subtag (BCP 47): `en`, `ko`.
        source: name of the collection of texts it belongs to, at most 64 characters.
        url: where a person can read it, `http` or `https`; empty when nowhere.
        published_at_s: Unix seconds UTC of its last change; None when unknown.

    Raises:
        SchemaError: one of them is not so.
    """

    document_id: str
    title: str
    text: str
    language: str
    source: str
    url: str = ""
    published_at_s: int | None = None

    def __post_init__(self) -> None:
        _require(_ID.fullmatch(self.document_id), "document_id", self.document_id, "1 to 128 of A-Z a-z 0-9 . _ : -")
        _require(
            self.title.strip() and "\n" not in self.title and len(self.title) <= TITLE_LIMIT_CHARS,
            "title",
            self.title,
            f"one line, not blank, at most {TITLE_LIMIT_CHARS} characters",
        )
        _require(self.text.strip(), "text", self.text, "not blank")
        _require(unicodedata.is_normalized("NFC", self.text), "text", self.text, "in NFC: pass it through clean_text")
        _require(_CONTROL.search(self.text) is None, "text", self.text, "without control characters and surrogates")
        _require(_LANGUAGE.fullmatch(self.language), "language", self.language, "a language subtag such as en or ko")
        _require(
            self.source.strip() and self.source.isprintable() and len(self.source) <= 64,
            "source",
            self.source,
            "printable, not blank, at most 64 characters",
        )
        _require(not self.url or _is_web_address(self.url), "url", self.url, "empty or an http(s) address")
        _require(
            self.published_at_s is None or abs(self.published_at_s) < 10**11,
            "published_at_s",
            str(self.published_at_s),
            "Unix seconds, not milliseconds",
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Item:
    """A document and the token to pass to the reader to go on after it."""

    document: Document
    resume_token: str


def make_document_id(*, source: str, path: str = "", row: str = "") -> str:
    """Id of the row `row` of the file `path` of `source`: always the same for the same three.

    A row that has an id of its own (a column, a MediaWiki page id) passes no path and keeps its id readable;
    all others get 16 hexadecimal digits of SHA-256 over path and row.

    >>> make_document_id(source="wikipedia", row="12")
    'wikipedia-12'
    >>> make_document_id(source="notes", path="2024/plan.md")
    'notes-c128a99349e1c999'
    """
    prefix = re.sub(r"[^A-Za-z0-9._]+", "-", source).strip("-._")[:48]
    if prefix == source and not path and re.fullmatch(r"[A-Za-z0-9._-]{1,64}", row):
        return f"{prefix}-{row}"
    key = "\0".join((unicodedata.normalize("NFC", path), row, *(() if prefix == source else (source,))))
    return f"{prefix or 'doc'}-{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def clean_text(text: str) -> str:
    r"""The text in NFC with plain line ends, without control characters, byte order marks and lone surrogates.

    >>> clean_text("\ufeffe\u0301\r\n\n\n\nnext \x00")
    'é\n\nnext'
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n\n")
    # Removed before composing: a control character between a letter and its accent would keep them apart.
    composed = unicodedata.normalize("NFC", _CONTROL.sub("", lines))
    return _BLANK_LINES.sub("\n\n", _TRAILING.sub("\n", composed)).strip()


def clean_title(title: str) -> str:
    """The title in NFC on one line, cut at `TITLE_LIMIT_CHARS`; may be empty."""
    line = " ".join(clean_text(title).split())
    return line if len(line) <= TITLE_LIMIT_CHARS else line[: TITLE_LIMIT_CHARS - 1].rstrip() + "…"


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and len(url) <= 2048 and url.isprintable()


def _require(holds: object, field: str, value: str, rule: str) -> None:
    if not holds:
        shown = value if len(value) <= 60 else value[:57] + "..."
        raise SchemaError(f"{field} of a document is {shown!r}", hint=f"{field} must be {rule}")
