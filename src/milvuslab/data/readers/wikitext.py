"""Plain text of an article's wikitext: what a person reads, without tables, boxes, references, files and links' marks.

The markup is parsed by mwparserfromhell. Templates are dropped except the few that carry words of the sentence
(`TEMPLATE_TEXT`). Sections that hold no prose (references, external links, see also) are dropped with their headings,
in English and Korean; so are headings under which nothing is left.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import Any

from milvuslab.model.errors import missing_extra

__all__ = ["DROPPED_SECTIONS", "TEMPLATE_TEXT", "wikitext_to_text"]

DROPPED_SECTIONS = frozenset(
    name.casefold()
    for name in (
        "Bibliography", "Citations", "External links", "Footnotes", "Further reading", "Gallery", "Notes",
        "Notes and references", "References", "References and notes", "See also", "Sources", "Works cited",
        "각주", "갤러리", "같이 보기", "관련 항목", "더 보기", "더 읽을거리", "바깥 고리", "외부 링크", "주석", "참고 문헌", "참고 자료", "참고문헌", "출처",
    )
)  # fmt: skip
"""Headings whose sections list things instead of saying them; compared without case."""


def _argument(index: int) -> Callable[[list[str]], str]:
    return lambda values: values[index] if len(values) > index else ""


def _measure(values: list[str]) -> str:
    # {{convert|10|to|20|km|mi}} is a range: number, word, number, unit.
    if len(values) >= 4 and values[1] in ("to", "and", "-", "–", "by", "x", "or"):
        joint = "–" if values[1] in ("-", "–") else f" {values[1]} "
        return f"{values[0]}{joint}{values[2]} {_unit(values[3])}"
    return " ".join([*values[:1], *map(_unit, values[1:2])])


def _unit(unit: str) -> str:
    return {"C": "°C", "F": "°F", "sqmi": "sq mi", "km2": "km²", "m2": "m²", "m3": "m³", "km3": "km³"}.get(unit, unit)


def _lines(values: list[str]) -> str:
    return "\n".join(f"{_ITEM}{value}" for value in values if value)


TEMPLATE_TEXT: dict[str, Callable[[list[str]], str]] = {
    **dict.fromkeys(("lang", "transl", "lang-x", "fontcolor", "color", "math-color"), _argument(-1)),
    **dict.fromkeys(
        ("nowrap", "nobr", "nobreak", "small", "big", "smaller", "abbr", "tooltip", "math", "mvar", "var", "em", "strong",
         "code", "mono", "smallcaps", "sc", "sub", "sup", "su", "chem", "ce", "quote", "blockquote", "cquote", "quotation",
         "angbr", "circa", "unicode", "linktext", "vr", "script", "midsize", "val", "formatnum", "num", "llang", "zh",
         "인용문", "인용", "작은 글씨", "llang", "lang-ko"),
        _argument(0),
    ),
    **dict.fromkeys(("convert", "cvt", "convertit"), _measure),
    **dict.fromkeys(("unbulleted list", "ubl", "plainlist", "bulleted list", "flatlist"), _lines),
    **dict.fromkeys(("ndash", "spaced ndash", "snd", "spnd", "endash"), lambda _: " – "),
    **dict.fromkeys(("mdash", "emdash", "spaced mdash"), lambda _: "—"),
    "nbsp": lambda _: " ",
    "'": lambda _: "'",
    "pi": lambda _: "π",
    "=": lambda _: "=",
    "!": lambda _: "|",
    "as of": lambda values: "as of " + " ".join(values[:1]),
    "frac": lambda values: "/".join(values[-2:]) if len(values) < 3 else f"{values[0]} {values[1]}/{values[2]}",
    "abbrlink": _argument(0),
    "ill": _argument(0),
    "interlanguage link": _argument(0),
    "llink": _argument(0),
}  # fmt: skip
"""Templates whose words belong to the sentence: name in lower case to text from the unnamed arguments."""

_NO_TEXT_TAGS = frozenset(
    [
        "ref",
        "references",
        "gallery",
        "table",
        "timeline",
        "imagemap",
        "score",
        "graph",
        "mapframe",
        "maplink",
        "templatedata",
        "syntaxhighlight",
        "source",
        "indicator",
        "noinclude",
        "includeonly",
        "section",
        "pages",
        "categorytree",
        "inputbox",
        "hiero",
    ]
)
_LINE_TAGS = frozenset(("br", "hr", "p", "div", "blockquote", "center"))
_HIDDEN_LINKS = re.compile(r"(?:file|image|media|category|파일|그림|미디어|분류)\s*:", re.IGNORECASE)
_LANGUAGE_LINK = re.compile(r"[a-z]{2,3}(?:-[a-z]+)*:\S", re.IGNORECASE)
_MAGIC_WORD = re.compile(r"__[A-Z]{3,20}__")
_ITEM = "\x03"  # begins a list item
_HEADING = "\x02"  # begins a heading line, followed by its level; XML can hold neither of these two characters
_GREEK = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau phi chi psi omega"
_SYMBOLS = {
    **{name: unicodedata.lookup(f"GREEK SMALL LETTER {name.replace('lambda', 'lamda')}") for name in _GREEK.split()},
    **{
        name.title(): unicodedata.lookup(f"GREEK CAPITAL LETTER {name.replace('lambda', 'lamda')}")
        for name in ("gamma", "delta", "theta", "lambda", "xi", "pi", "sigma", "phi", "psi", "omega")
    },
    "times": "×", "cdot": "·", "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥", "ne": "≠", "neq": "≠", "approx": "≈",
    "infty": "∞", "to": "→", "rightarrow": "→", "pm": "±", "in": "∈", "circ": "°", "ldots": "…", "dots": "…",
}  # fmt: skip
_LIST_MARKS = re.compile(r"^[*#:;]+[ \t]*", re.MULTILINE)
_REFERENCE = re.compile(r"<ref(?:\s[^<>]*)?>", re.IGNORECASE)
_STRAY_LIMIT = 100
_ANY_TAG = re.compile(r"</?[A-Za-z][^<>]{0,300}>|<")


def wikitext_to_text(markup: str) -> str:
    """The text; paragraphs are separated by an empty line, headings stand alone, list items begin with `- `.

    Cost: about 2 MB of markup a second on one core, nearly all of it in the parser (measured on the sample `wikipedia`).

    Raises:
        UnsupportedError: the extra `text` is not installed.
    """
    try:
        import mwparserfromhell
    except ModuleNotFoundError:
        raise missing_extra("mwparserfromhell", "text") from None
    parts: list[str] = []
    # Style marks ('' and ''') are left to a pattern: unbalanced ones make the parser back up again and again.
    code = mwparserfromhell.parse(_prepared(markup), skip_style_tags=True)
    _write(code.nodes, parts, depth=0)
    return _layout("".join(parts))


def _prepared(markup: str) -> str:
    markup = _without_tables(_without_comments(markup))
    # List marks are set aside: the parser would make a node of each and slow down with their number.
    markup = _LIST_MARKS.sub(lambda marks: _ITEM if marks[0].strip(":; \t") else "\n", markup)
    return _without_stray_marks(_without_references(markup))


def _without_comments(markup: str) -> str:
    kept: list[str] = []
    for index, part in enumerate(markup.split("<!--")):
        _, closed, behind = part.partition("-->")
        kept.append(part if index == 0 or not closed else behind)
    return "".join(kept)


def _without_tables(markup: str) -> str:
    """The markup without its tables, nested ones too; of one that is never closed only its first line goes."""
    kept: list[str] = []
    begun_at: list[int] = []  # for each open table, how many lines were kept when it began
    for line in markup.split("\n"):
        start = line.lstrip(" \t:*#")
        if start.startswith("{|"):
            begun_at.append(len(kept))
        kept.append(line)
        if begun_at and start.startswith("|}") and not start.startswith("|}}"):
            del kept[begun_at.pop() :]
            kept.append(start[2:])
    for index in begun_at:
        kept[index] = ""
    return "\n".join(kept)


def _without_references(markup: str) -> str:
    """The markup without `<ref>`: the parser would spend a third of its time in the citations inside."""
    kept: list[str] = []
    position = 0
    while match := _REFERENCE.search(markup, position):
        kept.append(markup[position : match.start()])
        position = match.end()
        if not match[0].endswith("/>"):
            end = markup.find("</ref", position)
            close = markup.find(">", end) if end >= 0 else -1
            if close < 0:
                # Never closed: this tag goes, the text stays; what follows has no closing tag either.
                kept.append(_REFERENCE.sub("", markup[position:]))
                return "".join(kept)
            position = close + 1
    return "".join([*kept, markup[position:]])


def _without_stray_marks(markup: str) -> str:
    """The markup without a kind of mark that is opened hundreds of times more often than closed.

    Each such mark would send the parser to the end of the page and back.
    """
    for opening, closing in (("{{", "}}"), ("[[", "]]"), ("[", "]")):
        if markup.count(opening) - markup.count(closing) > _STRAY_LIMIT:
            markup = markup.replace(opening, " ").replace(closing, " ")
    stray_tags = markup.count("<") - 2 * markup.count("</") - markup.count("/>") - markup.count("<br")
    return _ANY_TAG.sub(" ", markup) if stray_tags > _STRAY_LIMIT else markup


def _write(nodes: Iterable[Any], parts: list[str], *, depth: int) -> None:
    if depth > 40:
        return
    for node in nodes:
        writer = _WRITERS.get(type(node).__name__)
        if writer is not None:
            writer(node, parts, depth + 1)


def _inner(code: Any, depth: int) -> str:
    if code is None:
        return ""
    parts: list[str] = []
    _write(code.nodes, parts, depth=depth)
    return "".join(parts)


def _write_text(node: Any, parts: list[str], _depth: int) -> None:
    parts.append(node.value)


def _write_entity(node: Any, parts: list[str], _depth: int) -> None:
    parts.append(html.unescape(str(node)).replace("\xa0", " "))


def _write_heading(node: Any, parts: list[str], depth: int) -> None:
    parts.append(f"\n{_HEADING}{node.level}{_inner(node.title, depth).strip()}\n")


def _write_wikilink(node: Any, parts: list[str], depth: int) -> None:
    target = str(node.title).strip()
    if _HIDDEN_LINKS.match(target) or (node.text is None and _LANGUAGE_LINK.match(target)):
        return
    shown = _inner(node.text, depth) if node.text is not None else _inner(node.title, depth).lstrip(":")
    parts.append(shown)


def _write_external_link(node: Any, parts: list[str], depth: int) -> None:
    if node.title is not None:
        parts.append(_inner(node.title, depth))
    elif not node.brackets:
        parts.append(str(node.url))


def _write_template(node: Any, parts: list[str], depth: int) -> None:
    name = " ".join(str(node.name).replace("_", " ").split()).lower()
    if name.startswith("lang-") and name != "lang-ko":
        name = "lang"
    text = TEMPLATE_TEXT.get(name)
    if text is not None:
        values = [_inner(parameter.value, depth).strip() for parameter in node.params if not parameter.showkey]
        parts.append(text(values))


def _write_tag(node: Any, parts: list[str], depth: int) -> None:
    tag = str(node.tag).strip().lower()
    if tag in _NO_TEXT_TAGS:
        return
    if tag == "math":
        parts.append(_formula(str(node.contents)))
        return
    line_end = "\n" if tag in _LINE_TAGS else ""
    parts.append(line_end)
    if not node.self_closing:
        parts.append(str(node.contents) if tag in ("nowiki", "pre") else _inner(node.contents, depth))
        parts.append(line_end)


def _formula(source: str) -> str:
    """A simple formula as readable characters, any other as nothing: TeX is noise to a text encoder."""
    plain = re.sub(
        r"\\(?:mathrm|text|mathbf|mathit|operatorname|displaystyle|left|right|quad)(?![A-Za-z])|\\[,;! ]", "", source
    )
    plain = re.sub(r"\\([A-Za-z]+)", lambda match: _SYMBOLS.get(match[1], match[0]), plain)
    plain = " ".join(plain.replace("{", "").replace("}", "").replace("~", " ").split())
    return plain if "\\" not in plain and len(plain) <= 40 else ""


_WRITERS: dict[str, Callable[[Any, list[str], int], None]] = {
    "Text": _write_text,
    "HTMLEntity": _write_entity,
    "Heading": _write_heading,
    "Wikilink": _write_wikilink,
    "ExternalLink": _write_external_link,
    "Template": _write_template,
    "Tag": _write_tag,
}
"""Comments and template arguments have no writer: they are dropped."""


def _layout(raw: str) -> str:
    """Lines of raw text as paragraphs, without sections that hold no prose."""
    blocks: list[tuple[int, str]] = []  # level of a heading (0 for text) and its text
    dropped_level = 0
    for line in _tidy(raw).split("\n"):
        level, text = _line(line)
        if level:
            if dropped_level and level > dropped_level:
                continue
            dropped_level = level if text.casefold() in DROPPED_SECTIONS else 0
        if text and not dropped_level:
            blocks.append((level, text))
    blocks = _without_empty_sections(blocks)
    text = ""
    for index, (_, block) in enumerate(blocks):
        is_list_goes_on = index > 0 and block.startswith("- ") and blocks[index - 1][1].startswith("- ")
        text += ("\n" if is_list_goes_on else "\n\n" if index else "") + block
    return text


def _line(line: str) -> tuple[int, str]:
    line = line.strip()
    if line.startswith(_HEADING):
        return int(line[1]), line[2:].strip()
    if line.startswith(_ITEM):
        rest = line.strip(f"{_ITEM} ")
        return 0, f"- {rest}" if rest else ""
    return 0, line


def _without_empty_sections(blocks: list[tuple[int, str]]) -> list[tuple[int, str]]:
    kept: list[tuple[int, str]] = []
    following = 1  # level of what follows; the end of the article counts as a heading above all
    for level, text in reversed(blocks):
        if level and following and following <= level:
            continue
        kept.append((level, text))
        following = level
    return kept[::-1]


def _tidy(raw: str) -> str:
    """Without style marks and without what templates and references leave behind: `( ; , )`, `a , b`, doubled blanks.

    Every pattern here is linear in the text, whatever the text.
    """
    text = re.sub(r"'{2,5}", "", _MAGIC_WORD.sub("", raw))
    text = re.sub(r"[ \t\u00a0\u2009\u202f]+", " ", text)
    for _ in range(3):  # brackets within brackets
        text = re.sub(r"\([ ,;:/–-]*\)|\[ ?\]|（ ?）", "", text)
    text = re.sub(r"\([ ,;:]+", "(", text)
    text = re.sub(r"[ ,;:]{2,}", _punctuation, text)
    text = re.sub(r" ([,.;:!?)\]])(?=\s|$)", r"\1", text)
    return re.sub(r" {2,}", " ", text)


def _punctuation(run: re.Match[str]) -> str:
    """A run of blanks, commas, semicolons and colons, mended where something was taken out of it."""
    marks = run[0].replace(" ", "")
    following = run.string[run.end() : run.end() + 1]
    if following == ")":
        return ""
    if len(marks) > 1 and ":" not in marks:
        return marks[0] + (" " if run[0].endswith(" ") else "")
    return run[0]
