"""Answers of a run as bytes, kept until they are parsed: in memory up to a bound, in a temporary file beyond it."""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Iterator
from typing import IO

__all__ = ["Answers"]

_MEMORY_BYTES = 64 * 1024 * 1024
_FILE_BUFFER_BYTES = 256 * 1024


class Answers:
    """Filled by one thread, read by one afterwards. Appending takes under a microsecond either way.

    An answer of ten hits has about 200 bytes, so the bound of 64 MiB is met after some 300,000 of them; later ones go
    to a file without a name, and a run of any length takes no more memory.
    """

    def __init__(self, *, memory_bytes: int = _MEMORY_BYTES) -> None:
        self._left_bytes = memory_bytes
        self._rows = array("q")
        self._lengths = array("q")
        self._in_memory: list[bytes] = []
        self._file: IO[bytes] | None = None

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def spilled_count(self) -> int:
        """How many answers lie in the file."""
        return len(self._rows) - len(self._in_memory)

    def append(self, row: int, answer: bytes) -> None:
        """Keeps the answer to the request of that row.

        Raises:
            OSError: the folder of temporary files is full.
        """
        if self._file is None and len(answer) > self._left_bytes:
            self._file = tempfile.TemporaryFile(buffering=_FILE_BUFFER_BYTES)  # noqa: SIM115  (closed by `drain`)
        if self._file is None:
            self._left_bytes -= len(answer)
            self._in_memory.append(answer)
        else:
            self._file.write(answer)
        self._rows.append(row)
        self._lengths.append(len(answer))

    def drain(self) -> Iterator[tuple[int, bytes]]:
        """Every row with its answer, in the order they came; afterwards the file is gone."""
        for position, answer in enumerate(self._in_memory):
            yield self._rows[position], answer
        if self._file is not None:
            with self._file as file:
                file.seek(0)
                for position in range(len(self._in_memory), len(self._rows)):
                    yield self._rows[position], file.read(self._lengths[position])
