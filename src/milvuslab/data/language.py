"""Korean or English: decided by the share of Hangul among the letters."""

from __future__ import annotations

import re

__all__ = ["HANGUL_RATIO_MINIMUM", "detect_language", "hangul_ratio"]

HANGUL_RATIO_MINIMUM = 0.2
"""Share of Hangul from which a text counts as Korean.

Korean technical text is full of English words, English text holds Hangul only in names: the border lies low. A Hangul
syllable stands for two to three letters, so at 0.2 the Korean part is already a third to a half of what is said.
"""

_HANGUL = re.compile("[\uac00-\ud7a3\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\ud7b0-\ud7ff]")
_LETTER = re.compile(r"[^\W\d_]")
_SAMPLE_CHARS = 20_000


def detect_language(text: str) -> str:
    """`ko` when at least `HANGUL_RATIO_MINIMUM` of the letters are Hangul, else `en`.

    Only these two are told apart: whoever reads other languages passes `language` to the reader. The first 20,000
    characters decide.

    >>> detect_language("LibreOffice에서 파일을 엽니다"), detect_language("Opens a file"), detect_language("2024")
    ('ko', 'en', 'en')
    """
    return "ko" if hangul_ratio(text) >= HANGUL_RATIO_MINIMUM else "en"


def hangul_ratio(text: str) -> float:
    """Share of Hangul among the letters of the first 20,000 characters, in [0, 1]; 0 where there is no letter."""
    sample = text[:_SAMPLE_CHARS]
    letter_count = len(_LETTER.findall(sample))
    return len(_HANGUL.findall(sample)) / letter_count if letter_count else 0.0
