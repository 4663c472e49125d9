"""Measures index types one after the other: one upload a server, one index at a time, each tuned to the same recall.

Servers take turns, so that none idles beside the one that is measured. Within a server rows are uploaded once; each
type is built, tuned, and then measured at the tuned parameters and at some to both sides of them.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from milvuslab.bench.collection import collection_name, upload
from milvuslab.bench.manifest import MEASURING_PACKAGES, collect_manifest, describe_server
from milvuslab.model.errors import MilvusLabError, UnreachableError, UnsupportedError, UsageError
from milvuslab.model.index_catalog import get_index_type
from milvuslab.model.metric import Metric
from milvuslab.model.progress import Observer, Progress, silent
from milvuslab.tune.comparison.one_type import Budget, TypeBench
from milvuslab.tune.comparison.store import ComparisonStore, read_comparison
from milvuslab.tune.comparison.values import Comparison, IndexResult, PlannedIndex
from milvuslab.tune.space import DEFAULT_TYPES

if TYPE_CHECKING:
    from milvuslab.bench.measured_server import MeasuredServer, ServerSource
    from milvuslab.data.truth import Truth
    from milvuslab.data.vectors import VectorSet

__all__ = ["QUERY_COUNT", "CompareTask", "compare_indexes", "plan_types"]

QUERY_COUNT = 4_000
"""Queries of a data set that let a recall of 0.95 be shown beside near misses; see `tune/climb.py`."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CompareTask:
    """What is asked.

    Attributes:
        vectors: rows and queries.
        metric: how nearness is measured.
        k: hits of a search, and the depth of recall.
        recall_target: each type is tuned to it.
        types: only these; empty takes all that servers build.
        is_everywhere: whether each server measures every type it has, not only those that none before it had.
        budget: how long is measured.
    """

    vectors: VectorSet
    metric: Metric = Metric.L2
    k: int = 10
    recall_target: float = 0.95
    types: tuple[str, ...] = ()
    is_everywhere: bool = False
    budget: Budget = Budget()

    def __post_init__(self) -> None:
        if not 0 < self.recall_target < 1:
            raise UsageError(f"recall target {self.recall_target:g}", hint="give one between 0 and 1, 0.95")
        if not 1 <= self.k <= min(1_024, self.vectors.row_count):
            raise UsageError(f"k is {self.k}", hint=f"give 1 to {min(1_024, self.vectors.row_count):,}")
        for name in self.types:
            get_index_type(name)

    @property
    def kind(self) -> str:
        """The field type that is indexed."""
        return "BINARY_VECTOR" if self.vectors.is_binary else "FLOAT_VECTOR"

    @property
    def asked(self) -> dict[str, Any]:
        """What else has to be the same when a folder is taken up again."""
        return {"types": list(self.types), "is_everywhere": self.is_everywhere}

    @property
    def question(self) -> dict[str, Any]:
        """What a kept result depends on, by the names of `Comparison`."""
        return {
            "data_name": self.vectors.name,
            "data_checksum": self.vectors.checksum,
            "row_count": self.vectors.row_count,
            "dim": self.vectors.dim,
            "metric": str(self.metric),
            "k": self.k,
            "recall_target": self.recall_target,
            "confidence": self.budget.confidence,
            "in_flight": self.budget.in_flight,
        }


def compare_indexes(
    task: CompareTask,
    sources: Sequence[ServerSource],
    *,
    folder: Path,
    cache_dir: Path | None = None,
    is_kept: bool = False,
    observer: Observer = silent,
) -> Comparison:
    """Measures what is not measured yet and returns the whole.

    Args:
        task: data, target, types.
        sources: servers in the order in which types are looked for.
        folder: takes results as they come; a finished type is not measured again, one that failed is, and a server
            that has nothing left to do is not started.
        cache_dir: where true neighbours are kept.
        is_kept: whether collections stay on the servers.
        observer: told of each step; may raise to stop, and what is finished stays.

    Raises:
        ConflictError: the folder holds a comparison of something else.
        NotFoundError: there is no such index type.
        UnsupportedError: none of the servers builds any of the types.
        UnreachableError, StartError: a server is away or does not start.
    """
    from milvuslab.data.truth import find_truth

    store = ComparisonStore(folder=folder, question=task.question, asked=task.asked)
    store.open(collect_manifest(packages=MEASURING_PACKAGES, extra={"servers": {}}))
    truth: Truth | None = None
    taken: set[str] = set()
    for source in sources:
        planned = store.planned_of(source.name)
        if planned is None or any(store.find(one) is None for one in planned):
            with store.timed():
                truth = truth or find_truth(
                    task.vectors, metric=task.metric, k=task.k, cache_dir=cache_dir, observer=observer
                )
                with source.open() as server:
                    planned = plan_types(task, server, name=source.name, taken=taken)
                    store.plan(planned, server=source.name, about=describe_server(server.gateway))
                    _measure_server(task, server, planned, truth, store=store, is_kept=is_kept, observer=observer)
        taken |= {one.index_type for one in planned}
    if not taken:
        raise UnsupportedError(
            f"{', '.join(task.types) or 'any index type'} with {task.metric} on {task.kind}",
            needs="a server that builds it", has=", ".join(source.name for source in sources) or "no server",
            hint="milvuslab server list",
        )  # fmt: skip
    store.complete()
    return read_comparison(folder)


def plan_types(task: CompareTask, server: MeasuredServer, *, name: str, taken: set[str]) -> tuple[PlannedIndex, ...]:
    """What is measured on a server, by what it was seen to build; fast builds first."""
    known = server.gateway.capabilities
    if str(task.metric) not in known.metrics.get(task.kind, frozenset()):
        return ()
    wanted = [get_index_type(one).name for one in task.types] or list(DEFAULT_TYPES)
    skipped = set() if task.is_everywhere else taken
    return tuple(
        PlannedIndex(index_type=one, server=name)
        for one in wanted
        if one in known.index_types.get(task.kind, frozenset())
        and one not in skipped
        and str(task.metric) in get_index_type(one).metrics
    )


def _measure_server(
    task: CompareTask,
    server: MeasuredServer,
    planned: Sequence[PlannedIndex],
    truth: Truth,
    *,
    store: ComparisonStore,
    is_kept: bool,
    observer: Observer,
) -> None:
    if not planned:
        return
    name = collection_name(task.vectors)
    upload(server.gateway, task.vectors, name=name, observer=observer)
    with server.watch:
        for place, one in enumerate(planned):
            observer(
                Progress(
                    step=f"compare on {one.server}", done_count=place, total_count=len(planned), unit="index types",
                    message=one.index_type,
                )
            )  # fmt: skip
            if store.find(one) is None:
                bench = TypeBench(task=task, server=server, collection=name, truth=truth, observer=observer)
                store.keep(_measure(bench, one, records_dir=store.records_dir(one)))
    observer(
        Progress(
            step=f"compare on {planned[0].server}", done_count=len(planned), total_count=len(planned),
            unit="index types",
        )
    )  # fmt: skip
    if not is_kept:
        server.gateway.collections.drop(name)


def _measure(bench: TypeBench, planned: PlannedIndex, *, records_dir: Path) -> IndexResult:
    """The result of one type; a type that fails costs its own result and not the others.

    Raises:
        UnreachableError: the server is gone, and with it all that would come.
    """
    begun_s = time.monotonic()
    about: Mapping[str, Any] = {
        "index_type": planned.index_type,
        "server": planned.server,
        "server_version": bench.server.gateway.server_version,
    }
    try:
        result = bench.measure(about, records_dir=records_dir)
    except UnreachableError:
        raise
    except UnsupportedError as error:
        result = IndexResult(**about, state="unsupported", detail=error.message)
    except MilvusLabError as error:
        bench.server.watch.check_alive()
        result = IndexResult(**about, state="failed", detail=f"{error.message}; {error.hint}".rstrip("; "))
    return dataclasses.replace(result, wall_s=time.monotonic() - begun_s)
