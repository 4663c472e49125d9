"""Where the words of a question stand in a passage. Pure text; no model.

Dense search finds by meaning, so a good passage may hold none of the words; then nothing is marked.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = ["highlight_spans"]

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
