"""What a scale run is asked to do, and how it cuts the rows into parts."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from typing import Any

from milvuslab.model.errors import UsageError, suggest

__all__ = ["INDEX_TYPES", "PART_BYTES_MAX", "ScaleCase"]

INDEX_TYPES = ("IVF_FLAT", "IVF_SQ8")
"""Types whose build takes minutes for ten million rows on two cores; HNSW takes hours. IVF_SQ8 has a quarter of the
memory, but cannot tell near neighbours apart: on these data even an exact search of its codes finds 0.98 of them."""

PART_BYTES_MAX = 1_400_000_000
"""Rows of one part with key, row number and time: 2.6 million of 128 numbers. The fewer segments, the less is spent on training the same
centres again and on searching one more; but an index build holds its segment in memory several times."""
_KEY_BYTES = 24
"""Key, row number and time, which the server stores beside each vector."""
_ROWS_MIN = 2_048
"""Smallest part: 2.3 builds no index on segments below 1,024 rows (`indexCoord.segment.minSegmentNumRowsToEnableIndex`)."""
_LISTS_MAX = 1_024
"""Training takes a time that grows with the square of the lists: measured on 500,000 x 128, 9, 18 and 50 s of CPU for
256, 512 and 1,024 lists."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ScaleCase:
    """One scale run.

    Attributes:
        row_count: rows of the set.
        dim: numbers of a vector.
        seed: of the data.
        query_count: queries, each answered exactly while the rows are generated.
        k: neighbours of each query.
        index_type: one of `INDEX_TYPES`.
        core_count: cores that build indexes; parts come in multiples of it, so that no core waits for the last one.
        part_limit_rows: most rows of one part, or None for what `PART_BYTES_MAX` holds. Each part is one file, one
            segment and one index.
        recall_target: recall@k that the search parameter is chosen for.
        rate_per_s: searches a second of the open loop.
        duration_s: how long it lasts.
    """

    row_count: int
    dim: int = 128
    seed: int = 7
    query_count: int = 1_000
    k: int = 10
    index_type: str = "IVF_FLAT"
    core_count: int = 2
    part_limit_rows: int | None = None
    recall_target: float = 0.98
    rate_per_s: float = 50.0
    duration_s: float = 60.0

    def __post_init__(self) -> None:
        if self.row_count < _ROWS_MIN:
            raise UsageError(f"{self.row_count} rows are too few", hint=f"take at least {_ROWS_MIN:,}")
        if not 2 <= self.dim <= 4_096:
            raise UsageError(f"dim is {self.dim}", hint="take 2 to 4096")
        if self.part_limit_rows is not None and self.part_limit_rows < _ROWS_MIN:
            raise UsageError(
                f"parts of {self.part_limit_rows:,} rows get no index", hint=f"take at least {_ROWS_MIN:,}"
            )
        if self.index_type not in INDEX_TYPES:
            raise UsageError(f"index {self.index_type} is not built here", hint=suggest(self.index_type, INDEX_TYPES))
        if not 0 < self.recall_target <= 1:
            raise UsageError(f"a recall of {self.recall_target} cannot be reached", hint="take 0.98")

    @property
    def part_count(self) -> int:
        """Files, segments and indexes."""
        limit_rows = self.part_limit_rows or PART_BYTES_MAX // (4 * self.dim + _KEY_BYTES)
        wanted = math.ceil(self.row_count / limit_rows)
        even = self.core_count * math.ceil(wanted / self.core_count)
        return even if self.row_count >= even * _ROWS_MIN else max(1, min(wanted, self.row_count // _ROWS_MIN))

    @property
    def part_rows(self) -> int:
        """Rows of the largest part."""
        return math.ceil(self.row_count / self.part_count)

    def bounds(self, part: int) -> tuple[int, int]:
        """First row of a part, and the one after its last; parts differ by one row at most."""
        return part * self.row_count // self.part_count, (part + 1) * self.row_count // self.part_count

    @property
    def code_bytes(self) -> int:
        """Bytes of one row in the index."""
        return 4 * self.dim if self.index_type == "IVF_FLAT" else self.dim

    @property
    def list_count(self) -> int:
        """`nlist`: about two roots of the rows as a power of two, at most 1,024."""
        return min(_LISTS_MAX, 1 << max(4, round(math.log2(2 * math.sqrt(self.part_rows)))))

    @property
    def name(self) -> str:
        """Name of the collection; what decides its rows and index is in it, so another case never meets it."""
        deciding = [self.row_count, self.dim, self.seed, self.query_count, self.k, self.part_rows, self.index_type]
        digest = hashlib.sha256(json.dumps(deciding).encode()).hexdigest()[:8]
        return f"scale_{self.row_count}x{self.dim}_{digest}"

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON, with what follows from it."""
        return {
            **dataclasses.asdict(self),
            "part_count": self.part_count,
            "part_rows": self.part_rows,
            "index": {"type": self.index_type, "metric": "L2", "params": {"nlist": self.list_count}},
        }
