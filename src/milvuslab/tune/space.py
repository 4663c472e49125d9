"""Which indexes are worth a try, and with which search parameters: builds outside, the search knob inside."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from milvuslab.model.errors import UnsupportedError
from milvuslab.model.index import IndexSpec
from milvuslab.model.index_catalog import INDEX_TYPES, IndexType, get_index_type
from milvuslab.model.metric import Metric

__all__ = ["DEFAULT_TYPES", "Candidate", "describe_params", "list_candidates"]

DEFAULT_TYPES = (
    "HNSW", "IVF_FLAT", "SCANN", "IVF_SQ8", "HNSW_SQ", "IVF_PQ", "ANNOY", "DISKANN", "FLAT",
    "BIN_IVF_FLAT", "BIN_FLAT",
)  # fmt: skip
"""Tried where the server has them. Left out: GPU types, and AUTOINDEX, which is one of the others by another name."""


_EXACTING_RECALL = 0.95
"""From here on a product quantizer begins with a part for each number: on 50,000 x 128 parts of two numbers did not show
0.95 whatever was searched, and cost a build of a minute (`benchmarks/results/index_comparison.json` has the other)."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One index to build, and the ladder of search parameters to climb on it.

    Attributes:
        build: the index.
        ladder: search parameters, from the fastest to the most accurate; at least one.
        is_exact: whether every search finds the true neighbours, so that nothing needs to be measured.
        memory_bytes: of the loaded index by formula; None where there is none.
    """

    build: IndexSpec
    ladder: tuple[Mapping[str, Any], ...] = ({},)
    is_exact: bool = False
    memory_bytes: int | None = None

    @property
    def label(self) -> str:
        """Type and build parameters: `HNSW M=16 efConstruction=200`."""
        return " ".join([self.build.index_type, describe_params(self.build.params)]).strip()


def describe_params(params: Mapping[str, Any]) -> str:
    """Parameters as words.

    >>> describe_params({"nprobe": 16, "reorder_k": 200})
    'nprobe=16 reorder_k=200'
    """
    return " ".join(f"{name}={value}" for name, value in params.items())


def list_candidates(
    *,
    supported: Collection[str],
    metric: Metric,
    row_count: int,
    dim: int,
    limit: int,
    types: Sequence[str] = (),
    field_name: str = "vector",
    builds_per_type: int = 2,
    recall_target: float = 0.0,
) -> tuple[Candidate, ...]:
    """The candidates for some data on some server, type by type.

    Args:
        supported: index types that the server was seen to build for this kind of vector.
        metric: how nearness is measured.
        row_count: rows to index.
        dim: of the vectors; bits of binary ones.
        limit: hits that a search asks for.
        types: only these; empty takes `DEFAULT_TYPES` as far as the server has them.
        field_name: the vector field.
        builds_per_type: most builds of one type.
        recall_target: decides which build of a lossy type comes first; no build is left out for it.

    Raises:
        NotFoundError: there is no such index type.
        UnsupportedError: a type that was asked for is not on this server, or does not take the metric; or none is left.
    """
    names = [get_index_type(name).name for name in types] or [name for name in DEFAULT_TYPES if name in supported]
    found: list[Candidate] = []
    for name in names:
        kind = INDEX_TYPES[name]
        if name not in supported or str(metric) not in kind.metrics:
            if types:
                raise _not_here(name, metric, supported)
            continue
        is_exacting = recall_target >= _EXACTING_RECALL
        for params in _builds(kind, row_count=row_count, dim=dim, count=builds_per_type, is_exacting=is_exacting):
            found.append(
                Candidate(
                    build=IndexSpec(field_name=field_name, index_type=name, metric=metric, params=params),
                    ladder=kind.search_ladder(build_params=params, limit=limit, row_count=row_count),
                    is_exact=kind.is_exact and kind.recall_knob is None,
                    memory_bytes=kind.estimate_memory_bytes(row_count=row_count, dim=dim, params=params),
                )
            )
    if not found:
        raise _not_here("any index type", metric, supported)
    return tuple(found)


def _builds(kind: IndexType, *, row_count: int, dim: int, count: int, is_exacting: bool) -> list[dict[str, Any]]:
    """Build parameters of a type, the most usual first."""
    base, names = kind.suggested_params, {one.name for one in kind.build}
    varied = [base | change for change in _changes(names, row_count=row_count, dim=dim, is_exacting=is_exacting)]
    return varied[:count] or [base]


def _changes(names: set[str], *, row_count: int, dim: int, is_exacting: bool) -> Iterator[dict[str, Any]]:
    if "M" in names:
        yield from ({"M": m} for m in (16, 32, 8))
    elif "m" in names and "nlist" in names:
        yield from ({"nlist": _cluster_count(row_count), "m": m} for m in _part_counts(dim, is_exacting=is_exacting))
    elif "nlist" in names:
        few = _cluster_count(row_count)
        yield from ({"nlist": nlist} for nlist in dict.fromkeys((few, min(65_536, 4 * few), max(1, few // 4))))
    elif "n_trees" in names:
        yield from ({"n_trees": count} for count in (16, 32, 8))


def _cluster_count(row_count: int) -> int:
    """A power of two near the square root of the rows: then centres and rows of one cluster cost alike (derived)."""
    return int(2 ** min(16, max(0, round(math.log2(max(1, row_count)) / 2))))


def _part_counts(dim: int, *, is_exacting: bool) -> list[int]:
    """Parts of a product quantizer that divide the dimension: of two, four and one number, as far as there are such."""
    return [dim // size for size in ((1, 2, 4) if is_exacting else (2, 4, 1)) if dim % size == 0]


def _not_here(name: str, metric: Metric, supported: Collection[str]) -> UnsupportedError:
    return UnsupportedError(
        f"{name} with {metric}",
        needs="a server that builds it",
        has=", ".join(sorted(supported)) or "a server without vector indexes",
        hint="see what servers there are: milvuslab server list; or leave out --types",
    )
