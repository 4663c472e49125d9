"""What the page of the pictures says in Korean."""

from __future__ import annotations

__all__ = ["WORDS"]

WORDS: dict[str, str] = {}
