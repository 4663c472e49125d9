"""One file, a folder of files, or an address: which reader reads what, in which order, from which place on."""

from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from milvuslab.data.document import Item
from milvuslab.data.readers.mediawiki import read_mediawiki
from milvuslab.data.readers.parquet import read_parquet
from milvuslab.data.readers.prose import read_html, read_markdown, read_text
from milvuslab.data.readers.rows import read_csv, read_jsonl, read_lee
from milvuslab.data.readers.source import Reader, Source, bad_token
from milvuslab.model.errors import NotFoundError, PartialError, SchemaError, UnsupportedError, UsageError, suggest

__all__ = ["FORMATS", "Format", "checked_path", "format_of", "named_format", "read_folder", "read_one", "split_token"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A format by name.

    Attributes:
        endings: of file names, in lower case.
        content_types: of web answers.
    """

    name: str
    read: Reader
    endings: tuple[str, ...]
    content_types: tuple[str, ...] = ()


FORMATS: dict[str, Format] = {
    entry.name: entry
    for entry in (
        Format(name="mediawiki", read=read_mediawiki, endings=(".xml", ".xml.bz2", ".xml.gz", ".bz2"),
               content_types=("application/xml", "text/xml", "application/x-bzip2")),
        Format(name="text", read=read_text, endings=(".txt", ".text"), content_types=("text/plain",)),
        Format(name="markdown", read=read_markdown, endings=(".md", ".markdown"), content_types=("text/markdown",)),
        Format(name="html", read=read_html, endings=(".html", ".htm", ".xhtml"),
               content_types=("text/html", "application/xhtml+xml")),
        Format(name="jsonl", read=read_jsonl, endings=(".jsonl", ".ndjson"),
               content_types=("application/jsonl", "application/x-ndjson")),
        Format(name="csv", read=read_csv, endings=(".csv", ".tsv"), content_types=("text/csv", "text/tab-separated-values")),
        Format(name="parquet", read=read_parquet, endings=(".parquet",), content_types=("application/vnd.apache.parquet",)),
        Format(name="lee", read=read_lee, endings=(".cor",)),
    )
}  # fmt: skip
"""Formats that can be read, by name."""


def format_of(name: str, *, content_type: str = "") -> Format | None:
    """The format of a file by the ending of its name, else by its content type; None when neither is known."""
    lower = name.lower()
    fitting = [entry for entry in FORMATS.values() if lower.endswith(entry.endings)]
    if fitting:
        return fitting[0]
    kind = content_type.split(";", maxsplit=1)[0].strip().lower()
    return next((entry for entry in FORMATS.values() if kind in entry.content_types), None)


def read_one(source: Source, *, format: Format | None, token: str) -> Iterator[Item]:
    """Documents of one file; a token is `POSITION@NAME`.

    Raises:
        UnsupportedError: `format` is None and the ending of the name is not known.
        UsageError: the token belongs to another source.
    """
    chosen = format or format_of(source.name)
    if chosen is None:
        raise UnsupportedError(
            f"reading {source.name}",
            needs="a known ending or a named format",
            has=f"the ending {Path(source.name).suffix!r}",
            hint=f"pass format: {', '.join(FORMATS)}",
        )
    position, name = split_token(token)
    if token and name != source.name:
        raise bad_token(token)
    for document, behind in chosen.read(source, position):
        yield Item(document, f"{behind}@{source.name}")


def read_folder(source: Source, *, format: Format | None, token: str) -> Iterator[Item]:
    """Documents of every file of known format below a folder, by name; what cannot be read is reported and passed.

    Hidden files and folders, and links that lead out of the folder, are left out.
    """
    position, reached = split_token(token)
    for name, path in _files(source.path):
        if name < reached:
            continue
        inner = source.file(path=path, name=name)
        if not path.resolve().is_relative_to(source.path.resolve()):
            inner.skip("file", "it is a link that leads out of the folder")
            continue
        if format is None and format_of(name) is None:
            inner.skip("format", f"the ending {path.suffix!r} is none we know")
            continue
        try:
            yield from read_one(inner, format=format, token=f"{position}@{name}" if name == reached else "")
        except (SchemaError, PartialError) as error:
            inner.skip("file", error.message)
        except OSError as error:
            inner.skip("file", str(error))


def split_token(token: str) -> tuple[str, str]:
    """Position and file name of a token; both empty for an empty one.

    Raises:
        UsageError: it has no name.
    """
    position, at, name = token.partition("@")
    if token and not (at and position and name):
        raise bad_token(token)
    return position, name


def named_format(name: str | None) -> Format | None:
    """The format of that name, None for None.

    Raises:
        UsageError: there is none.
    """
    if name is not None and name not in FORMATS:
        raise UsageError(f"there is no format {name!r}", hint=suggest(name, FORMATS))
    return None if name is None else FORMATS[name]


def checked_path(path: Path) -> Path:
    """The path when something is there.

    Raises:
        NotFoundError: nothing is there.
    """
    if not path.exists():
        raise NotFoundError(f"there is no file or folder {path}", hint="check the path, or pass an http(s) address")
    return path


def _files(folder: Path) -> list[tuple[str, Path]]:
    found = []
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        if path.is_file() and not any(part.startswith(".") for part in parts):
            # NFC: macOS may hand out decomposed Korean names, and a name is part of ids.
            found.append((unicodedata.normalize("NFC", "/".join(parts)), path))
    return sorted(found)
