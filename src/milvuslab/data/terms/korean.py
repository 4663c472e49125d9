"""Korean morphemes by Kiwi, opened once a process: it takes one to three seconds and some 300 MB."""

from __future__ import annotations

import functools
import threading
import unicodedata
from typing import Any

from milvuslab.model.errors import missing_extra

__all__ = ["find_morphemes", "open_kiwi"]

_TAGS = frozenset({"NNG", "NNP", "NR", "VV", "VA", "XR", "MAG"})
"""Nouns, names, numerals, verbs, adjectives, roots, adverbs of the Sejong tag set: particles, endings, dependent nouns,
pronouns and auxiliary verbs mean nothing alone. Words in other scripts are stemmed by the caller."""
_FORM_CHARS_MAX = 64
_LOCK = threading.Lock()


def find_morphemes(text: str) -> list[tuple[str, int, int]]:
    """Morphemes with their places in the text, which must be in NFC.

    Raises:
        UnsupportedError: the extra `korean` is not installed.
    """
    return [
        (form, token.start, token.end)
        for token in open_kiwi().tokenize(text)
        if token.tag.split("-")[0] in _TAGS and (form := _plain(token.form))
    ]


def open_kiwi() -> Any:
    """The analyser, which many threads may use at once: it changes nothing of itself while it analyses.

    Raises:
        UnsupportedError: the extra `korean` is not installed.
    """
    with _LOCK:
        return _open()


@functools.cache
def _open() -> Any:
    try:
        from kiwipiepy import Kiwi
    except ImportError:
        raise missing_extra("kiwipiepy", "korean") from None
    # The dictionary of many-word names is left out: it joins words that a question may name alone.
    return Kiwi(num_workers=1, load_multi_dict=False)


def _plain(form: str) -> str:
    """The form without what is no letter or digit, which a server's analyser would cut at."""
    composed = unicodedata.normalize("NFC", form).lower()[:_FORM_CHARS_MAX]
    return composed if composed.isalnum() else "".join(letter for letter in composed if letter.isalnum())
