"""One index type on one server: built, tuned, and measured around the tuned parameters."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from milvuslab.bench.case import VECTOR_FIELD
from milvuslab.bench.collection import BuildReport, build_index
from milvuslab.bench.driver import run_closed_loop
from milvuslab.bench.measured_server import MeasuredServer, list_index_files
from milvuslab.bench.metrics import compute_metrics
from milvuslab.bench.record import Record, write_record
from milvuslab.model.collection import Consistency
from milvuslab.model.index_catalog import check_build_params, check_search_params, get_index_type
from milvuslab.model.progress import Observer, Progress
from milvuslab.model.recall import recall_at_k
from milvuslab.tune.climb import Climb, Goal, climb_ladder
from milvuslab.tune.comparison.values import CurvePoint, IndexResult
from milvuslab.tune.space import Candidate, list_candidates

if TYPE_CHECKING:
    from milvuslab.data.truth import Truth
    from milvuslab.tune.comparison.measuring import CompareTask

__all__ = ["Budget", "TypeBench"]

_BATCH_ROWS = 100
_TIMEOUT_S = 60.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How long and how surely is measured.

    Attributes:
        confidence: of all tunings at most a share of 1 - confidence choose a setting below the target.
        search_limit: most searches spent on tuning one build.
        curve_query_count: queries that the recall of a point of the curve is the mean of.
        in_flight: searches under way when throughput is measured.
        single_count: searches sent one at a time for the percentiles of a point.
        single_s: longest time for them.
        throughput_s: time for the throughput of a point.
        repeat_count: how often the chosen point is measured; its figures are medians.
        curve_steps: steps on the ladder from the chosen point to the others; four steps are twice the work.
        builds_per_type: builds tried until one reaches the target.
    """

    confidence: float = 0.98
    search_limit: int = 6_000
    curve_query_count: int = 1_000
    in_flight: int = 8
    single_count: int = 500
    single_s: float = 3.0
    throughput_s: float = 1.0
    repeat_count: int = 3
    curve_steps: tuple[int, ...] = (-8, -4, -2, 0, 3, 7)
    builds_per_type: int = 3


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Built:
    """An index that stands on the server, and what standing there cost."""

    candidate: Candidate
    report: BuildReport
    disk_bytes: int | None


class TypeBench:
    """Measures one index type on one uploaded collection.

    Args:
        task: what is asked.
        server: where; its watch is running.
        collection: holds the rows.
        truth: of all queries.
        observer: told of each step.
    """

    def __init__(
        self, *, task: CompareTask, server: MeasuredServer, collection: str, truth: Truth, observer: Observer
    ) -> None:
        self.server = server
        self._task = task
        self._gateway = server.gateway
        self._collection = collection
        self._truth = truth
        self._observer = observer

    def measure(self, about: Mapping[str, Any], *, records_dir: Path) -> IndexResult:
        """The result.

        Args:
            about: type and server, as `IndexResult` names them.
            records_dir: takes the raw records of the chosen point.

        Raises:
            UnsupportedError: the server does not build it.
            MilvusLabError: the build or the searches failed.
        """
        candidates = list_candidates(
            supported=self._gateway.capabilities.index_types.get(self._task.kind, frozenset()),
            metric=self._task.metric, row_count=self._task.vectors.row_count, dim=self._task.vectors.dim,
            limit=self._task.k, types=[about["index_type"]], field_name=VECTOR_FIELD,
            builds_per_type=self._task.budget.builds_per_type, recall_target=self._task.recall_target,
        )  # fmt: skip
        search_count = short_bytes = 0
        for candidate in candidates:
            # What did not reach the target will not reach it with less: fewer codes, fewer links.
            if (candidate.memory_bytes or 0) < short_bytes:
                continue
            built = self._build(candidate)
            climb = self._climb(candidate)
            search_count += climb.search_count if climb else 0
            if climb is None or climb.chosen is not None:
                break
            short_bytes = candidate.memory_bytes or 0
        return self._report(about, built, climb, search_count=search_count, records_dir=records_dir)

    def _build(self, candidate: Candidate) -> _Built:
        check_build_params(candidate.build.index_type, candidate.build.params, dim=self._task.vectors.dim)
        watch, files = self.server.watch, list_index_files(self.server.data_dir)
        with watch.phase(f"release before {candidate.label}"):
            self._gateway.collections.release(self._collection)
        with watch.phase(f"build {candidate.label}"):
            report = build_index(self._gateway, self._collection, candidate.build, observer=self._observer)
        made = {path: size for path, size in list_index_files(self.server.data_dir).items() if path not in files}
        return _Built(
            candidate=candidate,
            report=report,
            disk_bytes=sum(made.values()) if self.server.data_dir is not None else None,
        )

    def _climb(self, candidate: Candidate) -> Climb | None:
        """The tuned step of the ladder; None where the index is exact and there is nothing to tune."""
        if candidate.is_exact:
            return None
        budget, asked = self._task.budget, 0

        def ask(rung: int, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
            nonlocal asked
            asked += len(rows)
            self._observer(
                Progress(
                    step=f"tune {candidate.label}", done_count=asked, total_count=budget.search_limit, unit="searches"
                )
            )
            return self._recall(candidate, candidate.ladder[rung], rows)

        return climb_ladder(
            ask,
            rung_count=len(candidate.ladder),
            goal=Goal(
                recall=self._task.recall_target, error_ratio=1 - budget.confidence, search_limit=budget.search_limit
            ),
            query_count=len(self._task.vectors.queries),
            seed=7,
        )

    def _report(
        self, about: Mapping[str, Any], built: _Built, climb: Climb | None, *, search_count: int, records_dir: Path
    ) -> IndexResult:
        candidate, kind = built.candidate, get_index_type(about["index_type"])
        chosen = 0 if climb is None else climb.chosen
        with self.server.watch.phase(f"measure {candidate.label}"):
            curve = self._curve(candidate, climb, chosen=chosen, records_dir=records_dir)
        shape: dict[str, Any] = {
            "row_count": self._task.vectors.row_count,
            "dim": self._task.vectors.dim,
            "params": candidate.build.params,
        }
        return IndexResult(
            **about,
            state="not_reached" if chosen is None else "tuned",
            detail="" if climb is None or chosen is not None else _shortfall(climb, candidate, self._task),
            build_params=dict(built.report.index.spec.params),
            recall_lower=1.0 if climb is None else _lower_bound(climb),
            curve=curve,
            build_s=built.report.build_s,
            load_s=built.report.load_s,
            memory_bytes=self._grown_bytes(),
            memory_bytes_max=max((one.rss_bytes_max for one in self.server.watch.phases[-3:]), default=None),
            memory_bytes_estimate=kind.estimate_memory_bytes(**shape),
            disk_bytes=built.disk_bytes,
            disk_bytes_estimate=kind.estimate_disk_bytes(**shape),
            tuning_search_count=search_count,
        )

    def _curve(
        self, candidate: Candidate, climb: Climb | None, *, chosen: int | None, records_dir: Path
    ) -> tuple[CurvePoint, ...]:
        ladder, budget = candidate.ladder, self._task.budget
        middle = len(ladder) - 1 if chosen is None else chosen
        places = sorted({min(len(ladder) - 1, max(0, middle + step)) for step in budget.curve_steps})
        points = []
        for number, place in enumerate(places):
            self._observer(
                Progress(step=f"measure {candidate.label}", done_count=number, total_count=len(places), unit="settings")
            )
            points.append(self._point(candidate, climb, place, chosen=chosen, records_dir=records_dir))
        return tuple(points)

    def _point(
        self, candidate: Candidate, climb: Climb | None, place: int, *, chosen: int | None, records_dir: Path
    ) -> CurvePoint:
        budget, is_chosen, params = self._task.budget, place == chosen, candidate.ladder[place]
        recall, query_count = self._recall_of_point(candidate, climb, place, is_chosen=is_chosen)
        singles, loads = [], []
        for repeat in range(budget.repeat_count if is_chosen else 1):
            single = self._run(params, in_flight=1, duration_s=budget.single_s, request_count=budget.single_count)
            load = self._run(params, in_flight=budget.in_flight, duration_s=budget.throughput_s, request_count=None)
            if is_chosen:
                write_record(single, records_dir / f"single-{repeat}")
                write_record(load, records_dir / f"load-{repeat}")
            singles.append(compute_metrics(single))
            loads.append(compute_metrics(load))
        return CurvePoint(
            params=dict(params),
            recall=recall,
            query_count=query_count,
            latency_ms_p50=_median(singles, "service_ms_p50"),
            latency_ms_p95=_median(singles, "service_ms_p95"),
            latency_ms_p99=_median(singles, "service_ms_p99"),
            search_count=round(sum(one["query_count"] or 0 for one in singles)),
            qps=_median(loads, "qps"),
            error_ratio=max(one["error_ratio"] or 0.0 for one in [*singles, *loads]),
            is_chosen=is_chosen,
        )

    def _recall_of_point(
        self, candidate: Candidate, climb: Climb | None, place: int, *, is_chosen: bool
    ) -> tuple[float, int]:
        """Mean recall and of how many queries: all of them for the chosen point, else what the tuning asked, or some."""
        query_count = len(self._task.vectors.queries)
        count = query_count if is_chosen else min(self._task.budget.curve_query_count, query_count)
        for rung in climb.rungs if climb else ():
            if rung.rung == place and rung.query_count >= count:
                return rung.recall, rung.query_count
        recall = self._recall(candidate, candidate.ladder[place], np.arange(count, dtype=np.int64))
        return float(recall.mean()), count

    def _recall(
        self, candidate: Candidate, params: Mapping[str, Any], rows: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        params = check_search_params(candidate.build.index_type, params, limit=self._task.k)
        parts = np.array_split(rows, -(-len(rows) // _BATCH_ROWS))
        found = [
            self._gateway.search(
                self._collection, self._task.vectors.queries[part], limit=self._task.k, params=params,
                consistency=Consistency.EVENTUALLY, timeout_s=_TIMEOUT_S,
            ).id_table(k=self._task.k)
            for part in parts
        ]  # fmt: skip
        return recall_at_k(np.concatenate(found), self._truth.ids[rows], k=self._task.k)

    def _run(
        self, params: Mapping[str, Any], *, in_flight: int, duration_s: float, request_count: int | None
    ) -> Record:
        prepared = self._gateway.prepare_searches(
            self._collection, self._task.vectors.queries[:1_000], limit=self._task.k, params=params,
            consistency=Consistency.EVENTUALLY,
        )  # fmt: skip
        return run_closed_loop(
            prepared, in_flight=in_flight, duration_s=duration_s, request_count=request_count, timeout_s=_TIMEOUT_S,
            warm_up_count=20,
        )  # fmt: skip

    def _grown_bytes(self) -> int | None:
        """What the server's own memory, without files that it maps, grew by from the release to the last search."""
        last = [one.memory for one in self.server.watch.phases[-3:]]
        if len(last) < 3 or last[0] is None or last[2] is None:
            return None
        return max(0, last[2].pss_anon_bytes - last[0].pss_anon_bytes)


def _median(metrics: list[dict[str, float | None]], name: str) -> float | None:
    """None unless every repeat has it: the tail of the one repeat that was quick enough to have one is no median."""
    known = [one[name] for one in metrics]
    values = [value for value in known if value is not None]
    return statistics.median(values) if len(values) == len(known) else None


def _lower_bound(climb: Climb) -> float | None:
    return next((one.recall_lower for one in climb.rungs if one.rung == climb.chosen), None)


def _shortfall(climb: Climb, candidate: Candidate, task: CompareTask) -> str:
    best = max(climb.rungs, key=lambda one: one.recall)
    return f"{candidate.label} reaches {best.recall:.4f} in {best.query_count:,} queries, not {task.recall_target:g}"
