"""Random streams that any part can be drawn from alone: raw words of a counted generator, and scalars made of them.

Only raw words of SFC64 behind a `SeedSequence` are used: numpy promises that both stay the same from version to
version, which it does not promise for `normal` or `integers`. What is made of them here is integer arithmetic or a
table, so the same seed gives the same bytes on every machine.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["BUCKET_COUNT", "draw_buckets", "draw_words"]

BUCKET_COUNT = 10_000
"""Values of the scalar that filters select by: `bucket < 100` lets one row in a hundred pass."""

_BUCKET_TILE_ROWS = 65_536
_BUCKET_STREAM = 0xB0CC


def draw_words(count: int, *, seed: int, stream: int, tile: int) -> npt.NDArray[np.uint64]:
    """(count,) little-endian random words of one tile of one stream; equal arguments give equal words."""
    generator: Any = np.random.SFC64(np.random.SeedSequence(seed, spawn_key=(stream, tile)))
    return np.asarray(generator.random_raw(count), dtype="<u8")


def draw_buckets(start: int, stop: int, *, seed: int) -> npt.NDArray[np.int32]:
    """(stop - start,) int32, uniform in [0, BUCKET_COUNT): the bucket of every row, independent of its vector."""
    buckets = np.empty(stop - start, dtype=np.int32)
    for tile in range(start // _BUCKET_TILE_ROWS, -(-stop // _BUCKET_TILE_ROWS)):
        begin = tile * _BUCKET_TILE_ROWS
        words = draw_words(_BUCKET_TILE_ROWS // 2, seed=seed, stream=_BUCKET_STREAM, tile=tile).view("<u4")
        first, last = max(start, begin), min(stop, begin + _BUCKET_TILE_ROWS)
        part = words[first - begin : last - begin].astype(np.uint64)
        buckets[first - start : last - start] = (part * BUCKET_COUNT) >> np.uint64(32)
    return buckets
