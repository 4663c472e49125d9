"""What the pages say in English, one table per page."""

from __future__ import annotations

from milvuslab.studio.words.english import frame, home, image, lab, text

__all__ = ["ENGLISH"]

ENGLISH = {**frame.WORDS, **home.WORDS, **image.WORDS, **lab.WORDS, **text.WORDS}
