"""CIFAR-10 and CIFAR-100 as Krizhevsky publishes them: the binary and the Python version, unpacked or as their tar.gz.

Binary: records of one label byte (CIFAR-100: coarse and fine) and 3,072 bytes, the red plane first, 32 rows of 32. Python:
pickles of a dictionary with `data` (n, 3072) uint8 in the same order and `labels` (`fine_labels`). The pickles are
read without running them. Each picture is handed out as a PNG, so everything behind treats it like any other file.
"""

from __future__ import annotations

import io
import struct
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from milvuslab.fetch.pickled import read_pickle
from milvuslab.model.errors import CheckFailedError

__all__ = ["CifarReader", "Planes", "open_cifar", "read_python_batch", "render_png"]

_PIXEL_BYTES = 3_072
_FILE_BYTES_MAX = 200_000_000
_NAMES = ("batches.meta.txt", "batches.meta", "fine_label_names.txt", "meta")
_BATCHES = {
    "cifar-10 binary": (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"),
    "cifar-10 python": (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"),
    "cifar-100 binary": ("train.bin", "test.bin"),
    "cifar-100 python": ("train", "test"),
}
_SIGNS = {
    "cifar-10 binary": "batches.meta.txt",
    "cifar-10 python": "batches.meta",
    "cifar-100 binary": "fine_label_names.txt",
    "cifar-100 python": "meta",
}

Planes = npt.NDArray[np.uint8]


def open_cifar(path: Path) -> CifarReader | None:
    """The reader when a path is CIFAR's folder or archive, else None.

    Raises:
        CheckFailedError: it is, and it is damaged.
    """
    if path.is_dir():
        return _choose({entry.name: entry for entry in path.iterdir() if entry.is_file()})
    if path.name.lower().startswith("cifar") and path.name.lower().endswith((".tar.gz", ".tgz", ".tar")):
        return _choose(_unpack(path))
    return None


def _choose(files: Mapping[str, Path | bytes]) -> CifarReader | None:
    for kind, sign in _SIGNS.items():
        batches = [name for name in _BATCHES[kind] if name in files]
        if sign in files and batches:
            return CifarReader(kind, {name: files[name] for name in [*batches, sign]})
    return None


def _unpack(path: Path) -> dict[str, Path | bytes]:
    wanted = {name for names in _BATCHES.values() for name in names} | set(_NAMES)
    found: dict[str, Path | bytes] = {}
    try:
        with tarfile.open(path, mode="r:*") as tar:
            for member in tar:
                name = PurePosixPath(member.name).name
                if member.isreg() and name in wanted and member.size <= _FILE_BYTES_MAX:
                    opened = tar.extractfile(member)
                    assert opened is not None
                    found[name] = opened.read()
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise CheckFailedError(f"{path.name} is damaged: {error}"[:300], findings=[path.name]) from None
    return found


class CifarReader:
    """See `ImageReader`. Keys are `BATCH/NUMBER.png`; the batch that is being read is in memory (30 MB)."""

    def __init__(self, kind: str, files: dict[str, Path | bytes]) -> None:
        self._kind = kind
        self._files = files
        self._is_binary = kind.endswith("binary")
        self._batches = [name for name in _BATCHES[kind] if name in files]
        self._label_names = self._read_label_names()

    def count(self) -> int | None:
        """Pictures, by the size of the files; None for the Python version."""
        return sum(self._size(name) // self._record_bytes for name in self._batches) if self._is_binary else None

    def entries(self, report: Callable[[str, str], None]) -> Iterator[tuple[str, str, str, Callable[[], bytes]]]:
        """All pictures, training batches first; a batch that cannot be read is reported."""
        for batch in self._batches:
            try:
                labels, planes = self._read_binary(batch) if self._is_binary else self._read_python(batch)
            except CheckFailedError as error:
                report(batch, error.message)
                continue
            for number, (label, plane) in enumerate(zip(labels, planes, strict=True)):
                name = f"{number:05d}.png"
                yield f"{batch.removesuffix('.bin')}/{name}", self._name_of(int(label)), name, _renderer(plane)

    @property
    def _record_bytes(self) -> int:
        return _PIXEL_BYTES + (1 if self._kind.startswith("cifar-10 ") else 2)

    def _size(self, name: str) -> int:
        file = self._files[name]
        return len(file) if isinstance(file, bytes) else file.stat().st_size

    def _content(self, name: str) -> bytes:
        if self._size(name) > _FILE_BYTES_MAX:
            raise CheckFailedError(f"{name} has more than {_FILE_BYTES_MAX:,} bytes", findings=[name])
        file = self._files[name]
        return file if isinstance(file, bytes) else file.read_bytes()

    def _read_binary(self, name: str) -> tuple[npt.NDArray[np.uint8], Planes]:
        content = self._content(name)
        if len(content) % self._record_bytes:
            raise CheckFailedError(f"{name} is cut short: {len(content):,} bytes", findings=[name])
        rows = np.frombuffer(content, dtype=np.uint8).reshape(-1, self._record_bytes)
        return rows[:, self._record_bytes - _PIXEL_BYTES - 1], rows[:, -_PIXEL_BYTES:]

    def _read_python(self, name: str) -> tuple[list[int], Planes]:
        stored = read_python_batch(self._content(name))
        planes, labels = stored.get(b"data"), stored.get(b"fine_labels", stored.get(b"labels"))
        if not isinstance(planes, np.ndarray) or planes.shape[1:] != (_PIXEL_BYTES,) or not isinstance(labels, list):
            raise CheckFailedError(f"{name} holds no pictures of CIFAR", findings=[name])
        if len(labels) != len(planes) or not all(isinstance(label, int) for label in labels):
            raise CheckFailedError(f"{name} has {len(planes)} pictures and {len(labels)} labels", findings=[name])
        return labels, planes

    def _read_label_names(self) -> list[str]:
        content = self._content(_SIGNS[self._kind])
        if self._is_binary:
            return content.decode("utf-8", "replace").split()
        stored = read_python_batch(content)
        names = stored.get(b"fine_label_names", stored.get(b"label_names", []))
        return [name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name) for name in names]

    def _name_of(self, label: int) -> str:
        return self._label_names[label] if 0 <= label < len(self._label_names) else str(label)


class _StoredArray:
    """What stands for numpy's array while a pickle is read: keeps the parts, builds nothing of a stranger's choice."""

    def __init__(self, *_: Any) -> None:
        self.array: Planes = np.zeros((0, 0), dtype=np.uint8)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, is_fortran, raw = state
        content = raw if isinstance(raw, bytes) else raw.encode("latin-1")
        if dtype.code not in ("u1", b"u1", "|u1", b"|u1") or len(shape) != 2:
            raise CheckFailedError("an array of the pickle is no table of bytes", findings=[str(shape)])
        self.array = np.frombuffer(content, dtype=np.uint8).reshape(shape, order="F" if is_fortran else "C")


class _StoredType:
    def __init__(self, code: Any, *_: Any) -> None:
        self.code = code

    def __setstate__(self, state: Any) -> None:
        del state


def read_python_batch(content: bytes) -> dict[bytes, Any]:
    """The dictionary of a pickle of CIFAR's Python version, keys as bytes.

    Raises:
        CheckFailedError: the pickle names anything but a table of bytes, or is no such dictionary.
    """
    allowed: dict[tuple[str, str], Any] = {("numpy", "ndarray"): _StoredArray, ("numpy", "dtype"): _StoredType}
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
        allowed[module, "_reconstruct"] = _StoredArray
    allowed["_codecs", "encode"] = lambda text, _: text.encode("latin-1")
    stored = read_pickle(io.BytesIO(content), allowed=allowed)
    if not isinstance(stored, dict):
        raise CheckFailedError("the pickle holds no dictionary", findings=["pickle"])
    found = {key.encode() if isinstance(key, str) else key: value for key, value in stored.items()}
    return {key: value.array if isinstance(value, _StoredArray) else value for key, value in found.items()}


def _renderer(plane: npt.NDArray[np.uint8]) -> Callable[[], bytes]:
    return lambda: render_png(plane.reshape(3, 32, 32).transpose(1, 2, 0))


def render_png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """A PNG of (h, w, 3) uint8; written here, so that reading a set does not need Pillow."""
    height, width = pixels.shape[:2]
    rows = np.zeros((height, 1 + 3 * width), dtype=np.uint8)
    rows[:, 1:] = pixels.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in parts
    )
