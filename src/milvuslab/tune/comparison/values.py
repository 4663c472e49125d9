"""A comparison of index types as values: what a page, a report or a command shows, and nothing of how it was measured.

`read_comparison` gives them from a folder, also while the comparison is still running.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

__all__ = ["Comparison", "CurvePoint", "IndexResult", "PlannedIndex", "ResultState", "find_front"]

ResultState = Literal["tuned", "not_reached", "unsupported", "failed"]
"""`tuned`: the recall was shown. `not_reached`: no search parameter shows it. `unsupported`: the server does not build
it. `failed`: something broke; `detail` says what."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """One setting of the search parameters, measured.

    Attributes:
        params: search parameters by Milvus's names, `{"ef": 64}`.
        recall: mean over `query_count` queries of the share of the k true neighbours found.
        query_count: queries that the recall is the mean of.
        latency_ms_p50: median of searches sent one at a time, each from being sent to its answer.
        latency_ms_p95: their 95th percentile.
        latency_ms_p99: their 99th percentile; None where fewer than 100 were sent.
        search_count: searches that the percentiles are of.
        qps: answered searches a second with `Comparison.in_flight` under way.
        error_ratio: share of all these searches that failed.
        is_chosen: whether it is the one that was tuned to the target.
    """

    params: Mapping[str, Any]
    recall: float
    query_count: int
    latency_ms_p50: float | None
    latency_ms_p95: float | None
    latency_ms_p99: float | None
    search_count: int
    qps: float | None
    error_ratio: float
    is_chosen: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PlannedIndex:
    """A type that is to be measured, and on which server."""

    index_type: str
    server: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class IndexResult:
    """What came of one index type on one server.

    Attributes:
        index_type: Milvus's name.
        server: the profile's name.
        server_version: as the server tells it; empty when it never answered.
        state: what came of it.
        detail: what was in the way, one sentence; empty when tuned.
        build_params: as the server reports them.
        recall_lower: lower confidence bound of the recall at the chosen parameters, from held-out queries.
        curve: measured settings, from the fastest to the most accurate; one of them is chosen when tuned.
        build_s: from the request until every row was indexed.
        load_s: until the collection could be searched.
        memory_bytes: what the server's own memory grew by when the index was loaded and searched; None where its
            processes cannot be seen. It holds the server's garbage too.
        memory_bytes_max: highest resident memory of the server while it was built and measured.
        memory_bytes_estimate: of the index by formula.
        disk_bytes: files of the index as found in the server's folder; None where that cannot be seen.
        disk_bytes_estimate: by formula.
        tuning_search_count: searches spent on finding the parameters.
        wall_s: all that was done for this type.
    """

    index_type: str
    server: str
    server_version: str = ""
    state: ResultState
    detail: str = ""
    build_params: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    recall_lower: float | None = None
    curve: tuple[CurvePoint, ...] = ()
    build_s: float | None = None
    load_s: float | None = None
    memory_bytes: int | None = None
    memory_bytes_max: int | None = None
    memory_bytes_estimate: int | None = None
    disk_bytes: int | None = None
    disk_bytes_estimate: int | None = None
    tuning_search_count: int = 0
    wall_s: float = 0.0

    @property
    def label(self) -> str:
        """Type and server: `HNSW · standalone`."""
        return f"{self.index_type} · {self.server}"

    @property
    def chosen(self) -> CurvePoint | None:
        """The setting that was tuned to the target; None unless tuned."""
        return next((point for point in self.curve if point.is_chosen), None)

    def at_recall(self, recall: float) -> CurvePoint | None:
        """The fastest measured setting whose recall is at least that; None when no setting reaches it.

        A mean over `query_count` queries is what is compared: only the chosen setting was shown to reach its target.
        """
        fitting = [point for point in self.curve if point.recall >= recall and point.qps is not None]
        return max(fitting, key=lambda point: point.qps or 0.0, default=None)

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON; `from_dict` reads it."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> IndexResult:
        """The result that `as_dict` wrote."""
        return cls(**{**values, "curve": tuple(CurvePoint(**point) for point in values["curve"])})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Index types on the same data, each tuned to the same recall.

    Attributes:
        folder: where it lies.
        data_name: of the data set.
        data_checksum: of its content.
        row_count: rows indexed.
        dim: of the vectors; bits of binary ones.
        metric: how nearness is measured.
        k: neighbours that a search asks for, and the depth of recall.
        recall_target: that each type was tuned to.
        confidence: how surely a tuned type is not below it.
        in_flight: searches under way when throughput was measured.
        planned: what is to be measured, in order.
        results: what was measured so far, in that order.
        manifest: machine, code, versions and time; see `bench.manifest`.
        wall_s: time of all work so far, starting servers included.
        is_complete: whether every server had its turn. What a server builds is known when its turn comes, so `planned`
            grows until then.
    """

    folder: Path
    data_name: str
    data_checksum: str
    row_count: int
    dim: int
    metric: str
    k: int
    recall_target: float
    confidence: float
    in_flight: int
    planned: tuple[PlannedIndex, ...]
    results: tuple[IndexResult, ...]
    manifest: Mapping[str, Any]
    wall_s: float
    is_complete: bool = False

    @property
    def tuned(self) -> tuple[IndexResult, ...]:
        """Those that reach the target, the highest throughput first."""
        reached = [result for result in self.results if result.chosen is not None]
        return tuple(sorted(reached, key=lambda result: -(result.chosen.qps or 0.0) if result.chosen else 0.0))

    def at_recall(self, recall: float) -> tuple[tuple[IndexResult, CurvePoint], ...]:
        """For a recall, each type that reaches it with its fastest setting, the highest throughput first."""
        found = [(result, point) for result in self.results if (point := result.at_recall(recall)) is not None]
        return tuple(sorted(found, key=lambda pair: -(pair[1].qps or 0.0)))

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {
            **values,
            "folder": str(self.folder),
            "planned": [dataclasses.asdict(one) for one in self.planned],
            "results": [one.as_dict() for one in self.results],
        }


def find_front(points: Sequence[CurvePoint], *, by: Literal["qps", "latency_ms_p99"]) -> tuple[CurvePoint, ...]:
    """The points that no other beats in recall and speed at once, by ascending recall.

    Args:
        points: of one type or of many.
        by: throughput, larger is better, or P99, smaller is better.
    """
    known = [(point, _speed(point, by)) for point in points if getattr(point, by) is not None]
    known.sort(key=lambda pair: (-pair[0].recall, -pair[1]))
    front: list[CurvePoint] = []
    best = float("-inf")
    for point, speed in known:
        if speed > best:
            front.append(point)
            best = speed
    return tuple(reversed(front))


def _speed(point: CurvePoint, by: str) -> float:
    value: float = getattr(point, by)
    return value if by == "qps" else -value
