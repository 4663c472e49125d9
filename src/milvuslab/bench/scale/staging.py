"""Rows on their way to the server: one part at a time as `.npy` files, and the exact answers found meanwhile.

A part is whole when its folder has its final name, which it gets after the answers so far are on disk. So whatever is
killed, the next run finds either both or neither, and makes no row twice but those of the part that was cut short.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from milvuslab.bench.scale.case import ScaleCase
from milvuslab.data.nearest import Nearest
from milvuslab.model.metric import Metric
from milvuslab.model.progress import Observer, Progress, silent

if TYPE_CHECKING:
    from milvuslab.data.vectors.vector_set import VectorSet

__all__ = ["Staging"]

_BLOCK_BYTES = 32 << 20


class Staging:
    """The folder of one run.

    Args:
        folder: below the home folder, where a local server can read.
        case: the run.
        vectors: its rows.
    """

    def __init__(self, folder: Path, case: ScaleCase, vectors: VectorSet) -> None:
        self._folder = folder
        self._case = case
        self._vectors = vectors
        self._nearest: tuple[int, Nearest] | None = None

    def files(self, part: int) -> list[str]:
        """What the server is given, whether it is there or not."""
        return [str(self._part_dir(part) / f"{field}.npy") for field in ("id", "vector")]

    def stage(self, part: int, observer: Observer = silent) -> bool:
        """Makes a part's files and takes its rows into the exact answers; False when they were there already."""
        if self._part_dir(part).is_dir() and self._answers_path(part + 1).is_file():
            return False
        nearest = self._answers_before(part)
        unfinished = self._part_dir(part).with_suffix(".unfinished")
        for stale in (unfinished, self._part_dir(part)):
            shutil.rmtree(stale, ignore_errors=True)
        unfinished.mkdir(parents=True)
        self._write_part(unfinished, part, nearest, observer)
        _write_answers(self._answers_path(part + 1), nearest)
        unfinished.rename(self._part_dir(part))
        self._nearest = (part + 1, nearest)
        return True

    def discard(self, part: int) -> None:
        """Removes the files of a part that the server has, and the answers that newer ones replace."""
        shutil.rmtree(self._part_dir(part), ignore_errors=True)
        self._answers_path(part).unlink(missing_ok=True)

    def answers(self) -> Nearest:
        """The exact answers over all rows; every part must have been staged."""
        return self._answers_before(self._case.part_count)

    def clear(self) -> None:
        """Removes everything of the run."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _write_part(self, folder: Path, part: int, nearest: Nearest, observer: Observer) -> None:
        start, stop = self._case.bounds(part)
        step = f"generate part {part + 1} of {self._case.part_count}"
        block_rows = max(1_024, _BLOCK_BYTES // (4 * self._case.dim))
        with (folder / "vector.npy").open("wb") as file:
            _write_head(file, (stop - start, self._case.dim))
            for begin in range(start, stop, block_rows):
                end = min(stop, begin + block_rows)
                rows = np.ascontiguousarray(self._vectors.read_rows(begin, end), dtype="<f4")
                file.write(rows.data)
                nearest.add(np.arange(begin, end, dtype=np.int64), rows)
                observer(Progress(step=step, done_count=end - start, total_count=stop - start, unit="rows"))
        np.save(folder / "id.npy", np.arange(start, stop, dtype="<i8"))

    def _answers_before(self, part: int) -> Nearest:
        """The answers over the parts before this one."""
        if self._nearest is not None and self._nearest[0] == part:
            return self._nearest[1]
        nearest = Nearest(self._vectors.queries, k=self._case.k, metric=Metric.L2)
        if part > 0:
            with np.load(self._answers_path(part)) as kept:
                nearest.ids[:], nearest.distances[:] = kept["ids"], kept["distances"]
        return nearest

    def _part_dir(self, part: int) -> Path:
        return self._folder / f"part-{part:05d}"

    def _answers_path(self, part: int) -> Path:
        return self._folder / f"answers-{part:05d}.npz"


def _write_head(file: Any, shape: tuple[int, int]) -> None:
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})


def _write_answers(path: Path, nearest: Nearest) -> None:
    temporary = path.with_suffix(".unfinished")
    with temporary.open("wb") as file:
        np.savez(file, ids=nearest.ids, distances=nearest.distances)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
