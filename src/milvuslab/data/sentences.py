"""Where sentences and paragraphs end, as character offsets.

The rules of each language come from `sentencex` (Wikimedia); around it stand the two things it leaves open: a line that
is a list item or a heading ends at its line end, and a Korean quotation goes on with its particle (`"네."라고 말했다`).
"""

from __future__ import annotations

import itertools
import re

from milvuslab.model.errors import missing_extra

__all__ = ["sentence_spans", "trim_span"]

_PARAGRAPH = re.compile(r"\n[ \t]*\n\s*|\n(?=[ \t]*(?:[-*•·▪]|\d{1,3}[.)])[ \t])")
_QUOTE_END = re.compile(r"[\"'”’」』)\]]$")
_PARTICLE = re.compile(r"(?:이?라고|이?라는|이?라며|이?라면서|하고|고|는|라)(?=[\s가-힣])")


def sentence_spans(text: str, *, language: str) -> list[tuple[int, int]]:
    """Start and end of each sentence, in order, without surrounding white space and never empty.

    Everything between two spans is white space: the spans cover all that is not blank.

    Args:
        text: paragraphs separated by an empty line; a single line end is a soft one, unless a list item follows.
        language: primary subtag; one that `sentencex` does not know is cut by its fallback rules.

    Raises:
        UnsupportedError: the extra `text` is not installed.
    """
    try:
        import sentencex
    except ModuleNotFoundError:
        raise missing_extra("sentencex", "text") from None
    spans: list[tuple[int, int]] = []
    for start, end in _paragraphs(text):
        paragraph = text[start:end]
        pieces = sentencex.segment(language, paragraph)
        ends = list(itertools.accumulate(len(piece) for piece in pieces))
        assert "".join(pieces) == paragraph, "sentencex returned another text"
        starts = [0, *ends[:-1]]
        for piece_start, piece_end in _join_quotations(paragraph, list(zip(starts, ends, strict=True))):
            spans.append((start + piece_start, start + piece_end))
    return [trimmed for span in spans if (trimmed := trim_span(text, *span))]


def trim_span(text: str, start: int, end: int) -> tuple[int, int] | None:
    """The span without white space at its ends; None when nothing is left."""
    part = text[start:end]
    left = start + len(part) - len(part.lstrip())
    right = start + len(part.rstrip())
    return (left, right) if left < right else None


def _paragraphs(text: str) -> list[tuple[int, int]]:
    borders = [0, *(match.end() for match in _PARAGRAPH.finditer(text)), len(text)]
    return [(start, end) for start, end in itertools.pairwise(borders) if start < end]


def _join_quotations(text: str, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined and _QUOTE_END.search(text[max(0, start - 1) : start]) and _PARTICLE.match(text, start):
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined
