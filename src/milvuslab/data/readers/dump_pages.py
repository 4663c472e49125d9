"""Pages of a MediaWiki XML export, streamed by expat: plain, gzip, bz2 and multistream bz2.

Memory holds one page and one block of 256 KiB. A position is `BYTES:PAGES`: where the compressed stream begins (0 for
anything that is not multistream) and how many pages after that point have been read. In a multistream dump the first
stream holds only the head and each further one about 100 pages, so going on costs at most 100 pages; elsewhere the
pages before are parsed again, without being cleaned.

A document type declaration is refused: exports have none, and entities are how XML is made to explode.
Format: https://www.mediawiki.org/wiki/Help:Export, https://meta.wikimedia.org/wiki/Data_dumps.
"""

from __future__ import annotations

import bz2
import dataclasses
import zlib
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO
from xml.parsers import expat

__all__ = ["DumpDamagedError", "Page", "Site", "iterate_pages", "read_site"]

_BLOCK_BYTES = 1 << 18
_HEAD_LIMIT_BYTES = 1 << 20


class DumpDamagedError(Exception):
    """The dump ends early or is no XML; internal, the reader turns it into an error for people."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What the head of a dump says.

    Attributes:
        name: database name, `enwiki`; empty when the head has none.
        language: value of `xml:lang`, may be empty.
        base_url: address pages hang below, ending in `/`; empty when unknown.
        is_multistream: whether the head is a compressed stream of its own.
    """

    name: str = ""
    language: str = ""
    base_url: str = ""
    is_multistream: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page with the text of its last revision, as markup.

    Attributes:
        page_id: digits.
        is_too_long: the markup passed the limit; `markup` is then empty.
        position: where to go on behind this page.
    """

    page_id: str
    namespace: str
    title: str
    is_redirect: bool
    model: str
    markup: str
    is_too_long: bool
    changed_at: str
    position: str


def read_site(path: Path) -> Site:
    """The head of a dump.

    Raises:
        DumpDamagedError: the file does not begin like a MediaWiki export.
    """
    parser = _PageParser(markup_limit_chars=0)
    size_bytes = 0
    try:
        with path.open("rb") as file:
            for _, piece, ends_stream in _pieces(file, 0):
                parser.feed(piece)
                size_bytes += len(piece)
                if ends_stream and parser.head_ended and not parser.page_began:
                    return dataclasses.replace(parser.site(), is_multistream=True)
                if parser.page_began or size_bytes > _HEAD_LIMIT_BYTES:
                    break
    except DumpDamagedError:
        # Damage behind the head is for the reading of pages to report, after the pages before it.
        if not parser.is_export:
            raise
    if not parser.is_export:
        raise DumpDamagedError("it does not begin with <mediawiki>")
    return parser.site()


def iterate_pages(
    path: Path, site: Site, *, stream_offset: int, skip_pages: int, markup_limit_chars: int
) -> Iterator[Page]:
    """Pages in their order, from a position on.

    Raises:
        DumpDamagedError: after the last whole page, when what follows is damaged or missing.
    """
    parser = _PageParser(markup_limit_chars=markup_limit_chars)
    parser.begin_stream(stream_offset, has_head=stream_offset == 0)
    try:
        with path.open("rb") as file:
            for offset, piece, _ in _pieces(file, stream_offset):
                if site.is_multistream and offset != parser.stream_offset:
                    parser.begin_stream(offset, has_head=False)
                    skip_pages = skip_pages if offset == stream_offset else 0
                parser.feed(piece)
                while parser.pages:
                    skip_pages -= 1
                    page = parser.pages.popleft()
                    if skip_pages < 0:
                        yield page
    except DumpDamagedError:
        while parser.pages:
            skip_pages -= 1
            page = parser.pages.popleft()
            if skip_pages < 0:
                yield page
        raise
    if not parser.is_closed:
        raise DumpDamagedError("it ends before </mediawiki>")


def _pieces(file: BinaryIO, start: int) -> Iterator[tuple[int, bytes, bool]]:
    """Unpacked blocks, each with the offset of its bz2 stream and whether that ends with it; 0 and False elsewhere."""
    file.seek(0)
    mark = file.read(3)
    file.seek(start)
    try:
        if mark == b"BZh":
            yield from _bz2_pieces(file, start)
        elif mark[:2] == b"\x1f\x8b":
            yield from _gzip_pieces(file)
        else:
            while piece := file.read(_BLOCK_BYTES):
                yield 0, piece, False
    except (OSError, EOFError, zlib.error) as error:
        raise DumpDamagedError(f"its compression is damaged near byte {file.tell():,}: {error}") from error


def _gzip_pieces(file: BinaryIO) -> Iterator[tuple[int, bytes, bool]]:
    import gzip

    with gzip.open(file) as unpacked:
        while piece := unpacked.read(_BLOCK_BYTES):
            yield 0, piece, False


def _bz2_pieces(file: BinaryIO, start: int) -> Iterator[tuple[int, bytes, bool]]:
    unread = b""
    offset = start
    while unread or (unread := file.read(_BLOCK_BYTES)):
        stream = bz2.BZ2Decompressor()
        while not stream.eof:
            if stream.needs_input:
                raw = unread or file.read(_BLOCK_BYTES)
                if not raw:
                    raise DumpDamagedError("its last compressed stream ends early")
                unread = b""
            else:
                raw = b""
            piece = stream.decompress(raw, _BLOCK_BYTES)
            if piece or stream.eof:
                yield offset, piece, stream.eof
        unread = stream.unused_data
        offset = file.tell() - len(unread)


class _PageParser:
    """Collects pages from XML fed in pieces."""

    _TEXTS = frozenset(("title", "ns", "id", "timestamp", "model", "text", "dbname", "base"))

    def __init__(self, *, markup_limit_chars: int) -> None:
        self._markup_limit_chars = markup_limit_chars
        self.pages: deque[Page] = deque()
        self.stream_offset = 0
        self.is_export = self.head_ended = self.page_began = self.is_closed = False
        self._head: dict[str, str] = {}
        self._page: dict[str, str] = {}
        self.begin_stream(0, has_head=True)

    def begin_stream(self, offset: int, *, has_head: bool) -> None:
        """Starts afresh at a stream; one without a head gets a root, so that its pages stand in a document."""
        self.stream_offset = offset
        self._page_count = 0
        self._path: list[str] = []
        self._parts: list[str] | None = None
        self._part_chars = 0
        self._expat = expat.ParserCreate("utf-8")
        self._expat.buffer_text = True
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end
        self._expat.CharacterDataHandler = self._characters
        self._expat.StartDoctypeDeclHandler = self._refuse_doctype
        if not has_head:
            self._expat.Parse(b"<mediawiki>")

    def feed(self, piece: bytes) -> None:
        """Takes the next bytes; whole pages appear in `pages`."""
        if self.is_closed and not piece.strip():
            return
        try:
            self._expat.Parse(piece)
        except expat.ExpatError as error:
            raise DumpDamagedError(f"its XML is damaged: {error}") from error

    def site(self) -> Site:
        """What the head said."""
        base = self._head.get("base", "")
        return Site(
            name=self._head.get("dbname", ""),
            language=self._head.get("lang", ""),
            base_url=base.rpartition("/")[0] + "/",
        )

    def _refuse_doctype(self, *_: Any) -> None:
        raise DumpDamagedError("it has a document type declaration, which no export has")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._path.append(name)
        depth = len(self._path)
        if depth == 1 and name == "mediawiki":
            self.is_export = True
            self._head["lang"] = attributes.get("xml:lang", self._head.get("lang", ""))
        elif depth == 2 and name == "page":
            self.page_began = True
            self._page = {}
        elif depth == 3 and name == "redirect":
            self._page["redirect"] = "yes"
        elif depth == 3 and name == "revision":
            # Histories list the oldest revision first; the last one stays.
            for key in ("text", "model", "timestamp", "too long"):
                self._page.pop(key, None)
        if name in self._TEXTS and depth in (3, 4):
            self._parts = []
            self._part_chars = 0

    def _characters(self, data: str) -> None:
        if self._parts is None:
            return
        self._part_chars += len(data)
        if self._path[-1] == "text" and self._part_chars > self._markup_limit_chars:
            self._parts.clear()
            self._page["too long"] = "yes"
            return
        self._parts.append(data)

    def _end(self, name: str) -> None:
        self._path.pop()
        depth = len(self._path)
        if self._parts is not None and name in self._TEXTS:
            parent = self._path[-1]
            if parent == "siteinfo":
                self._head[name] = "".join(self._parts)
            elif (parent == "page" and name in ("title", "ns", "id")) or (
                parent == "revision" and name in ("text", "model", "timestamp")
            ):
                self._page[name] = "".join(self._parts)
            self._parts = None
        elif depth == 1 and name == "siteinfo":
            self.head_ended = True
        elif depth == 1 and name == "page":
            self._finish_page()
        elif depth == 0:
            self.is_closed = True

    def _finish_page(self) -> None:
        self._page_count += 1
        page = self._page
        self.pages.append(
            Page(
                page_id=page.get("id", "").strip(),
                namespace=page.get("ns", "0").strip(),
                title=page.get("title", ""),
                is_redirect="redirect" in page,
                model=page.get("model", "wikitext"),
                markup=page.get("text", ""),
                is_too_long="too long" in page,
                changed_at=page.get("timestamp", ""),
                position=f"{self.stream_offset}:{self._page_count}",
            )
        )
