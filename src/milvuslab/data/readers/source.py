"""What every reader is given, and how it hands back a document or says why not."""

from __future__ import annotations

import codecs
import dataclasses
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from milvuslab.data.document import Document, clean_text, clean_title, make_document_id
from milvuslab.data.language import detect_language
from milvuslab.model.errors import MilvusLabError, SchemaError, UsageError

__all__ = [
    "Reader",
    "SkipKind",
    "Skipped",
    "Source",
    "bad_token",
    "damaged",
    "first_line",
    "log_skipped",
    "parse_position",
]

_log = logging.getLogger("milvuslab.data")

SkipKind = Literal[
    "empty", "encoding", "field", "file", "format", "language", "namespace", "redirect", "row", "too long"
]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """Something a reader did not take.

    Attributes:
        kind: one word to count by. `redirect` and `namespace` are ordinary in a MediaWiki dump and `language` in a
            translation that is not finished; the others are faults.
        name: path of the file within the source.
        row: line number (text rows), row number (Parquet, from 1) or page id (MediaWiki); None for a whole file.
        reason: one sentence for a person, naming the value.
    """

    kind: SkipKind
    name: str
    row: int | None
    reason: str

    @property
    def is_fault(self) -> bool:
        """Whether a person should look at it."""
        return self.kind not in ("language", "namespace", "redirect")


def log_skipped(skipped: Skipped) -> None:
    """Writes what was skipped to the log `milvuslab.data`: faults as warnings, the ordinary at debug level."""
    level = logging.WARNING if skipped.is_fault else logging.DEBUG
    where = skipped.name if skipped.row is None else f"{skipped.name}:{skipped.row}"
    _log.log(level, "%s skipped: %s", where, skipped.reason)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file and what is known about it.

    Attributes:
        path: where it lies.
        name: its path within the source, with `/`: part of document ids and resume tokens, so it does not depend on
            where the folder lies.
        source: what documents carry as their source; empty takes what the file itself says, else its name.
        language: what documents carry where a row does not say; None detects it.
        encoding: of text files.
        document_limit_chars: longer documents are skipped.
        columns: our field to their column, for rows.
        url: address the file came from, for documents that name none.
        url_base: address below which files can be read under their names; used where `url` is empty.
        on_skip: told of everything that is not taken.
    """

    path: Path
    name: str
    source: str
    language: str | None
    encoding: str = "utf-8"
    document_limit_chars: int
    columns: Mapping[str, str] = dataclasses.field(default_factory=dict)
    url: str = ""
    url_base: str = ""
    on_skip: Callable[[Skipped], None] = log_skipped

    @property
    def line_limit_bytes(self) -> int:
        """Longest line that can still hold a document: JSON writes a character with up to 12 bytes."""
        return 12 * self.document_limit_chars + 65_536

    @property
    def row_limit_bytes(self) -> int:
        """Longest row of several lines that is read: a quote that is never closed would take the whole file."""
        return 2 * self.line_limit_bytes

    def named(self, name: str) -> Source:
        """The same with another name for documents to carry."""
        return dataclasses.replace(self, source=name)

    def file(self, *, path: Path, name: str) -> Source:
        """The same for a file of this folder."""
        return dataclasses.replace(self, path=path, name=name)

    def skip(self, kind: SkipKind, reason: str, *, row: int | None = None) -> None:
        """Reports something that is not taken."""
        self.on_skip(Skipped(kind=kind, name=self.name, row=row, reason=reason))

    def document(
        self,
        *,
        text: str,
        title: str = "",
        row: int | None = None,
        own_id: str = "",
        language: str | None = None,
        url: str = "",
        published_at_s: int | None = None,
    ) -> Document | None:
        """The cleaned document; None, and a report, when it is empty, too long or breaks a rule of `Document`.

        Args:
            row: line or row number, for the report; also part of the id when there is no `own_id`.
            own_id: id that the row carries itself.
        """
        text = clean_text(text)
        if not text:
            self.skip("empty", "there is no text", row=row)
            return None
        if len(text) > self.document_limit_chars:
            self.skip(
                "too long",
                f"{len(text):,} characters, allowed are {self.document_limit_chars:,} (document_limit_chars)",
                row=row,
            )
            return None
        source = self.source or Path(self.name).name.split(".")[0][:64] or "documents"
        path, row_id = ("", own_id) if own_id else (self.name, "" if row is None else str(row))
        try:
            return Document(
                document_id=make_document_id(source=source, path=path, row=row_id),
                title=clean_title(title) or first_line(text),
                text=text,
                language=(language or self.language or detect_language(text)).lower().replace("_", "-").split("-")[0],
                source=source,
                url=url or self.url or (self.url_base and self.url_base + quote(self.name)),
                published_at_s=published_at_s,
            )
        except SchemaError as error:
            self.skip("field", f"{error.message} ({error.hint})", row=row)
            return None

    def read_all(self) -> str | None:
        """The whole file as text; None, and a report, when it is too large or not in its encoding."""
        size_bytes = self.path.stat().st_size
        if size_bytes > self.line_limit_bytes:
            self.skip("too long", f"{size_bytes:,} bytes, allowed are {self.line_limit_bytes:,} (document_limit_chars)")
            return None
        return self.decode(self.path.read_bytes())

    def decode(self, raw: bytes, *, row: int | None = None, encoding: str = "") -> str | None:
        """The bytes as text; None, and a report, when they are not in the encoding."""
        name = encoding or _encoding_of_mark(raw) or self.encoding
        try:
            return raw.decode(name)
        except UnicodeDecodeError as error:
            self.skip(
                "encoding",
                f"byte {error.start} (0x{raw[error.start]:02x}) is not {name}; "
                "pass the encoding: Korean files are often cp949, old English ones latin-1",
                row=row,
            )
        except LookupError:
            self.skip("encoding", f"there is no encoding {name!r}", row=row)
        return None


Reader = Callable[[Source, str], Iterator[tuple[Document, str]]]
"""From a source and a position (empty for the start) to documents, each with the position behind it."""


def first_line(text: str) -> str:
    """A title for a text that has none: its first line, cut to 80 characters at a blank."""
    line = text.split("\n", 1)[0].strip()
    if len(line) <= 80:
        return line
    cut = line.rfind(" ", 40, 80)
    return line[: cut if cut > 0 else 79].rstrip(" ,;:") + "…"


def _encoding_of_mark(raw: bytes) -> str:
    if raw.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    return "utf-16" if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else ""


def parse_position(position: str, *, default: tuple[int, int]) -> tuple[int, int]:
    """The two numbers of a position `A:B`; the default for an empty one.

    Raises:
        UsageError: it is none of ours.
    """
    if not position:
        return default
    match = re.fullmatch(r"(\d{1,18}):(\d{1,18})", position)
    if match is None:
        raise bad_token(position)
    return int(match[1]), int(match[2])


def bad_token(token: str) -> UsageError:
    """The error for a resume token that is none of this source's."""
    return UsageError(
        f"{token[:80]!r} is no place in this source",
        hint="pass a resume_token of the same source unchanged, or none to begin at the start",
    )


def damaged(source: Source, what: str) -> MilvusLabError:
    """The error for a file that cannot be read at all."""
    return SchemaError(f"{source.name} cannot be read: {what}", hint="check the file, or name its format")
