"""Words of scripts with blanks between words: lower case, without the commonest words, cut to their English stem."""

from __future__ import annotations

import functools
import threading
from typing import Any

from milvuslab.model.errors import missing_extra

__all__ = ["stem_word"]

_STOP_WORDS = frozenset(
    (  # noqa: SIM905  (a list of a hundred lines reads no better)
        "a an and are as at be been but by can could did do does for from had has have how i if in into is it its me my "
        "no not of on or our shall she he should so such than that the their them then there these they this those to "
        "was we were what when where which who why will with would you your"
    ).split()
)
"""Words that stand in every other text: they find nothing and cost a posting list each."""
_LOCK = threading.Lock()
_WORD_CHARS_MAX = 64


@functools.lru_cache(maxsize=65_536)
def stem_word(word: str) -> str:
    """The stem of a word in letters and digits; empty for a stop word.

    Numbers and words in other scripts come out in lower case as they are.

    Raises:
        UnsupportedError: the extra `text` is not installed.

    >>> [stem_word(word) for word in ("Searching", "the", "2024", "Vector's")]
    ['search', '', '2024', 'vector']
    """
    folded = word.lower().replace("\u2019", "'")[:_WORD_CHARS_MAX]
    if folded in _STOP_WORDS:
        return ""
    if folded.isascii() and not folded.isdigit():
        with _LOCK:  # a stemmer keeps the word it works on
            folded = _open_stemmer().stemWord(folded)
    return folded if folded.isalnum() else "".join(letter for letter in folded if letter.isalnum())


@functools.cache
def _open_stemmer() -> Any:
    try:
        # By its own module: `snowballstemmer.stemmer` would take PyStemmer of any version where that is installed.
        from snowballstemmer.english_stemmer import EnglishStemmer
    except ImportError:
        raise missing_extra("snowballstemmer", "text") from None
    return EnglishStemmer()
