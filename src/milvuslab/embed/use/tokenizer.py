"""The tokenizer of the Universal Sentence Encoder as the `tokenizer.json` that the `tokenizers` package reads.

Its source is a SentencePiece model, a Protocol Buffers message: field 1 repeats the pieces (1 text, 2 score), and in
this early layout field 3 holds the normaliser, whose field 2 is the table of replacements ("precompiled charsmap").
That table goes into `tokenizer.json` as it is. Then, as SentencePiece does it: white space at both ends goes, runs of
it become one, a mark stands for each and before the text, and the most likely split into pieces is taken.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator
from typing import Any

from milvuslab.model.errors import CheckFailedError

__all__ = ["describe_use_tokenizer"]

_SPACE_MARK = "\u2581"
_UNKNOWN, _BEGIN, _END = 0, 1, 2
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5


def describe_use_tokenizer(sentencepiece_model: bytes) -> bytes:
    """Content of `tokenizer.json`, UTF-8.

    Raises:
        CheckFailedError: it is no SentencePiece model of this layout.
    """
    try:
        pieces, charsmap = _read_model(sentencepiece_model)
    except (IndexError, struct.error, UnicodeDecodeError, StopIteration) as error:
        raise CheckFailedError(f"this is no SentencePiece model: {error}", findings=["sp.model"]) from error
    specials = {pieces[token_id][0]: token_id for token_id in (_BEGIN, _END)}
    begin, end = ({"SpecialToken": {"id": piece, "type_id": 0}} for piece in specials)
    described: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(charsmap).decode()},
                {"type": "Strip", "strip_left": True, "strip_right": True},
                {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
            ],
        },
        "pre_tokenizer": {
            "type": "Metaspace",
            "replacement": _SPACE_MARK,
            "prepend_scheme": "always",
            "split": False,
        },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [begin, {"Sequence": {"id": "A", "type_id": 0}}, end],
            "pair": [
                begin,
                {"Sequence": {"id": "A", "type_id": 0}},
                end,
                {"Sequence": {"id": "B", "type_id": 0}},
                end,
            ],
            "special_tokens": {
                piece: {"id": piece, "ids": [token_id], "tokens": [piece]} for piece, token_id in specials.items()
            },
        },
        "decoder": None,
        "model": {
            "type": "Unigram",
            "unk_id": _UNKNOWN,
            "vocab": [[piece, score] for piece, score in pieces],
            "byte_fallback": False,
        },
    }
    return json.dumps(described, ensure_ascii=False, separators=(",", ":")).encode()


def _read_model(data: bytes) -> tuple[list[tuple[str, float]], bytes]:
    """Pieces with their scores, by token id, and the table of replacements."""
    pieces: list[tuple[str, float]] = []
    charsmap = b""
    for field, value in _fields(data):
        if field == 1:
            parts = dict(_fields(value))
            score = struct.unpack("<f", parts[2])[0] if 2 in parts else 0.0
            pieces.append((parts.get(1, b"").decode(), score))
        elif field == 3:
            charsmap = dict(_fields(value)).get(2, b"")
    if len(pieces) <= _END or not charsmap:
        raise IndexError(f"{len(pieces)} pieces, a table of {len(charsmap)} bytes")
    return pieces, charsmap


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Fields of a message with the bytes of their values; of numbers, whatever bytes they take."""
    offset = 0
    while offset < len(data):
        key, offset = _varint(data, offset)
        kind = key & 7
        if kind == _VARINT:
            begin, (_, offset) = offset, _varint(data, offset)
        elif kind == _BYTES:
            size, begin = _varint(data, offset)
            offset = begin + size
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            begin, offset = offset, offset + (8 if kind == _EIGHT_BYTES else 4)
        else:
            raise IndexError(f"wire type {kind}")
        if offset > len(data):
            raise IndexError("it ends early")
        yield key >> 3, data[begin:offset]


def _varint(data: bytes, offset: int) -> tuple[int, int]:
    """The number and the offset behind it."""
    value = shift = 0
    while True:
        byte = data[offset]
        offset += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, offset
