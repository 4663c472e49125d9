"""One scale run from nothing to its result, or from where an earlier one was killed.

After each part, and after each later step, what was done is on disk before the next thing begins. A part that the
server was loading when we were killed is found among the server's own tasks and waited for; files that were being
written are written again. So a kill at any moment costs at most one part.
"""

from __future__ import annotations

import contextlib
import dataclasses
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from milvuslab.bench.scale.case import ScaleCase
from milvuslab.bench.scale.measuring import Measured, measure
from milvuslab.bench.scale.prediction import Prediction, predict
from milvuslab.bench.scale.server import ScaleServer
from milvuslab.bench.scale.staging import Staging
from milvuslab.bench.scale.state import PartTimes, ScaleState, estimate_left_s
from milvuslab.bench.server_side import ServerWatch
from milvuslab.data.vectors.clustered import make_clustered
from milvuslab.journal.job import JobWriter
from milvuslab.model.collection import CollectionSpec, Consistency, DataType, FieldSpec
from milvuslab.model.errors import CheckFailedError
from milvuslab.model.index import IndexSpec
from milvuslab.model.metric import Metric
from milvuslab.model.progress import Observer, Progress, silent
from milvuslab.runtime.disk import measure_folder

if TYPE_CHECKING:
    from milvuslab.gateway import Gateway

__all__ = ["ScaleOutcome", "run_scale"]

_STEP_TIMEOUT_S = 4 * 3_600.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ScaleOutcome:
    """What a run came to.

    Attributes:
        case: what was asked.
        prediction: what it was to take.
        state: what it took.
        measured: what the searches showed.
        segment_count: segments that hold the rows.
        index_build_count: indexes that were built; equal to `segment_count` where each was built once.
        disk_bytes: of the server's folder at the end.
        loaded_memory_bytes: resident memory of the server after the searches; None where it is not to be seen.
        total_s: one run from nothing to the end; None when it was not one run.
    """

    case: ScaleCase
    prediction: Prediction
    state: ScaleState
    measured: Measured
    segment_count: int
    index_build_count: int
    disk_bytes: int
    loaded_memory_bytes: int | None
    total_s: float | None


def run_scale(
    case: ScaleCase,
    *,
    server: ScaleServer,
    gateway: Gateway,
    job: JobWriter,
    folder: Path,
    started_s: float,
    observer: Observer = silent,
) -> ScaleOutcome:
    """Runs the case, or goes on with it; the caller ends the job.

    Args:
        case: what to do.
        server: where.
        gateway: a connection to it.
        job: keeps the state; its report is that of an earlier run, or empty.
        folder: of staged files and raw records.
        started_s: what the start of the server took.
        observer: told what is done and how long the rest takes.

    Raises:
        CheckFailedError: rows are missing or doubled, a search failed, or the recall is not reached.
        RejectedError: the server gave up a load or an index.
    """
    with ServerWatch([server.pid]) as watch:
        work = _Work(case, server=server, gateway=gateway, job=job, folder=folder, watch=watch, observer=observer)
        work.begin(started_s)
        work.load_rows()
        work.build_index()
        work.open_collection()
        measured = work.search()
    return work.outcome(measured)


class _Work:
    """One call of `run_scale`."""

    def __init__(
        self,
        case: ScaleCase,
        *,
        server: ScaleServer,
        gateway: Gateway,
        job: JobWriter,
        folder: Path,
        watch: ServerWatch,
        observer: Observer,
    ) -> None:
        self._case = case
        self._server = server
        self._gateway = gateway
        self._job = job
        self._folder = folder
        self._watch = watch
        self._observer = observer
        self._prediction = predict(case)
        self._began_s = self._noted_s = time.monotonic()
        self._state = ScaleState.from_dict(job.job.report)
        self._vectors = make_clustered(
            row_count=case.row_count, dim=case.dim, query_count=case.query_count, seed=case.seed
        )
        self._staging = Staging(folder / "staged", case, self._vectors)

    def begin(self, started_s: float) -> None:
        """Makes the collection, unless an earlier run did."""
        state = self._state
        is_new = state.run_count == 0 or not self._gateway.collections.exists(self._case.name)
        if is_new:
            self._staging.clear()
            self._gateway.collections.drop(self._case.name)
            self._gateway.collections.create(_collection(self._case))
            state = ScaleState()
        self._noted_s -= started_s
        self._note(dataclasses.replace(state, run_count=state.run_count + 1, started_s=state.started_s + started_s))

    def load_rows(self) -> None:
        """Every part generated, loaded and removed again."""
        for part in range(len(self._state.parts), self._case.part_count):
            start, stop = self._case.bounds(part)
            with self._step("generate") as (observe, clock):
                was_made = self._staging.stage(part, observe)
            generate_s = clock() if was_made else None
            was_asked = self._state.run_count > 1 and not was_made
            with self._step("bulk_load") as (observe, clock):
                self._gateway.bulk_load(
                    self._case.name,
                    self._staging.files(part),
                    is_taken_up=True,
                    timeout_s=_STEP_TIMEOUT_S,
                    observer=_titled(observe, f"bulk load part {part + 1} of {self._case.part_count}"),
                )
            times = PartTimes(row_count=stop - start, generate_s=generate_s, bulk_load_s=None if was_asked else clock())
            self._note(
                dataclasses.replace(
                    self._state, parts=(*self._state.parts, times), disk_peak_bytes=self._disk_peak_bytes()
                )
            )
            self._staging.discard(part)

    def build_index(self) -> None:
        """The index, each segment once; waits for one that an earlier run asked for."""
        if "index" in self._state.done:
            return
        was_asked = self._state.indexes_before is not None
        if not was_asked:
            self._note(dataclasses.replace(self._state, indexes_before=self._count_indexes()))
        with self._step("index") as (observe, clock):
            spec = IndexSpec(
                field_name="vector",
                index_type=self._case.index_type,
                metric=Metric.L2,
                params={"nlist": self._case.list_count},
            )
            report = self._gateway.indexes.build(
                self._case.name, spec, timeout_s=_STEP_TIMEOUT_S, observer=_titled(observe, "build indexes")
            )
        if report.total_row_count != self._case.row_count:
            raise CheckFailedError(
                f"{self._case.name} holds {report.total_row_count:,} rows instead of {self._case.row_count:,}",
                findings=[f"{report.total_row_count - self._case.row_count:+,} rows"],
                hint="begin anew: the same command with --restart",
            )
        self._finish("index", index_s=None if was_asked else clock())

    def open_collection(self) -> None:
        """Brings the set into memory; a server that was restarted meanwhile does it again."""
        with self._step("load") as (observe, clock):
            self._gateway.collections.load(
                self._case.name, timeout_s=_STEP_TIMEOUT_S, observer=_titled(observe, "load into memory")
            )
        if "load" not in self._state.done:
            self._finish("load", load_s=clock())

    def search(self) -> Measured:
        """All searches; cheap beside the rest, so a run that was killed in them does them again."""
        with self._step("measure") as (observe, clock):
            measured = measure(
                self._gateway, self._case, queries=self._vectors.queries, truth=self._staging.answers(),
                folder=self._folder / "records", observer=observe,
            )  # fmt: skip
        self._finish("measure", measure_s=clock())
        return measured

    def outcome(self, measured: Measured) -> ScaleOutcome:
        """Everything for the report; the staged answers are removed."""
        self._staging.clear()
        last = self._watch.samples[-1] if self._watch.samples else None
        data_dir = self._server.folder / "data" / "insert_log"
        collection_id = self._gateway.collections.number(self._case.name)
        return ScaleOutcome(
            case=self._case,
            prediction=self._prediction,
            state=self._state,
            measured=measured,
            segment_count=sum(1 for _ in (data_dir / str(collection_id)).glob("*/*")),
            index_build_count=self._count_indexes() - (self._state.indexes_before or 0),
            disk_bytes=measure_folder(self._server.folder),
            loaded_memory_bytes=last.rss_bytes if last else None,
            total_s=self._state.elapsed_s if self._state.run_count == 1 else None,
        )

    @contextlib.contextmanager
    def _step(self, name: str) -> Iterator[tuple[Observer, Any]]:
        """An observer that adds the time left, and a clock that stands still when the block ends."""
        began_s = time.monotonic()
        ended_s: list[float] = []

        def clock() -> float:
            return (ended_s[0] if ended_s else time.monotonic()) - began_s

        def observe(progress: Progress) -> None:
            left_s = estimate_left_s(self._state, self._case, self._prediction, doing=name, spent_s=clock())
            told = dataclasses.replace(progress, message=_join(progress.message, f"about {_rounded(left_s)} left"))
            self._job.observe(told)
            self._observer(told)

        with self._watch.phase(name):
            yield observe, clock
        ended_s.append(time.monotonic())

    def _finish(self, step: str, **times: float | None) -> None:
        self._note(dataclasses.replace(self._state, done=(*self._state.done, step), **times))  # type: ignore[arg-type]

    def _note(self, state: ScaleState) -> None:
        """Puts the state on disk with what was used so far."""
        now_s = time.monotonic()
        memory, cpu_s = dict(state.server_memory_bytes), dict(state.server_cpu_s)
        for usage in self._watch.phases:
            memory[usage.phase] = max(memory.get(usage.phase, 0), usage.rss_bytes_max)
            cpu_s[usage.phase] = round(cpu_s.get(usage.phase, 0.0) + usage.cpu_s, 2)
        self._watch.phases.clear()
        self._state = dataclasses.replace(
            state,
            elapsed_s=state.elapsed_s + now_s - self._noted_s,
            server_memory_bytes=memory,
            server_cpu_s=cpu_s,
            client_memory_bytes=max(state.client_memory_bytes, _own_memory_bytes()),
        )
        self._noted_s = now_s
        self._job.checkpoint(resume_token=f"part {len(self._state.parts)}", report=self._state.as_dict())

    def _disk_peak_bytes(self) -> int:
        used_bytes = measure_folder(self._server.folder) + measure_folder(self._folder)
        return max(self._state.disk_peak_bytes, used_bytes)

    def _count_indexes(self) -> int:
        return sum(1 for _ in (self._server.folder / "data" / "index_files").glob("*"))


def _collection(case: ScaleCase) -> CollectionSpec:
    return CollectionSpec(
        name=case.name,
        fields=(
            FieldSpec(name="id", data_type=DataType.INT64, is_primary=True),
            FieldSpec(name="vector", data_type=DataType.FLOAT_VECTOR, dim=case.dim),
        ),
        # One shard: with more, each file would be spread over as many segments.
        shard_count=1,
        consistency=Consistency.BOUNDED,
    )


def _titled(observer: Observer, step: str) -> Observer:
    return lambda progress: observer(dataclasses.replace(progress, step=step))


def _join(*texts: str) -> str:
    return "; ".join(text for text in texts if text)


def _rounded(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{max(5, 5 * round(seconds / 5))} s"


def _own_memory_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
