"""Weights out of a PyTorch file of the old form (before 1.6), without PyTorch and without running its pickles.

The file is five pickles in a row (magic number, version 1001, sizes of types, the dictionary of tensors, the keys of
the storages) and then each storage: its number of elements as 8 bytes, and the elements, little-endian
(torch/serialization.py, `_legacy_load`).
"""

from __future__ import annotations

import collections
import dataclasses
import io
import math
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from milvuslab.fetch.pickled import read_pickle
from milvuslab.model.errors import CheckFailedError

__all__ = ["read_torch_weights"]

_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001
_STORAGES = {
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "DoubleStorage": "<f8",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
}


@dataclasses.dataclass
class _Storage:
    dtype: str
    element_count: int
    values: npt.NDArray[Any] | None = None


@dataclasses.dataclass
class _Tensor:
    storage: _Storage
    offset: int
    shape: Sequence[int]
    strides: Sequence[int]


def read_torch_weights(content: bytes) -> dict[str, npt.NDArray[Any]]:
    """The tensors by name.

    Raises:
        CheckFailedError: it is no such file, is damaged, or names anything but tensors.
    """
    file = io.BytesIO(content)
    storages: dict[str, _Storage] = {}

    def find_storage(reference: Any) -> _Storage:
        kind, dtype, key, _, element_count, view = reference
        assert kind == "storage" and view is None
        return storages.setdefault(key, _Storage(dtype, element_count))

    allowed: dict[tuple[str, str], Any] = {("torch", name): dtype for name, dtype in _STORAGES.items()}
    allowed["collections", "OrderedDict"] = collections.OrderedDict
    allowed["torch._utils", "_rebuild_tensor_v2"] = lambda storage, offset, shape, strides, *_: _Tensor(
        storage, offset, shape, strides
    )
    if read_pickle(file, allowed={}) != _MAGIC or read_pickle(file, allowed={}) != _VERSION:
        raise CheckFailedError("it is no PyTorch file of the old form", findings=["magic number"])
    read_pickle(file, allowed={})
    tensors = read_pickle(file, allowed=allowed, find_external=find_storage, encoding="utf-8")
    for key in read_pickle(file, allowed={}, encoding="utf-8"):
        _read_storage(file, storages[key])
    return {name: _as_array(name, tensor) for name, tensor in tensors.items()}


def _read_storage(file: io.BytesIO, storage: _Storage) -> None:
    (element_count,) = struct.unpack("<q", file.read(8))
    raw = file.read(element_count * np.dtype(storage.dtype).itemsize)
    storage.values = np.frombuffer(raw, dtype=storage.dtype)
    if not element_count == storage.element_count == len(storage.values):
        raise CheckFailedError("a tensor of the file is cut short", findings=["storage"])


def _as_array(name: str, tensor: _Tensor) -> npt.NDArray[Any]:
    values = tensor.storage.values
    last = tensor.offset + sum((size - 1) * step for size, step in zip(tensor.shape, tensor.strides, strict=True))
    if values is None or not 0 <= last < len(values) or tensor.offset < 0 or math.prod(tensor.shape) < 1:
        raise CheckFailedError(f"the tensor {name} lies outside of its storage", findings=[name])
    steps = [step * values.itemsize for step in tensor.strides]
    view = np.lib.stride_tricks.as_strided(values[tensor.offset :], shape=tensor.shape, strides=steps, writeable=False)
    return np.ascontiguousarray(view)
