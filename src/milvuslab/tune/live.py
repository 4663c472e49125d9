"""The tuner on a real server: one upload, then every candidate is built, measured and replaced by the next."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from milvuslab.bench.collection import build_index, upload
from milvuslab.bench.driver import run_closed_loop
from milvuslab.bench.metrics import compute_metrics
from milvuslab.bench.server_side import ServerWatch
from milvuslab.model.collection import Consistency
from milvuslab.model.errors import CheckFailedError, RejectedError, UsageError
from milvuslab.model.index import IndexSpec
from milvuslab.model.index_catalog import check_search_params
from milvuslab.model.metric import Metric
from milvuslab.model.progress import Observer, silent
from milvuslab.model.recall import recall_at_k
from milvuslab.tune.kept import KeptOutcomes
from milvuslab.tune.measurer import Latency
from milvuslab.tune.outcome import Budget, Objective, TuneResult
from milvuslab.tune.space import list_candidates
from milvuslab.tune.tuner import tune

if TYPE_CHECKING:
    from milvuslab.bench.record import Record
    from milvuslab.data.truth import Truth
    from milvuslab.data.vectors import VectorSet
    from milvuslab.gateway import Gateway

__all__ = ["LiveMeasurer", "tune_vectors"]

_BATCH_ROWS = 100
_TIMED_COUNT = 1_000
"""Single searches of one latency at most: P99 is then the 10 slowest."""
_TIMED_S = 5.0
_QPS_IN_FLIGHT = 8
_TIMEOUT_S = 60.0


class LiveMeasurer:
    """Measures indexes on one uploaded collection.

    Args:
        gateway: the server.
        name: the collection; its index is replaced.
        vectors: what it holds, and the queries.
        truth: the true neighbours of those queries; its k is the depth.
        watch: sees the memory of the server's processes; None where they are not on this machine.
        with_qps: whether throughput is measured besides latency.
        timed_s: longest time of single searches, and again of several in flight. Of fewer than 100 searches the
            slowest stands for P99.
        observer: told of builds.
    """

    def __init__(
        self,
        gateway: Gateway,
        name: str,
        vectors: VectorSet,
        truth: Truth,
        *,
        watch: ServerWatch | None = None,
        with_qps: bool = False,
        timed_s: float = _TIMED_S,
        observer: Observer = silent,
    ) -> None:
        self._gateway = gateway
        self._name = name
        self._vectors = vectors
        self._truth = truth
        self._watch = watch or ServerWatch()
        self._with_qps = with_qps
        self._timed_s = timed_s
        self._observer = observer
        self._built: IndexSpec | None = None
        self._grown_bytes: int | None = None

    def measure_recall(
        self, build: IndexSpec, params: Mapping[str, Any], query_rows: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        """Recall by id of each query, asked in batches."""
        self._ensure(build)
        check_search_params(build.index_type, params, limit=self._truth.k)
        parts = np.array_split(query_rows, -(-len(query_rows) // _BATCH_ROWS))
        return np.concatenate([self._recall_of(params, part) for part in parts])

    def measure_latency(self, build: IndexSpec, params: Mapping[str, Any]) -> Latency:
        """Percentiles of single searches, one after the other, and throughput where it is wanted.

        Raises:
            CheckFailedError: searches failed, so that their speed says nothing.
        """
        self._ensure(build)
        timed = self._run(params, in_flight=1)
        found = compute_metrics(timed)
        longest = found["service_ms_max"]
        p50_ms, p95_ms, p99_ms = (found[f"service_ms_{name}"] or longest for name in ("p50", "p95", "p99"))
        assert p50_ms is not None and p95_ms is not None and p99_ms is not None
        qps = None
        if self._with_qps:
            qps = compute_metrics(self._run(params, in_flight=_QPS_IN_FLIGHT))["qps"]
        return Latency(p50_ms=p50_ms, p95_ms=p95_ms, p99_ms=p99_ms, qps=qps)

    def measure_memory_bytes(self, build: IndexSpec) -> int | None:
        """By how much the server's processes grew from before the index was loaded to after; never below 0."""
        self._ensure(build)
        return self._grown_bytes

    def _ensure(self, build: IndexSpec) -> None:
        if self._built == build:
            return
        self._built = None
        phases = self._watch.phases
        with self._watch.phase("release"):
            self._gateway.collections.release(self._name)
        with self._watch.phase(f"build {build.index_type}"):
            build_index(self._gateway, self._name, build, observer=self._observer)
        before, after = (phase.memory for phase in phases[-2:]) if len(phases) > 1 else (None, None)
        self._grown_bytes = None if before is None or after is None else max(0, after.pss_bytes - before.pss_bytes)
        self._built = build

    def _recall_of(self, params: Mapping[str, Any], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        hits = self._gateway.search(
            self._name, self._vectors.queries[rows], limit=self._truth.k, params=params,
            consistency=Consistency.EVENTUALLY, timeout_s=_TIMEOUT_S,
        )  # fmt: skip
        return recall_at_k(hits.id_table(k=self._truth.k), self._truth.ids[rows], k=self._truth.k)

    def _run(self, params: Mapping[str, Any], *, in_flight: int) -> Record:
        prepared = self._gateway.prepare_searches(
            self._name, self._vectors.queries[:_TIMED_COUNT], limit=self._truth.k, params=params,
            consistency=Consistency.EVENTUALLY,
        )  # fmt: skip
        record = run_closed_loop(
            prepared,
            in_flight=in_flight,
            duration_s=self._timed_s,
            request_count=_TIMED_COUNT if in_flight == 1 else None,
            timeout_s=_TIMEOUT_S,
            warm_up_count=50,
        )
        if record.errors:
            raise CheckFailedError(
                f"searches of {self._name} failed while they were timed",
                findings=[f"{code}: {message}" for code, message in record.errors.items()],
                hint="see how the server stands: milvuslab server status, milvuslab server logs",
            )
        return record


def tune_vectors(
    gateway: Gateway,
    vectors: VectorSet,
    *,
    metric: Metric,
    k: int,
    recall_target: float,
    objective: Objective = Objective.LATENCY_MS_P99,
    budget: Budget | None = None,
    types: Sequence[str] = (),
    builds_per_type: int = 2,
    confidence: float = 0.98,
    seed: int = 7,
    cache_dir: Path | None = None,
    job_dir: Path | None = None,
    watch: ServerWatch | None = None,
    timed_s: float = _TIMED_S,
    is_kept: bool = False,
    observer: Observer = silent,
) -> TuneResult:
    """The best index for these vectors and queries on this server.

    Args:
        gateway: the server.
        vectors: uploaded once, to a collection of their own.
        metric: how nearness is measured.
        k: hits of a search, and the depth of recall.
        recall_target, objective, budget, confidence, seed: see `tune`.
        types: index types to try; empty tries all that the server has.
        builds_per_type: most builds of one type.
        cache_dir: where true neighbours are kept.
        job_dir: where finished candidates are kept; None keeps none.
        watch: sees the server's processes.
        timed_s: longest time of single searches for one candidate.
        is_kept: whether the collection stays, with the index of the last candidate.
        observer: told of each step; may raise to stop. The upload stays then, so that the next run goes on.

    Raises:
        UsageError: there are fewer rows than hits are asked for.
        CheckFailedError, UnsupportedError: see `tune` and `list_candidates`.
        RejectedError, TimedOutError, UnreachableError: the server failed.
    """
    from milvuslab.data.truth import find_truth

    if k > vectors.row_count:
        raise UsageError(f"{vectors.name} has {vectors.row_count:,} rows, fewer than {k} hits", hint="ask for fewer")
    kind = "BINARY_VECTOR" if vectors.is_binary else "FLOAT_VECTOR"
    builds = list_candidates(
        supported=gateway.capabilities.index_types.get(kind, frozenset()), metric=metric, types=types,
        row_count=vectors.row_count, dim=vectors.dim, limit=k, builds_per_type=builds_per_type,
        recall_target=recall_target,
    )  # fmt: skip
    truth = find_truth(vectors, metric=metric, k=k, cache_dir=cache_dir, observer=observer)
    budget = budget or Budget()
    question = {
        "truth": truth.checksum, "server": [gateway.server_version, gateway.endpoint.safe_uri], "seed": seed,
        "queries": len(vectors.queries), "budget": str(budget), "with_qps": _wants_qps(objective, budget),
    }  # fmt: skip
    keeper = KeptOutcomes(job_dir, question=question) if job_dir else None
    report = upload(gateway, vectors, observer=observer)
    measurer = LiveMeasurer(
        gateway, report.name, vectors, truth, watch=watch,
        with_qps=_wants_qps(objective, budget), timed_s=timed_s, observer=observer,
    )  # fmt: skip
    try:
        return tune(
            measurer, builds=builds, recall_target=recall_target, objective=objective, budget=budget,
            query_count=len(vectors.queries), confidence=confidence, seed=seed, keeper=keeper, observer=observer,
        )  # fmt: skip
    except KeyboardInterrupt:
        is_kept = True
        raise
    finally:
        if not is_kept:
            with contextlib.suppress(RejectedError):  # what was asked for is known; a leftover is dropped by hand
                gateway.collections.drop(report.name)


def _wants_qps(objective: Objective, budget: Budget) -> bool:
    return objective is Objective.QPS or budget.qps is not None
