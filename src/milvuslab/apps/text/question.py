"""The words of a question, as a lexical channel counts them and as a person wrote them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from milvuslab.data.language import hangul_ratio
from milvuslab.data.terms import find_terms

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["QuestionWords", "find_question_words"]


@dataclasses.dataclass(frozen=True, slots=True)
class QuestionWords:
    """The terms of a question.

    Attributes:
        terms: in order, repeated where the question repeats them.
        surfaces: how each was written where it came first.
    """

    terms: tuple[str, ...] = ()
    surfaces: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def matched(self, terms: Iterable[str]) -> tuple[str, ...]:
        """The words of the question that are among the terms, as they were written."""
        there = set(terms)
        return tuple(surface for term, surface in self.surfaces.items() if term in there)


def find_question_words(text: str) -> QuestionWords:
    """The words of the question; one Hangul letter makes it Korean, however many other words surround it.

    Raises:
        UnsupportedError: the extra that its language needs is not installed.
    """
    terms = find_terms(text, language="ko" if hangul_ratio(text) > 0 else "en")
    surfaces: dict[str, str] = {}
    for term in terms:
        surfaces.setdefault(term.text, text[term.start : term.end])
    return QuestionWords(tuple(term.text for term in terms), surfaces)
