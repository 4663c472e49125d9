"""Everything a page says, by language; and how numbers, times and sizes are written."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from milvuslab.studio.words.english import ENGLISH
from milvuslab.studio.words.korean import KOREAN

__all__ = ["LANGUAGES", "WORDS", "Words", "choose_language"]

LANGUAGES = {"ko": "한국어", "en": "English"}
WORDS: Mapping[str, Mapping[str, str]] = {"en": ENGLISH, "ko": KOREAN}


class Words:
    """The texts of one language.

    Args:
        language: `en` or `ko`.
    """

    def __init__(self, language: str) -> None:
        self.language = language
        self._table = WORDS[language]

    def __call__(self, key: str, **values: object) -> str:
        """The text of that key with its values filled in."""
        return self._table[key].format(**values)

    def template(self, key: str) -> str:
        """The text of that key as it is kept: a script fills in the values."""
        return self._table[key]

    def number(self, value: float) -> str:
        """A count with separators: `12,345`."""
        return f"{value:,.0f}"

    def size(self, size_bytes: float) -> str:
        """Bytes for a person: `312 MB`."""
        if size_bytes < 1e6:
            return f"{size_bytes / 1e3:.0f} kB"
        return f"{size_bytes / 1e6:.0f} MB" if size_bytes < 1e9 else f"{size_bytes / 1e9:.1f} GB"

    def milliseconds(self, value_ms: float) -> str:
        """A short time: `4.7 ms`."""
        return f"{value_ms:.1f} ms" if value_ms < 100 else f"{value_ms:,.0f} ms"

    def duration(self, duration_s: float) -> str:
        """A longer time, roughly: `40 s`, `3 min`."""
        if duration_s < 90:
            return self("time.seconds", count=f"{duration_s:.0f}")
        if duration_s < 5_400:
            return self("time.minutes", count=f"{duration_s / 60:.0f}")
        return self("time.hours", count=f"{duration_s / 3600:.1f}")

    def day(self, unix_s: int) -> str:
        """A date, UTC."""
        moment = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc) + dt.timedelta(seconds=unix_s)
        return self("time.day", year=moment.year, month=moment.month, day=moment.day)


def choose_language(*, cookie: str, accepted: str) -> str:
    """The language of a page: what was chosen before, else the browser's first that we speak, else English.

    >>> choose_language(cookie="", accepted="ko-KR,ko;q=0.9,en;q=0.8")
    'ko'
    """
    if cookie in LANGUAGES:
        return cookie
    for part in accepted.split(","):
        code = part.split(";")[0].split("-")[0].strip().lower()
        if code in LANGUAGES:
            return code
    return "en"
