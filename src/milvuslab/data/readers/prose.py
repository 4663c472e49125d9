"""Files that are one document each: plain text, Markdown, HTML."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from milvuslab.data.document import Document
from milvuslab.data.readers.html import HtmlRules, html_encoding, html_to_text
from milvuslab.data.readers.source import Source, bad_token
from milvuslab.model.errors import missing_extra

__all__ = ["markdown_to_text", "read_html", "read_markdown", "read_text"]

_END = "end"
_FRONT_MATTER = re.compile(r"\A---[ \t]*\r?\n(.*?)^(?:---|\.\.\.)[ \t]*\r?$\n?", re.DOTALL | re.MULTILINE)


def read_text(source: Source, position: str) -> Iterator[tuple[Document, str]]:
    """The file as it is; its title is its first line."""
    return _one(source, position, lambda text: ("", text))


def read_markdown(source: Source, position: str) -> Iterator[tuple[Document, str]]:
    """The text of a Markdown file; its title is that of the front matter, else its first heading."""
    return _one(source, position, markdown_to_text)


def read_html(source: Source, position: str, *, rules: HtmlRules | None = None) -> Iterator[tuple[Document, str]]:
    """The main text of a page; its title is its first main heading, else `<title>`."""
    if _is_done(position):
        return
    size_bytes = source.path.stat().st_size
    if size_bytes > source.line_limit_bytes:
        source.skip("too long", f"{size_bytes:,} bytes, allowed are {source.line_limit_bytes:,}")
        return
    raw = source.path.read_bytes()
    page = source.decode(raw, encoding=html_encoding(raw))
    if page is None:
        return
    title, text = html_to_text(page, rules=rules or HtmlRules())
    if document := source.document(title=title, text=text):
        yield document, _END


def markdown_to_text(markdown: str) -> tuple[str, str]:
    """Title (may be empty) and plain text of a Markdown text: marks go, headings, code and table cells stay.

    Raises:
        UnsupportedError: the extra `text` is not installed.
    """
    try:
        from markdown_it import MarkdownIt
    except ModuleNotFoundError:
        raise missing_extra("markdown-it-py", "text") from None
    front = _FRONT_MATTER.match(markdown)
    named = re.search(r"^title:[ \t]*(.+?)[ \t]*$", front[1], re.MULTILINE) if front else None
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown[front.end() if front else 0 :])
    heading, text = html_to_text(html, rules=HtmlRules(main=(), drops_page_frame=False, keeps_title_heading=True))
    return (named[1].strip("\"'") if named else heading), text


def _one(source: Source, position: str, convert: Callable[[str], tuple[str, str]]) -> Iterator[tuple[Document, str]]:
    if _is_done(position):
        return
    raw = source.read_all()
    if raw is None:
        return
    title, text = convert(raw)
    if document := source.document(title=title, text=text):
        yield document, _END


def _is_done(position: str) -> bool:
    if position not in ("", _END):
        raise bad_token(position)
    return position == _END
