"""ONNX graphs written straight to a file: the few parts of the format that the rebuilt encoders need.

The `onnx` package is not used: its Protocol Buffers requirement would have to live beside that of the Milvus
client, and its output changes with its version. Written here, the same weights give the same bytes everywhere,
so a rebuilt model has a checksum that can be pinned. Field numbers: onnx/onnx.proto of ONNX 1.16, IR version 8.

Tensors are kept as the buffers they came in and go to the file one after the other; nothing is copied whole.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any

import numpy as np
import numpy.typing as npt

__all__ = ["Graph", "ValueShape"]

_Attribute = float | int | str
ValueShape = tuple["int | str", ...]
"""Shape of an input or output; a word stands for a dimension that is known at run time only."""

_ELEMENT_TYPES = {"float32": 1, "uint8": 2, "int8": 3, "int32": 6, "int64": 7, "float16": 10}
_IR_VERSION = 8
_OPSETS = {"": 18, "com.microsoft": 1}
_ATTRIBUTE_FLOAT, _ATTRIBUTE_INT, _ATTRIBUTE_STRING, _ATTRIBUTE_INTS = 1, 2, 3, 7


@dataclasses.dataclass
class Graph:
    """A graph that grows node by node.

    Attributes:
        name: stored in the file, and the prefix of nothing.
        nodes: encoded NodeProto messages, in execution order.
        tensors: name to constant; written in this order.
    """

    name: str
    nodes: list[bytes] = dataclasses.field(default_factory=list)
    tensors: dict[str, npt.NDArray[Any]] = dataclasses.field(default_factory=dict)
    inputs: list[bytes] = dataclasses.field(default_factory=list)
    outputs: list[bytes] = dataclasses.field(default_factory=list)

    def add_tensor(self, name: str, values: npt.NDArray[Any]) -> str:
        """Stores a constant; returns its name. A name that is there already must not come again."""
        assert name not in self.tensors, f"tensor {name} is written twice"
        assert values.dtype.name in _ELEMENT_TYPES, f"tensor {name} has the type {values.dtype}"
        self.tensors[name] = np.ascontiguousarray(values)
        return name

    def add_input(self, name: str, *, dtype: str, shape: ValueShape) -> str:
        """Declares what the caller feeds; returns its name."""
        self.inputs.append(_value_info(name, dtype, shape))
        return name

    def add_output(self, name: str, *, dtype: str, shape: ValueShape) -> None:
        """Declares what the caller gets."""
        self.outputs.append(_value_info(name, dtype, shape))

    def add_node(
        self,
        operator: str,
        inputs: Sequence[str],
        outputs: str | Sequence[str],
        *,
        domain: str = "",
        attributes: Mapping[str, _Attribute | Sequence[int]] | None = None,
    ) -> str:
        """Appends one operation; returns the name of its first output.

        Args:
            inputs: names in the operator's order; "" leaves an optional one out.
            domain: "" for standard operators, "com.microsoft" for those of ONNX Runtime.
        """
        names = [outputs] if isinstance(outputs, str) else list(outputs)
        message = b"".join(_text(1, name) for name in inputs) + b"".join(_text(2, name) for name in names)
        message += _text(3, names[0]) + _text(4, operator)
        message += b"".join(_bytes(5, _attribute(key, value)) for key, value in (attributes or {}).items())
        self.nodes.append(message + (_text(7, domain) if domain else b""))
        return names[0]

    def write(self, file: IO[bytes]) -> None:
        """Writes the whole model; memory stays at what the tensors already take."""
        parts = list(self._graph_parts())
        header = _number(1, _IR_VERSION) + _text(2, "milvuslab")
        footer = b"".join(
            _bytes(8, (_text(1, domain) if domain else b"") + _number(2, version))
            for domain, version in _OPSETS.items()
        )
        file.write(header + _tag(7, 2) + _varint(sum(memoryview(part).nbytes for part in parts)))
        for part in parts:
            file.write(part)
        file.write(footer)

    def _graph_parts(self) -> Iterable[bytes | memoryview]:
        yield b"".join(_bytes(1, node) for node in self.nodes)
        yield _text(2, self.name)
        for name, values in self.tensors.items():
            head = _packed(1, values.shape) + _number(2, _ELEMENT_TYPES[values.dtype.name]) + _text(8, name)
            head += _tag(9, 2) + _varint(values.nbytes)
            yield _tag(5, 2) + _varint(len(head) + values.nbytes) + head
            yield values.reshape(-1).view(np.uint8).data
        yield b"".join(_bytes(11, value) for value in self.inputs)
        yield b"".join(_bytes(12, value) for value in self.outputs)


def _value_info(name: str, dtype: str, shape: ValueShape) -> bytes:
    sizes = b"".join(_bytes(1, _number(1, size) if isinstance(size, int) else _text(2, size)) for size in shape)
    tensor_type = _number(1, _ELEMENT_TYPES[dtype]) + _bytes(2, sizes)
    return _text(1, name) + _bytes(2, _bytes(1, tensor_type))


def _attribute(name: str, value: _Attribute | Sequence[int]) -> bytes:
    if isinstance(value, float):
        body, kind = _tag(2, 5) + struct.pack("<f", value), _ATTRIBUTE_FLOAT
    elif isinstance(value, int):
        body, kind = _number(3, value), _ATTRIBUTE_INT
    elif isinstance(value, str):
        body, kind = _text(4, value), _ATTRIBUTE_STRING
    else:
        body, kind = b"".join(_number(8, item) for item in value), _ATTRIBUTE_INTS
    return _text(1, name) + body + _number(20, kind)


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _tag(field: int, wire_type: int) -> bytes:
    return _varint(field << 3 | wire_type)


def _number(field: int, value: int) -> bytes:
    return _tag(field, 0) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _tag(field, 2) + _varint(len(value)) + value


def _text(field: int, value: str) -> bytes:
    return _bytes(field, value.encode())


def _packed(field: int, values: Sequence[int]) -> bytes:
    return _bytes(field, b"".join(_varint(value) for value in values))
