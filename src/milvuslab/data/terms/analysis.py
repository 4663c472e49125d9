"""A text as terms: what a lexical channel indexes and asks for. Safe to use from many threads.

A term holds letters and digits only, in lower case, so that a server's analyser which cuts at everything else (`standard`
of Milvus 2.5 and of Lite, `whitespace` of Milvus) gives the terms back as they are.

Korean words become their morphemes that mean something: 표를, 표에서 and 표의 are all 표. Words of other scripts become
their stem, in a Korean text as in an English one, so that a question finds them in both. Hangul in a text of another
language stays whole words: nobody needs the Korean analyser for a name in an English page.
"""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Iterator

from milvuslab.data.terms.korean import find_morphemes, open_kiwi
from milvuslab.data.terms.stemming import stem_word

__all__ = ["TERMS_VERSION", "Term", "check_terms", "find_stems", "find_terms", "normalize_terms"]

TERMS_VERSION = 1
"""Raised whenever the same text gives other terms: what is indexed and what is asked must come from the same rules."""

_PIECE_CHARS = 2_000
_HANGUL = "\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7a3\ud7b0-\ud7ff"
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_FOREIGN = re.compile(rf"[^\W_{_HANGUL}]+(?:['\u2019][^\W_{_HANGUL}]+)*")
_HAS_HANGUL = re.compile(f"[{_HANGUL}]")


@dataclasses.dataclass(frozen=True, slots=True)
class Term:
    """One term, and the characters of the text it comes from: `text[start:end]`."""

    text: str
    start: int
    end: int


def find_terms(text: str, *, language: str) -> list[Term]:
    """The terms of a text, in order.

    A text that is not in NFC is composed first; positions are those in the text as it was given.

    Args:
        text: anything; the analyser sees 2,000 characters at a time, cut between words.
        language: `ko` takes Hangul apart into morphemes.

    Raises:
        UnsupportedError: Korean without the extra `korean`, any text without the extra `text`.

    >>> [term.text for term in find_terms("The indexes of 3 vectors", language="en")]
    ['index', '3', 'vector']
    """
    return list(_walk(text, language=language))


def find_stems(text: str) -> list[Term]:
    """The terms of those words of an NFC text that hold no Hangul: cheap, and alike in every language.

    Raises:
        UnsupportedError: the extra `text` is not installed.

    >>> find_stems("indexes에서")
    [Term(text='index', start=0, end=7)]
    """
    return _words(text, _FOREIGN)


def normalize_terms(text: str, *, language: str, limit_bytes: int | None = None) -> str:
    """The terms joined by blanks: what a whitespace analyser is given.

    Args:
        text: anything.
        language: as for `find_terms`.
        limit_bytes: longest result in UTF-8; terms behind it are left out.

    Raises:
        UnsupportedError: as `find_terms`.

    >>> normalize_terms("The indexes of 3 vectors", language="en")
    'index 3 vector'
    """
    kept: list[str] = []
    room = limit_bytes
    for term in _walk(text, language=language):
        if room is not None:
            room -= len(term.text.encode()) + bool(kept)
            if room < 0:
                break
        kept.append(term.text)
    return " ".join(kept)


def check_terms(language: str) -> None:
    """Raises UnsupportedError where texts of the language cannot be taken apart, naming the extra that is missing."""
    stem_word("word")
    if language == "ko":
        open_kiwi()


def _walk(text: str, *, language: str) -> Iterator[Term]:
    composed, starts = _compose(text)
    for begin, piece in _pieces(composed):
        for term in _piece_terms(piece, language=language):
            first, last = begin + term.start, begin + term.end
            if starts is None:
                yield Term(term.text, first, last)
            else:
                yield Term(term.text, starts[first], starts[last])


def _piece_terms(piece: str, *, language: str) -> list[Term]:
    if language != "ko":
        return _words(piece, _WORD)
    terms = _words(piece, _FOREIGN)
    if _HAS_HANGUL.search(piece):
        terms += [Term(*found) for found in find_morphemes(piece)]
        terms.sort(key=lambda term: (term.start, term.end))
    return terms


def _words(piece: str, pattern: re.Pattern[str]) -> list[Term]:
    return [
        Term(stem, match.start(), match.end())
        for match in pattern.finditer(piece)
        if (stem := stem_word(match.group()))
    ]


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """The text in parts of bounded length, each with its offset, cut at a line end or else a blank where there is one."""
    begin = 0
    while begin < len(text):
        end = min(len(text), begin + _PIECE_CHARS)
        if end < len(text):
            cut = max(text.rfind("\n", begin, end), begin) or begin
            if cut <= begin + _PIECE_CHARS // 2:
                cut = text.rfind(" ", begin, end)
            end = cut + 1 if cut > begin else end
        yield begin, text[begin:end]
        begin = end


def _compose(text: str) -> tuple[str, list[int] | None]:
    """The text in NFC, and where each of its characters (and its end) began; None where nothing changed."""
    if unicodedata.is_normalized("NFC", text):
        return text, None
    borders = [index for index, letter in enumerate(text) if index == 0 or not _joins(letter)]
    parts: list[str] = []
    starts: list[int] = []
    for begin, end in zip(borders, [*borders[1:], len(text)], strict=True):
        part = unicodedata.normalize("NFC", text[begin:end])
        parts.append(part)
        # Letters of one cluster share its first character; a cluster is one letter but for rare marks.
        starts += [begin] * len(part)
    return "".join(parts), [*starts, len(text)]


def _joins(letter: str) -> bool:
    """Whether the character may become one with those before it: marks, and the later jamo of a syllable."""
    return (
        unicodedata.category(letter).startswith("M") or "\u1160" <= letter <= "\u11ff" or "\ud7b0" <= letter <= "\ud7ff"
    )
