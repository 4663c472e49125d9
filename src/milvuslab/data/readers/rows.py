"""Files of rows that are lines of text: JSONL, CSV, TSV and the one-document-a-line news files of gensim.

A position is `BYTES:LINES`: the byte where the next row begins and the number of lines before it. Lines are read one
at a time within a limit, so memory does not grow with the file; a row that does not fit is reported and left out.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from milvuslab.data.document import Document
from milvuslab.data.readers.columns import Columns, row_fields
from milvuslab.data.readers.source import Source, bad_token, damaged, parse_position
from milvuslab.model.errors import LimitError

__all__ = ["read_csv", "read_jsonl", "read_lee"]


def read_jsonl(source: Source, position: str) -> Iterator[tuple[Document, str]]:
    """One JSON object a line. Columns are looked up in each line, so lines may differ."""
    with source.path.open("rb") as file:
        for line in _lines(source, file, position):
            text = line.decode(source)
            row = None if text is None else _json_object(source, text, line.number)
            if row is None:
                continue
            fields = row_fields(source, row, Columns.find(row, source.columns), line.number)
            document = fields and source.document(row=line.number, **fields)
            if document:
                yield document, line.next_position


def read_lee(source: Source, position: str) -> Iterator[tuple[Document, str]]:
    """One text a line, UTF-8 or latin-1 (`lee.cor` of gensim is latin-1, the others UTF-8); no titles."""
    with source.path.open("rb") as file:
        for line in _lines(source, file, position):
            try:
                text = line.raw.decode("utf-8")
            except UnicodeDecodeError:
                text = line.raw.decode("latin-1")
            if document := source.document(text=text, row=line.number):
                yield document, line.next_position


def read_csv(source: Source, position: str) -> Iterator[tuple[Document, str]]:
    """Rows under a line of column names; comma, semicolon, tab or bar, whichever that line has most of.

    Raises:
        SchemaError: no column holds the text, or the first line is no line of names.
    """
    # The limit belongs to the csv module, not to a reader: it is only ever raised, above the longest row that
    # `_CsvLines` lets through, so that one rule decides what is too long, whatever was read before.
    csv.field_size_limit(max(csv.field_size_limit(), source.row_limit_bytes))
    with source.path.open("rb") as file:
        header = _header(source, file)
        columns = Columns.find(header.names, source.columns)
        if columns.text is None:
            raise damaged(
                source,
                f"no column holds the text, there are {', '.join(header.names)}; name it: columns={{'text': ...}}",
            )
        offset, line_count = parse_position(position, default=(header.end, header.line_count))
        file.seek(_checked_offset(source, offset, position))
        lines = _CsvLines(source, file, offset=offset, line_count=line_count)
        rows = csv.reader(lines, delimiter=header.delimiter)
        while (cells := _next_row(source, rows, lines)) is not None:
            row = _csv_row(source, header.names, cells, lines.first_number)
            fields = row_fields(source, row, columns, lines.first_number) if row else None
            document = fields and source.document(row=lines.first_number, **fields)
            if document:
                yield document, f"{lines.offset}:{lines.line_count}"


class _Line:
    __slots__ = ("_end", "number", "raw")

    def __init__(self, raw: bytes, *, number: int, end: int) -> None:
        self.raw = raw
        self.number = number
        self._end = end

    @property
    def next_position(self) -> str:
        return f"{self._end}:{self.number}"

    def decode(self, source: Source) -> str | None:
        return source.decode(self.raw, row=self.number)


def _lines(source: Source, file: BinaryIO, position: str) -> Iterator[_Line]:
    offset, number = parse_position(position, default=(0, 0))
    file.seek(_checked_offset(source, offset, position))
    while raw := file.readline(source.line_limit_bytes):
        number += 1
        offset += len(raw)
        if not raw.endswith(b"\n") and len(raw) == source.line_limit_bytes:
            while rest := file.readline(1 << 20):
                offset += len(rest)
                if rest.endswith(b"\n"):
                    break
            source.skip("too long", f"the line is longer than {source.line_limit_bytes:,} bytes", row=number)
        elif raw.strip():
            yield _Line(raw, number=number, end=offset)


def _checked_offset(source: Source, offset: int, position: str) -> int:
    if offset > source.path.stat().st_size:
        raise bad_token(position)
    return offset


def _json_object(source: Source, text: str, number: int) -> dict[str, Any] | None:
    try:
        row = json.loads(text)
    except (ValueError, RecursionError) as error:
        source.skip("row", f"no JSON: {error}", row=number)
        return None
    if not isinstance(row, dict):
        source.skip("row", f"a JSON {type(row).__name__} where an object is expected", row=number)
        return None
    return row


class _Header:
    __slots__ = ("delimiter", "end", "line_count", "names")

    def __init__(self, names: list[str], *, delimiter: str, end: int, line_count: int) -> None:
        self.names = names
        self.delimiter = delimiter
        self.end = end
        self.line_count = line_count


def _header(source: Source, file: BinaryIO) -> _Header:
    first = file.readline(source.line_limit_bytes)
    if first.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise damaged(source, "it is UTF-16; save it as UTF-8")
    try:
        text = first.removeprefix(b"\xef\xbb\xbf").decode(source.encoding)
    except (UnicodeDecodeError, LookupError):
        raise damaged(source, f"its first line is not {source.encoding}; Korean files are often cp949") from None
    delimiter = max(",;\t|", key=text.count)
    # The names may themselves hold line ends inside quotes.
    file.seek(3 if first.startswith(b"\xef\xbb\xbf") else 0)
    lines = _CsvLines(source, file, offset=file.tell(), line_count=0)
    try:
        names = [name.strip() for name in next(csv.reader(lines, delimiter=delimiter), [])]
    except csv.Error as error:
        raise damaged(source, f"its first line is no line of column names: {error}") from None
    return _Header(names, delimiter=delimiter, end=lines.offset, line_count=lines.line_count)


class _CsvLines:
    """Lines for the csv module, which takes as many as a row needs; counts what was taken."""

    def __init__(self, source: Source, file: BinaryIO, *, offset: int, line_count: int) -> None:
        self._source = source
        self._file = file
        self.offset = offset
        self.line_count = line_count
        self.first_number = line_count + 1
        self._row_bytes = 0

    def begin_row(self) -> None:
        """Forgets the row before."""
        self.first_number = self.line_count + 1
        self._row_bytes = 0

    def __iter__(self) -> _CsvLines:
        return self

    def __next__(self) -> str:
        raw = self._file.readline(self._source.line_limit_bytes)
        if not raw:
            raise StopIteration
        self.offset += len(raw)
        self.line_count += 1
        self._row_bytes += len(raw)
        if self._row_bytes >= self._source.row_limit_bytes:
            raise LimitError(
                f"{self._source.name}: the row that begins in line {self.first_number} does not end within "
                f"{self._row_bytes:,} bytes",
                hint="a quote that is never closed does this; close it or raise document_limit_chars",
            )
        return raw.decode(self._source.encoding, "surrogateescape")


def _next_row(source: Source, rows: Any, lines: _CsvLines) -> list[str] | None:
    while True:
        lines.begin_row()
        try:
            cells: list[str] | None = next(rows, None)
        except csv.Error as error:
            source.skip("row", f"no CSV row: {error}", row=lines.first_number)
            continue
        if cells != []:  # an empty line
            return cells


def _csv_row(source: Source, names: list[str], cells: list[str], number: int) -> Mapping[str, Any] | None:
    if len(cells) != len(names):
        source.skip("row", f"{len(cells)} cells under {len(names)} column names", row=number)
        return None
    if any("\udc80" <= character <= "\udcff" for cell in cells for character in cell):
        source.skip("encoding", f"it holds bytes that are not {source.encoding}; pass the encoding", row=number)
        return None
    return dict(zip(names, cells, strict=True))
