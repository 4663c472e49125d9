"""The tool and our closed loop on the same collection of the same server, in turn, as often as asked."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from milvuslab.bench.collection import build_index, is_uploaded, upload
from milvuslab.bench.driver import run_closed_loop
from milvuslab.bench.metrics import compute_metrics
from milvuslab.bench.vectordbbench.case import COLLECTION, TOOL_LIMITS, ToolCase
from milvuslab.bench.vectordbbench.dataset import write_dataset
from milvuslab.bench.vectordbbench.launch import run_tool
from milvuslab.bench.vectordbbench.result import ToolResult
from milvuslab.data.truth import Truth, find_truth
from milvuslab.model.errors import CheckFailedError, ConflictError, UsageError
from milvuslab.model.index import IndexReport
from milvuslab.model.progress import Observer, Progress, silent

if TYPE_CHECKING:
    from milvuslab.bench.vectordbbench.install import Tool
    from milvuslab.data.vectors import VectorSet
    from milvuslab.gateway import Gateway

__all__ = ["SideBySide", "prepare_collection", "run_side_by_side"]

_SEARCH_TIMEOUT_S = 10.0
_KEPT = (
    "qps",
    "latency_ms_p50",
    "latency_ms_p95",
    "latency_ms_p99",
    "recall",
    "error_ratio",
    "client_cpu_us_per_query",
)
"""Of our metrics, those beside which the tool has something, and what a query costs the client."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SideBySide:
    """What both sides found, run by run.

    Attributes:
        case: what they were asked to do.
        server_version: as the server reports it.
        consistency: of the collection, used by both.
        index: as the server reports it.
        tool_versions: packages of the tool's environment.
        ours: metrics of our closed loop, one of each repeat.
        tool: results of the tool, one of each repeat.
    """

    case: ToolCase
    server_version: str
    consistency: str
    index: IndexReport
    tool_versions: Mapping[str, str]
    ours: Sequence[Mapping[str, float | None]]
    tool: Sequence[ToolResult]

    @property
    def ratios(self) -> list[float]:
        """Our answers a second over the tool's better rate, repeat by repeat."""
        return [(ours["qps"] or 0.0) / tool.best_qps for ours, tool in zip(self.ours, self.tool, strict=True)]

    def compute_metrics(self) -> dict[str, float | None]:
        """Medians over the repeats, and how far the ratios lie apart."""
        return {
            "qps_ratio_median": round(statistics.median(self.ratios), 3),
            "qps_ratio_min": round(min(self.ratios), 3),
            "qps_ratio_max": round(max(self.ratios), 3),
            **{f"ours_{name}": _median([run.get(name) for run in self.ours]) for name in _KEPT},
            **{
                f"tool_{name}": _median([getattr(run, name) for run in self.tool])
                for name in ("qps", "qps_inside", "latency_ms_p95", "latency_ms_p99", "recall", "failed_count")
            },
        }

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON: what was asked, every run, the medians, and what the tool's numbers do not say."""
        return {
            "case": self.case.as_dict(),
            "server_version": self.server_version,
            "consistency": self.consistency,
            "index": {"type": self.index.spec.index_type, "params": dict(self.index.spec.params),
                      "metric": str(self.index.spec.metric), "row_count": self.index.indexed_row_count},
            "tool_versions": dict(self.tool_versions),
            "ours": [dict(run) for run in self.ours],
            "tool": [run.as_dict() for run in self.tool],
            "metrics": self.compute_metrics(),
            "tool_limits": list(TOOL_LIMITS),
        }  # fmt: skip


def prepare_collection(
    gateway: Gateway, vectors: VectorSet, case: ToolCase, *, observer: Observer = silent
) -> IndexReport:
    """Uploads, indexes and loads the collection that both sides search; what is there already is kept.

    Raises:
        ConflictError: a collection of the tool's name is there and is not ours: dropping it is not for us to decide.
        UsageError: the vectors are not those of the case.
    """
    if (vectors.row_count, vectors.dim, vectors.is_binary) != (case.row_count, case.dim, False):
        raise UsageError(
            f"{vectors.name} holds {vectors.row_count:,} vectors of {vectors.dim}, the case says {case.row_count:,} of"
            f" {case.dim} numbers",
            hint="make the case of the data set's own numbers",
        )
    if not is_uploaded(gateway, vectors, name=COLLECTION):
        if gateway.collections.exists(COLLECTION):
            raise ConflictError(
                f"there is a collection {COLLECTION} with other rows, and VectorDBBench searches one of that name",
                hint=f"milvuslab collection drop {COLLECTION} --yes, or take another server",
            )
        upload(gateway, vectors, name=COLLECTION, observer=observer)
    return build_index(gateway, COLLECTION, case.index, observer=observer).index


def run_side_by_side(
    gateway: Gateway,
    tool: Tool,
    vectors: VectorSet,
    case: ToolCase,
    *,
    folder: Path,
    environment: Mapping[str, str],
    repeat_count: int = 3,
    cache_dir: Path | None = None,
    observer: Observer = silent,
) -> SideBySide:
    """Both sides, in turn and in changing order, on a collection made by `prepare_collection` if it is not there.

    Args:
        gateway: the server.
        tool: installation of VectorDBBench.
        vectors: as many and as wide as the case says.
        case: what to do.
        folder: keeps what the tool was told, wrote and logged, run by run.
        environment: what the tool inherits.
        repeat_count: runs of each side.
        cache_dir: where exact neighbours are kept; None keeps none.
        observer: told what is being done.

    Raises:
        ConflictError: see `prepare_collection`.
        CheckFailedError: a run of the tool failed, or searches of ours did.
    """
    index = prepare_collection(gateway, vectors, case, observer=observer)
    truth = find_truth(vectors, metric=case.metric, k=case.k, cache_dir=cache_dir, observer=observer)
    dataset_dir = write_dataset(vectors, truth, folder / "data" / "milvuslab" / "set")
    sides = _Sides(gateway, tool, vectors, truth, case, environment, observer)
    for repeat in range(repeat_count):
        run_dir = folder / f"run-{repeat + 1}"
        if repeat % 2:
            sides.run_ours()
            sides.run_tool(dataset_dir, run_dir)
        else:
            sides.run_tool(dataset_dir, run_dir)
            sides.run_ours()
    return SideBySide(
        case=case,
        server_version=gateway.server_version,
        consistency=str(gateway.collections.describe(COLLECTION).consistency),
        index=index,
        tool_versions=tool.versions,
        ours=sides.ours,
        tool=sides.theirs,
    )


@dataclasses.dataclass(slots=True)
class _Sides:
    """Both sides with what they have found so far."""

    gateway: Gateway
    program: Tool
    vectors: VectorSet
    truth: Truth
    case: ToolCase
    environment: Mapping[str, str]
    observer: Observer
    ours: list[Mapping[str, float | None]] = dataclasses.field(default_factory=list)
    theirs: list[ToolResult] = dataclasses.field(default_factory=list)

    def run_tool(self, dataset_dir: Path, folder: Path) -> None:
        """One run of the tool."""
        found = run_tool(
            self.program, self.case, endpoint=self.gateway.endpoint, dataset_dir=dataset_dir, folder=folder,
            environment=self.environment, observer=self.observer,
        )  # fmt: skip
        self.theirs.append(found)

    def run_ours(self) -> None:
        """One run of our closed loop."""
        case = self.case
        self.observer(Progress(step="run our closed loop", message=f"{case.in_flight} in flight, {case.duration_s} s"))
        prepared = self.gateway.prepare_searches(
            COLLECTION, self.vectors.queries, limit=case.k, params=case.search_params
        )
        record = run_closed_loop(
            prepared, in_flight=case.in_flight, duration_s=float(case.duration_s), timeout_s=_SEARCH_TIMEOUT_S
        )
        if record.error_counts:
            raise CheckFailedError(
                f"searches of our closed loop failed: {record.error_counts}",
                findings=[f"{code}: {text}" for code, text in record.errors.items()],
                hint="see how the server stands: milvuslab server status",
            )
        self.ours.append(dict(compute_metrics(record, truth=self.truth, k=case.k)))


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(statistics.median(known), 4) if known else None
