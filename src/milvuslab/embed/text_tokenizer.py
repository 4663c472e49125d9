"""A Hugging Face tokenizer with the preparation of characters before it and offsets into the text as given.

Thread safety: the wrapped tokenizer is set up once and then only read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from milvuslab.embed.characters import prepare_text, trace_text
from milvuslab.embed.encoder import IntMatrix
from milvuslab.model.errors import CheckFailedError, missing_extra

__all__ = ["TextTokenizer", "open_tokenizer"]

_CHARACTERS_PER_TOKEN = 100
"""A text is cut to this many characters per token of the limit before tokenizing, to bound the work. The longest
piece of the vocabularies used has 48 bytes, so only text that is mostly white space is cut earlier than its tokens."""


class TextTokenizer:
    """Texts to token ids, never more than the limit.

    Args:
        tokenizer: of the `tokenizers` package, without truncation and padding.
        limit_tokens: most ids of a text, specials included.
        replacements: code point to string, applied after NFC.
    """

    def __init__(self, tokenizer: Any, *, limit_tokens: int, replacements: Mapping[int, str]) -> None:
        self._tokenizer = tokenizer
        self._replacements = replacements
        self.limit_tokens = limit_tokens
        specials = tokenizer.encode("a").special_tokens_mask
        self._tail_count = next((place for place, flag in enumerate(reversed(specials)) if not flag), 0)

    def encode(self, texts: Sequence[str], *, prefix: str = "") -> list[list[int]]:
        """Token ids of each text; a long text loses its end, never the closing special token."""
        limit_chars = self.limit_tokens * _CHARACTERS_PER_TOKEN
        prepared = [prefix + prepare_text(text[:limit_chars], self._replacements) for text in texts]
        return [self._cut(encoding.ids) for encoding in self._tokenizer.encode_batch_fast(prepared)]

    def offsets(self, text: str) -> IntMatrix:
        """Spans of all tokens in `text`, without specials: see `TextEncoder.token_offsets`."""
        traced = trace_text(text, self._replacements)
        spans = self._tokenizer.encode(traced.text, add_special_tokens=False).offsets
        if not spans or not traced.text:
            return np.zeros((0, 2), dtype=np.int32)
        inner = np.array(spans, dtype=np.int64)
        last = len(traced.text) - 1
        starts = traced.starts[np.minimum(inner[:, 0], last)]
        # An empty span (the space mark that is put before the text) ends where it begins.
        ends = np.where(inner[:, 1] > inner[:, 0], traced.ends[np.clip(inner[:, 1] - 1, 0, last)], starts)
        return np.stack([np.maximum.accumulate(starts), np.maximum.accumulate(ends)], axis=1).astype(np.int32)

    def _cut(self, ids: list[int]) -> list[int]:
        if len(ids) <= self.limit_tokens:
            return ids
        return ids[: self.limit_tokens - self._tail_count] + ids[len(ids) - self._tail_count :]


def open_tokenizer(path: Path, *, limit_tokens: int, replacements_path: Path | None = None) -> TextTokenizer:
    """The tokenizer of a `tokenizer.json`; truncation and padding written in it are switched off.

    Raises:
        UnsupportedError: the package `tokenizers` is not installed.
        CheckFailedError: the file cannot be read as a tokenizer.
    """
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise missing_extra("tokenizers", "text") from None
    try:
        tokenizer = Tokenizer.from_buffer(path.read_bytes())
    except ValueError as error:
        raise CheckFailedError(f"{path} is no tokenizer: {error}", findings=[path.name]) from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    table = json.loads(replacements_path.read_bytes()) if replacements_path else {}
    replacements = {int(code_point): text for code_point, text in table.items()}
    return TextTokenizer(tokenizer, limit_tokens=limit_tokens, replacements=replacements)
