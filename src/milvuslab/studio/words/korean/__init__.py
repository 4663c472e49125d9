"""What the pages say in Korean, one table per page."""

from __future__ import annotations

from milvuslab.studio.words.korean import frame, home, image, lab, text

__all__ = ["KOREAN"]

KOREAN = {**frame.WORDS, **home.WORDS, **image.WORDS, **lab.WORDS, **text.WORDS}
