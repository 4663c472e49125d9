"""Texts cut into passages an encoder can take whole: by tokens, at sentence borders, with overlap.

Invariants, property-tested: `text[chunk.start:chunk.end] == chunk.text`; every character that is not blank lies in a
chunk; no chunk is blank; chunks advance; the same input gives the same chunks on every machine.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from milvuslab.data.sentences import sentence_spans, trim_span
from milvuslab.model.errors import UsageError

__all__ = ["Chunk", "TokenOffsets", "chunk_text"]

TokenOffsets = Callable[[str], npt.NDArray[Any]]
"""From a text to the (tokens, 2) character offsets of its tokens, in order; special tokens left out."""

_Span = tuple[int, int]


@dataclasses.dataclass(frozen=True, slots=True)
class Chunk:
    """A passage of a text.

    Attributes:
        start: offset of its first character in the text.
        end: offset behind its last character.
        text: `text[start:end]`; begins and ends with something that is not blank.
        token_count: tokens of `text` when it stands alone, special tokens not counted.
    """

    start: int
    end: int
    text: str
    token_count: int


def chunk_text(
    text: str, *, token_offsets: TokenOffsets, limit_tokens: int, overlap_tokens: int, language: str
) -> list[Chunk]:
    """The passages of a text, in order; none for a blank text.

    A passage takes as many whole sentences as fit, then the next one starts with the last sentences of the one before,
    as many as fit into `overlap_tokens`. A sentence longer than `limit_tokens` is cut at white space, and only a word
    that is longer than that inside the word. A heading (a short paragraph without a full stop) goes with what follows.

    Args:
        text: NFC; paragraphs separated by an empty line.
        token_offsets: the encoder's tokenizer. It is called once for the text and about once for each passage.
        limit_tokens: most tokens of a passage; the caller has taken off special tokens and prefixes. A passage exceeds
            it only when a single character has more tokens than that.
        overlap_tokens: most tokens two neighbours share; 0 for none.
        language: primary subtag, for the rules of sentence ends.

    Raises:
        UsageError: `limit_tokens` is below 1 or `overlap_tokens` is not in [0, limit_tokens / 2].
        UnsupportedError: the extra `text` is not installed.
    """
    if limit_tokens < 1 or not 0 <= overlap_tokens <= limit_tokens // 2:
        raise UsageError(
            f"chunks of {limit_tokens} tokens with an overlap of {overlap_tokens} cannot be cut",
            hint="limit_tokens must be 1 or more, overlap_tokens between 0 and half of it",
        )
    ruler = _Ruler(text, token_offsets)
    piece_tokens = max(1, overlap_tokens or limit_tokens)
    units: list[_Span] = []
    for span in sentence_spans(text, language=language):
        units += [span] if ruler.estimate(*span) <= limit_tokens else ruler.split(span, piece_tokens)
    return _pack(ruler, units, limit_tokens, overlap_tokens)


def _pack(ruler: _Ruler, units: list[_Span], limit_tokens: int, overlap_tokens: int) -> list[Chunk]:
    chunks: list[Chunk] = []
    first, fresh = 0, 0  # units[first:fresh] are shared with the chunk before
    while fresh < len(units):
        last = _last_that_fits(ruler, units, first, fresh, limit_tokens)
        token_count = ruler.count(units[first][0], units[last][1])
        # A passage that stands alone may have a token more than inside the text; then it gives up overlap, then sentences.
        while token_count > limit_tokens and (first < fresh or last > fresh):
            first, last = (first + 1, last) if first < fresh else (first, last - 1)
            token_count = ruler.count(units[first][0], units[last][1])
        if token_count > limit_tokens:
            pieces = ruler.split(units[fresh], limit_tokens // 2 or 1)
            if len(pieces) > 1:
                units[fresh : fresh + 1] = pieces
                continue
        start, end = units[first][0], units[last][1]
        chunks.append(Chunk(start, end, ruler.text[start:end], token_count))
        fresh = last + 1
        first = _overlap_start(ruler, units, first, fresh, overlap_tokens)
    return chunks


def _last_that_fits(ruler: _Ruler, units: list[_Span], first: int, fresh: int, limit_tokens: int) -> int:
    last = fresh
    while last + 1 < len(units) and ruler.estimate(units[first][0], units[last + 1][1]) <= limit_tokens:
        last += 1
    if first < last < len(units) - 1 and last > fresh and ruler.is_heading(units[last], units[last + 1]):
        last -= 1
    return last


def _overlap_start(ruler: _Ruler, units: list[_Span], first: int, fresh: int, overlap_tokens: int) -> int:
    start = fresh
    while start - 1 > first and ruler.estimate(units[start - 1][0], units[fresh - 1][1]) <= overlap_tokens:
        start -= 1
    return start


class _Ruler:
    """Measures parts of one text in tokens: quickly from the offsets of the whole, exactly by asking again."""

    def __init__(self, text: str, token_offsets: TokenOffsets) -> None:
        self.text = text
        self._token_offsets = token_offsets
        offsets = np.asarray(token_offsets(text)).reshape(-1, 2)
        # Offsets of a normalising tokenizer may step back by a character; the search below needs them in order.
        self._starts = np.maximum.accumulate(offsets[:, 0]) if len(offsets) else np.zeros(0, dtype=np.int64)

    def estimate(self, start: int, end: int) -> int:
        """Tokens of the whole text that begin in the part; at least 1."""
        left, right = np.searchsorted(self._starts, (start, end), side="left")
        return max(1, int(right - left))

    def count(self, start: int, end: int) -> int:
        """Tokens of the part when it stands alone."""
        return len(self._token_offsets(self.text[start:end]))

    def split(self, span: _Span, limit_tokens: int) -> list[_Span]:
        """The span in parts of at most `limit_tokens` tokens, cut at white space where there is some."""
        start, end = span
        parts: list[_Span] = []
        while self.estimate(start, end) > limit_tokens:
            cut = self._cut(start, end, limit_tokens)
            if cut >= end:
                break
            parts += [part] if (part := trim_span(self.text, start, cut)) else []
            start = cut
        parts += [part] if (part := trim_span(self.text, start, end)) else []
        return parts

    def _cut(self, start: int, end: int, limit_tokens: int) -> int:
        index = int(np.searchsorted(self._starts, start, side="left")) + limit_tokens
        cut = max(start + 1, int(self._starts[index]))
        blank = max(self.text.rfind(" ", start + 1, cut + 1), self.text.rfind("\n", start + 1, cut + 1))
        # A blank in the first half would leave a part too short to be worth it.
        return blank if blank > (start + cut) // 2 else min(cut, end)

    def is_heading(self, span: _Span, following: _Span) -> bool:
        """Whether a span looks like the heading of what follows it."""
        line = self.text[slice(*span)]
        ends_paragraph = "\n\n" in self.text[span[1] : following[0]]
        return ends_paragraph and len(line) <= 80 and "\n" not in line and line[-1] not in ".!?。…:;,"
