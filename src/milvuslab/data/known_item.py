"""Judged queries out of pages that exist in two languages: the title of a page is the question, the page is the answer.

Nobody has to judge anything, so that the quality of a search can be measured by whoever has the pages: each question has
one right answer, the page whose title it was, and the title is taken out of the page. The same pairs give four sets: each
language by itself, and questions of either for pages of the other.
"""

from __future__ import annotations

import collections
import dataclasses
import re
from collections.abc import Iterable
from pathlib import Path

from milvuslab.data.document import Document
from milvuslab.data.judgements import Judgements, write_beir
from milvuslab.data.language import hangul_ratio
from milvuslab.model.errors import UsageError

__all__ = ["KnownItems", "PairRules", "pair_documents", "write_known_items"]

_WORD = re.compile(r"\S+")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PairRules:
    """Which pairs are taken.

    Attributes:
        title_hangul_ratio: least share of Hangul among the letters of the Korean title.
        text_hangul_ratio: least share in the Korean page: many pages of a translation are half English.
        text_chars: least length of both pages without their titles: a stub answers nothing.
        limit_words: how much of a page is kept; None keeps all of it.
    """

    title_hangul_ratio: float = 0.5
    text_hangul_ratio: float = 0.25
    text_chars: int = 100
    limit_words: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KnownItems:
    """Pages in two languages, by the key that both share: title and text without the title.

    Attributes:
        korean: title and text of each Korean page.
        english: the same of each English one.
    """

    korean: dict[str, tuple[str, str]]
    english: dict[str, tuple[str, str]]

    def judgements(self, question: str, answer: str) -> Judgements:
        """Titles in the language `question` as queries, the page in the language `answer` as the one relevant document."""
        titles = self._pages(question)
        return Judgements(
            queries={key: title for key, (title, _) in titles.items()},
            relevant={key: {key: 1} for key in self._pages(answer)},
        )

    def corpus(self, language: str) -> dict[str, dict[str, str]]:
        """The pages of a language, in the form of a line of BEIR's `corpus.jsonl`; their titles are left out."""
        return {
            key: {"title": "", "text": text, "language": language} for key, (_, text) in self._pages(language).items()
        }

    def _pages(self, language: str) -> dict[str, tuple[str, str]]:
        return {"ko": self.korean, "en": self.english}[language]


def pair_documents(
    korean: Iterable[Document], english: Iterable[Document], *, rules: PairRules | None = None
) -> KnownItems:
    """The pages that are there in both languages, translated, and have a title of their own in each.

    Two pages are a pair when the ids that their readers gave them differ in the source alone, which is so for files of the
    same path.

    Raises:
        UsageError: no pair is left.
    """
    rules = rules or PairRules()
    translations = {_key(document): document for document in english}
    pairs = {
        _key(one): (_page(one, rules), _page(translations[_key(one)], rules))
        for one in korean
        if _key(one) in translations
    }
    pairs = {key: pair for key, pair in pairs.items() if _is_translated(*pair, rules=rules)}
    for side in (0, 1):
        counts = collections.Counter(pair[side][0] for pair in pairs.values())
        # A title that went with one side alone would leave a question without its only answer, so the pair goes.
        repeated = {title for title, count in counts.items() if count > 1}
        pairs = {key: pair for key, pair in pairs.items() if pair[side][0] not in repeated}
    if not pairs:
        raise UsageError(
            "no page is there in both languages", hint="name the Korean and the English form of one source"
        )
    return KnownItems(
        korean={key: pair[0] for key, pair in pairs.items()}, english={key: pair[1] for key, pair in pairs.items()}
    )


def write_known_items(folder: Path, items: KnownItems) -> list[Path]:
    """Four folders in BEIR's form, `ko`, `en`, `ko-en` (Korean questions, English pages) and `en-ko`."""
    written = []
    for question, answer in (("ko", "ko"), ("en", "en"), ("ko", "en"), ("en", "ko")):
        place = folder / (question if question == answer else f"{question}-{answer}")
        write_beir(place, items.judgements(question, answer), corpus=items.corpus(answer))
        written.append(place)
    return written


def _key(document: Document) -> str:
    return document.document_id.removeprefix(f"{document.source}-")


def _page(document: Document, rules: PairRules) -> tuple[str, str]:
    text = document.text.removeprefix(document.title).lstrip()
    if rules.limit_words is not None:
        words = list(_WORD.finditer(text))
        text = text[: words[rules.limit_words - 1].end()] if len(words) > rules.limit_words else text
    return document.title, text


def _is_translated(korean: tuple[str, str], english: tuple[str, str], *, rules: PairRules) -> bool:
    return (
        hangul_ratio(korean[0]) >= rules.title_hangul_ratio
        and hangul_ratio(korean[1]) >= rules.text_hangul_ratio
        and min(len(korean[1]), len(english[1])) >= rules.text_chars
    )
