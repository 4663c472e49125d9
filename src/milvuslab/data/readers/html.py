"""Main text of an HTML page: what a person reads, without the frame around it.

Kept simple on purpose: the page's own `main` or `article` element is believed, else the body without its frame
(navigation, header, footer, side bars, forms). Nothing is guessed from the density of links or words.
"""

from __future__ import annotations

import codecs
import dataclasses
import re
from typing import Any

from milvuslab.model.errors import missing_extra

__all__ = ["HtmlRules", "html_encoding", "html_to_text"]

_NEVER = frozenset("script style noscript template svg math head iframe object button select textarea input".split())  # noqa: SIM905
_FRAME = frozenset("nav aside form dialog".split())  # noqa: SIM905
_TOP_FRAME = frozenset(("header", "footer"))
_BLOCK = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "caption",
        "center",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "html",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "summary",
        "table",
        "tbody",
        "tfoot",
        "thead",
        "tr",
        "ul",
    ]
)
_CELL = frozenset(("td", "th"))
_CELL_LIMIT_CHARS = 800
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{2,40})", re.IGNORECASE)
_ITEM = "\x02"  # begins a list item, until blocks are joined
_BREAK = "\x03"  # a line break inside a block


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HtmlRules:
    """How a family of pages is built.

    Attributes:
        main: XPath expressions; the first that finds something is the main text. Empty takes the body.
        drop: XPath expressions, relative to the main text, of what is not text.
        drops_page_frame: whether navigation, side bars, forms and hidden elements are dropped.
        title_from_page: whether `<title>` is better than the first heading.
        keeps_title_heading: whether a heading that says the title stays in the text.
    """

    main: tuple[str, ...] = ("//main", "//*[@role='main']", "//article[not(preceding::article or following::article)]")
    drop: tuple[str, ...] = ()
    drops_page_frame: bool = True
    title_from_page: bool = False
    keeps_title_heading: bool = False


def html_encoding(raw: bytes) -> str:
    """Encoding that the page itself names in its first 2 KiB; empty when it names none or one unknown to Python."""
    match = _META_CHARSET.search(raw[:2048])
    try:
        # The names are those of the web (WHATWG Encoding): there euc-kr means cp949, iso-8859-1 means cp1252.
        name = codecs.lookup(match[1].decode("ascii")).name if match else ""
    except LookupError:
        return ""
    return {"euc_kr": "cp949", "iso8859-1": "cp1252", "ascii": "cp1252"}.get(name, name)


def html_to_text(page: str, *, rules: HtmlRules) -> tuple[str, str]:
    """Title (may be empty) and main text; paragraphs are separated by an empty line, list items begin with `- `.

    Raises:
        UnsupportedError: the extra `text` is not installed.
    """
    try:
        from lxml import html as lxml_html
    except ModuleNotFoundError:
        raise missing_extra("lxml", "text") from None
    parser = lxml_html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
    raw = page.replace(_ITEM, "").replace(_BREAK, "").encode("utf-8", "replace")
    root = lxml_html.document_fromstring(raw, parser=parser) if raw.strip() else None
    if root is None:
        return "", ""
    page_title = _joined(root.findtext(".//title") or "")
    main = _main_of(root, rules)
    is_whole_page = main.tag in ("body", "html")
    dropped = {id(found): found for expression in rules.drop for found in main.xpath(expression)}
    heading = _heading(main)
    title = page_title if rules.title_from_page else heading or page_title
    blocks = _blocks(main, rules, dropped, is_whole_page=is_whole_page)
    if not rules.keeps_title_heading and blocks and blocks[0] == title:
        del blocks[0]
    return title, _join(blocks)


def _main_of(root: Any, rules: HtmlRules) -> Any:
    for expression in rules.main:
        if found := root.xpath(expression):
            return found[0]
    body = root.find("body")
    return root if body is None else body


def _heading(main: Any) -> str:
    found = main.xpath(".//h1")
    return _joined("".join(found[0].itertext())) if found else ""


def _blocks(main: Any, rules: HtmlRules, dropped: dict[int, Any], *, is_whole_page: bool) -> list[str]:
    from lxml import etree

    parts: list[str] = []
    blocks: list[str] = []

    def finish() -> None:
        block = "".join(parts)
        parts.clear()
        if block.replace(_ITEM, "").replace(_BREAK, "").strip():
            blocks.append(block)
        elif _ITEM in block:
            parts.append(_ITEM)  # an item that begins with a block of its own: the mark waits for its text

    cell_depth = pre_depth = 0
    skipped = None
    walk = etree.iterwalk(main, events=("start", "end"))
    for event, element in walk:
        tag = element.tag
        if event == "start":
            if element is not main and (
                id(element) in dropped or _is_dropped(element, rules, is_whole_page=is_whole_page)
            ):
                walk.skip_subtree()
                skipped = element
                continue
            cell_depth += tag in _CELL and (cell_depth > 0 or _is_small(element))
            if cell_depth:
                parts.append(" " if tag in _BLOCK else "")
            elif tag in _BLOCK:
                finish()
            parts.append({"li": _ITEM, "br": _BREAK}.get(tag, ""))
            text = element.text or ""
            pre_depth += tag == "pre"
            parts.append(text.replace("\n", _BREAK) if pre_depth else text)
        else:
            if element is skipped:
                skipped = None
            elif tag in _CELL:
                parts.append(" | " if element.getnext() is not None else "")
                cell_depth = max(0, cell_depth - 1)
            elif cell_depth:
                parts.append(" " if tag in _BLOCK else "")
            elif tag in _BLOCK:
                finish()
                if tag == "li":
                    parts.clear()
            pre_depth = max(0, pre_depth - (tag == "pre"))
            if element is not main:
                tail = element.tail or ""
                parts.append(tail.replace("\n", _BREAK) if pre_depth else tail)
    finish()
    return [_tidy(block) for block in blocks]


def _is_small(cell: Any) -> bool:
    """Whether a table cell holds data, as against a part of a page that is laid out by a table."""
    return sum(map(len, cell.itertext())) <= _CELL_LIMIT_CHARS


def _is_dropped(element: Any, rules: HtmlRules, *, is_whole_page: bool) -> bool:
    tag = element.tag
    if not isinstance(tag, str) or tag in _NEVER:
        return True
    if not rules.drops_page_frame:
        return False
    hidden = "hidden" in element.attrib or element.get("aria-hidden") == "true"
    styled_away = "display:none" in (element.get("style") or "").replace(" ", "").lower()
    return tag in _FRAME or hidden or styled_away or (is_whole_page and tag in _TOP_FRAME)


def _tidy(block: str) -> str:
    lines = [_joined(line) for line in block.replace(_ITEM, "").split(_BREAK)]
    text = "\n".join(line.strip("| ") if line.count("|") else line for line in lines if line)
    return f"{_ITEM}{text}" if _ITEM in block else text


def _join(blocks: list[str]) -> str:
    """Blocks with an empty line between them, list items with a line end."""
    text = ""
    was_item = False
    for block in blocks:
        is_item = block.startswith(_ITEM)
        shown = f"- {block[1:]}" if is_item else block
        text += ("\n" if is_item and was_item else "\n\n" if text else "") + shown
        was_item = is_item
    return text


def _joined(text: str) -> str:
    return " ".join(text.split())
