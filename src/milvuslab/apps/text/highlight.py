"""Where the words of a question stand in a passage. Pure text; no model.

A passage with stored terms is marked by them (`term_spans`): no analyser reads it again, which would cost a search tens of
milliseconds. Any other is marked by the beginnings of its words (`highlight_spans`).

Dense search finds by meaning, so a good passage may hold none of the words; then nothing is marked.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

from milvuslab.data.terms import find_stems

__all__ = ["highlight_spans", "term_spans"]

_STEP_CHARS = 30
"""How far the next stored term is looked for: a stem that its text does not show must not pull the rest along."""

_WORD = re.compile(r"[^\W_]+", re.UNICODE)
_HANGUL = re.compile(r"[가-힣]")
_ENDINGS = ("ations", "ation", "ings", "ing", "ies", "ed", "es", "s")
_PARTICLES = (
    "에서는", "으로는", "에서", "으로", "에게", "부터", "까지", "처럼", "보다", "하는", "하기", "하고", "된다", "이란",
    "은", "는", "이", "가", "을", "를", "의", "에", "로", "와", "과", "도", "만", "란",
)  # fmt: skip
_STOP_WORDS = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "by",
        "do",
        "does",
        "for",
        "from",
        "had",
        "has",
        "have",
        "how",
        "in",
        "is",
        "it",
        "its",
        "of",
        "on",
        "or",
        "that",
        "the",
        "this",
        "to",
        "was",
        "were",
        "what",
        "when",
        "where",
        "which",
        "who",
        "why",
        "will",
        "with",
        "그",
        "수",
        "것",
        "등",
        "및",
        "어떻게",
        "무엇",
        "왜",
        "어디",
        "누가",
        "언제",
        "있는",
        "하는",
        "있다",
        "하다",
    ]
)


def highlight_spans(text: str, query: str) -> list[tuple[int, int]]:
    """Character ranges of `text` that hold a word of `query`, in order, not overlapping.

    A word matches from the start of a word in the text, its ending or Korean particle left aside:
    `indexes` marks `index`, `벡터를` marks `벡터`.

    >>> highlight_spans("Indexing makes vectors fast", "an index of a vector")
    [(0, 8), (15, 22)]
    >>> highlight_spans("새 벡터는 빠르다", "벡터를 찾기")
    [(2, 4)]
    """
    stems = {stem for word in _WORD.findall(_fold(query)) if (stem := _stem(word))}
    if not stems:
        return []
    spans = []
    for match in _WORD.finditer(text):
        word = _fold(match.group())
        stem = max((stem for stem in stems if word.startswith(stem)), key=len, default="")
        if stem and (_HANGUL.search(word) or _stem(word) == stem):
            end = match.start() + len(stem) if _HANGUL.search(word) else match.end()
            spans.append((match.start(), end))
    return spans


def term_spans(text: str, wanted: Collection[str], *, stored: str) -> list[tuple[int, int]]:
    """Character ranges of `text` that hold one of the wanted terms, in order, not overlapping.

    Words without Hangul are cut to their stems again, which is cheap. Korean terms are followed through the text in the
    order in which they are stored; a changed stem (돕 in 도와) is passed over, unmarked.

    Args:
        text: a passage in NFC.
        wanted: terms of a question.
        stored: terms of the passage, joined by blanks in their order; terms of a title may come behind them.

    >>> term_spans("새 벡터는 indexes에서 찾는다", {"벡터", "index"}, stored="벡터 index 찾")
    [(2, 4), (6, 13)]
    """
    spans = [(term.start, term.end) for term in find_stems(text) if term.text in wanted]
    if any(_HANGUL.search(term) for term in wanted):
        spans += _follow([term for term in stored.split() if _HANGUL.search(term)], text, wanted)
    return _apart(sorted(spans))


def _follow(terms: list[str], text: str, wanted: Collection[str]) -> list[tuple[int, int]]:
    spans = []
    at, step = 0, _STEP_CHARS
    for term in terms:
        found = text.find(term, at, at + step)
        if found < 0:
            step += _STEP_CHARS  # there may be a long stretch without Hangul between
            continue
        at, step = found + len(term), _STEP_CHARS
        if term in wanted:
            spans.append((found, at))
    return spans


def _apart(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    kept: list[tuple[int, int]] = []
    for start, end in spans:
        if not kept or start >= kept[-1][1]:
            kept.append((start, end))
    return kept


def _fold(text: str) -> str:
    # NFC keeps one code point per Hangul syllable; lower() may change a length only for a few letters (İ), whose
    # words then simply match less.
    return unicodedata.normalize("NFC", text).lower()


def _stem(word: str) -> str:
    if word in _STOP_WORDS:
        return ""
    if _HANGUL.search(word):
        return _without(word, _PARTICLES, shortest=1) if len(word) > 1 else ""
    return _without(word, _ENDINGS, shortest=4) if len(word) > 1 else ""


def _without(word: str, endings: tuple[str, ...], *, shortest: int) -> str:
    for ending in endings:
        if word.endswith(ending) and len(word) - len(ending) >= shortest:
            return word.removesuffix(ending)
    return word
