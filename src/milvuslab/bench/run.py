"""Runs a case: data and truth, upload, index, load, warm-up, search, each timed apart, every raw record kept.

What cannot work is refused before anything is made on the server. What was finished is not done again: a run that was
stopped goes on in its folder, a collection that holds the data already is searched as it is. Scoring happens after the
last request. A server that dies, or hangs, ends the run within seconds, and so does a setting that proves nothing.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from milvuslab.bench.case import Case, Setting
from milvuslab.bench.case_data import check_version, find_truths, open_dataset
from milvuslab.bench.collection import (
    BUCKET_FIELD,
    build_index,
    check_collection,
    check_rows,
    check_supported,
    collection_name,
    upload,
)
from milvuslab.bench.driver import run_closed_loop, run_open_loop
from milvuslab.bench.manifest import MEASURING_PACKAGES, collect_manifest, describe_index, describe_server
from milvuslab.bench.mixed import run_mixed
from milvuslab.bench.record import Record
from milvuslab.bench.run_folder import RunFolder, create_run
from milvuslab.bench.schedule import constant_schedule, poisson_schedule
from milvuslab.bench.server_guard import ServerGuard
from milvuslab.bench.server_side import ServerWatch
from milvuslab.bench.summary import summarise
from milvuslab.bench.sweep import find_highest_rate
from milvuslab.bench.validity import check_phase
from milvuslab.bench.writes import check_writes, describe_writes, open_writes
from milvuslab.model.collection import Consistency
from milvuslab.model.errors import CheckFailedError, UsageError
from milvuslab.model.filter import where
from milvuslab.model.progress import Observer, Progress, silent
from milvuslab.runtime.disk import check_free_space

if TYPE_CHECKING:
    from milvuslab.data.vectors import VectorSet
    from milvuslab.gateway import Gateway

__all__ = ["run_case"]

_CLOSED_REQUESTS_PER_S = 2_000
"""More than a server of this machine answers to one client (facts: 1,090 QPS at 16 in flight); for the disk only."""


def run_case(
    case: Case,
    *,
    gateway: Gateway,
    folder: Path,
    cache_dir: Path | None = None,
    watch: ServerWatch | None = None,
    is_kept: bool = False,
    observer: Observer = silent,
) -> RunFolder:
    """The finished run, its metrics and verdict written; whether it proves anything is in `read_json("metrics")`.

    Args:
        case: what to measure.
        gateway: the server.
        folder: takes the records; one with an unfinished run of the same case is gone on with.
        cache_dir: where true neighbours are kept from run to run; None works them out each time.
        watch: looks at the server's processes, not yet entered; None looks at nothing.
        is_kept: whether a collection that this run uploaded stays on the server, for runs that only search.
        observer: told about each phase; may raise to stop, and the same call goes on later.

    Raises:
        UsageError: the case does not fit the server or the data; nothing was made.
        CheckFailedError: a setting proves nothing; the message is the cause. Its record is kept.
        ServerError: the server failed, or went away.
        PartialError: the disk is full.
    """
    begun_s = time.monotonic()
    check_version(gateway, case)
    vectors = open_dataset(case, gateway=gateway, observer=observer)
    if case.collection.name:
        check_collection(gateway, vectors, case.collection.name, case.index_spec)
    else:
        check_supported(gateway, case.index_spec, is_binary=vectors.is_binary)
    check_free_space(folder, needed_bytes=_record_bytes(case), purpose="the raw records of the run")
    run = create_run(folder, case)
    if run.is_finished:
        return run
    with watch or ServerWatch(reason="nobody looked at the server") as watching:
        work = _Work(run, gateway, vectors, watching, observer, begun_s=begun_s, cache_dir=cache_dir, is_kept=is_kept)
        try:
            work.carry_out()
        except (CheckFailedError, UsageError):
            work.drop()  # nothing to go on with; after a failure of the server or Ctrl-C there is
            raise
    return run


@dataclasses.dataclass
class _Work:
    """One call of `run_case`: what its steps share."""

    run: RunFolder
    gateway: Gateway
    vectors: VectorSet
    watch: ServerWatch
    observer: Observer
    begun_s: float
    cache_dir: Path | None
    is_kept: bool

    def carry_out(self) -> None:
        """Everything from the truth to the summary."""
        case = self.run.case
        with self._phase("truth"):
            truths = find_truths(case, self.vectors, cache_dir=self.cache_dir, observer=self.observer)
        for setting in case.settings():
            self.run.write_truth(setting, truths[setting.bucket_below])
        name = case.collection.name or self._upload()
        self._build(name)
        check_rows(self.gateway, self.vectors, name)
        self._write_manifest(name)
        for repeat in range(case.run.repeats):
            for number, setting in enumerate(case.settings()):
                self._search(name, setting, number=number, repeat=repeat)
        self.drop()
        self._note_time()
        self._write_server_side()
        self.run.finish()
        summarise(self.run)

    def drop(self) -> None:
        """Takes away the collection that this run uploaded, unless it is to stay."""
        if self.run.facts.get("is_ours") and not self.is_kept:
            self.gateway.collections.drop(collection_name(self.vectors))
            self.run.note_facts(is_ours=False)

    def _upload(self) -> str:
        name = collection_name(self.vectors)
        with self._phase("upload") as report:
            done = upload(self.gateway, self.vectors, name=name, observer=self.observer)
            report.update(insert_s=done.insert_s, flush_s=done.flush_s, row_count=done.row_count)
        if done.insert_s is not None:
            self.run.note_facts(is_ours=True)
        return name

    def _build(self, name: str) -> None:
        with self._phase("build and load") as report:
            done = build_index(self.gateway, name, self.run.case.index_spec, observer=self.observer)
            report.update(build_s=done.build_s, load_s=done.load_s)

    def _search(self, name: str, setting: Setting, *, number: int, repeat: int) -> None:
        phase = f"search-{number:03d}-{repeat:02d}"
        if phase in self.run.phases:
            return
        case = self.run.case
        prepared = self.gateway.prepare_searches(
            name,
            self.vectors.queries,
            limit=case.search.k,
            batch_rows=setting.batch_rows,
            metric=case.metric,
            params=setting.params,
            where=where(BUCKET_FIELD) < setting.bucket_below if setting.bucket_below is not None else None,
            consistency=Consistency(case.collection.consistency),
            field=case.index_spec.field_name,
        )
        guard = ServerGuard(self.watch, self.gateway, name, what=setting.label, limit_s=min(5.0, case.load.timeout_s))
        observe = _titled(self.observer, f"search {setting.label}, {repeat + 1} of {case.run.repeats}", guard)
        warmed_s = _timed(lambda: _warm_up(prepared, case, observe))
        with self.watch.phase(phase):
            records = self._measure(prepared, setting, repeat, name, observe)
        record = records.pop("search")
        self.run.write_record(phase, record)
        for kind, write in records.items():
            self.run.write_record(f"{phase}-{kind}", write)
        check_phase(case, setting, record, truth=self.run.read_truth(setting))
        check_writes(case, records)
        self.run.note_phase(
            phase,
            {
                "number": number,
                "repeat": repeat,
                "label": setting.label,
                "warm_up_s": warmed_s,
                "wall_s": record.wall_s,
                **({"writes": describe_writes(records)} if records else {}),
            },
        )

    def _measure(self, prepared: Any, setting: Setting, repeat: int, name: str, observe: Observer) -> dict[str, Record]:
        """Records by kind: `search`, and what was written beside it."""
        case = self.run.case
        if not case.has_writes:
            return {"search": self._search_only(prepared, setting, repeat, observe)}
        schedule = self._schedule(setting, repeat)
        with open_writes(case, self.gateway, self.vectors, name) as writes:
            return run_mixed(
                prepared, schedule, writes, timeout_s=case.load.timeout_s, warm_up_count=0, observer=observe
            )

    def _search_only(self, prepared: Any, setting: Setting, repeat: int, observe: Observer) -> Record:
        load = self.run.case.load
        if setting.in_flight is not None:
            return run_closed_loop(
                prepared, in_flight=setting.in_flight, duration_s=load.duration_s, timeout_s=load.timeout_s,
                warm_up_count=0, observer=observe,
            )  # fmt: skip
        if setting.rate_per_s is None:
            return self._find_rate(prepared, observe)
        schedule = self._schedule(setting, repeat)
        return run_open_loop(prepared, schedule, timeout_s=load.timeout_s, warm_up_count=0, observer=observe)

    def _schedule(self, setting: Setting, repeat: int) -> Any:
        load = self.run.case.load
        assert setting.rate_per_s is not None, "only an open loop has a schedule"
        if load.schedule == "poisson":
            seed = self.run.case.run.seed + repeat
            return poisson_schedule(rate_per_s=setting.rate_per_s, duration_s=load.duration_s, seed=seed)
        return constant_schedule(rate_per_s=setting.rate_per_s, duration_s=load.duration_s)

    def _find_rate(self, prepared: Any, observe: Observer) -> Record:
        """The record at the highest rate that keeps P99 below the limit."""
        load = self.run.case.load
        found = find_highest_rate(
            prepared, latency_ms_p99_below=load.latency_ms_p99_below, duration_s=load.duration_s,
            low_per_s=load.rate_per_s[0], timeout_s=load.timeout_s, warm_up_count=0, observer=observe,
        )  # fmt: skip
        if found.rate_per_s is None:
            lowest = min(point.value for point in found.points)
            raise CheckFailedError(
                f"limit not met: P99 is not below {load.latency_ms_p99_below:g} ms even at {lowest:g} requests a second",
                findings=[f"{point.value:g}/s: P99 {point.metrics['latency_ms_p99']} ms" for point in found.points],
                hint="raise load.latency_ms_p99_below, or begin lower: load.rate_per_s",
            )
        return next(point.record for point in reversed(found.points) if point.value == found.rate_per_s)

    @contextmanager
    def _phase(self, name: str) -> Iterator[dict[str, Any]]:
        """Times a phase, watches the server in it and keeps its report; what fails is not kept."""
        self.observer(Progress(step=name))
        report: dict[str, Any] = {}
        begun_s = time.monotonic()
        with self.watch.phase(name):
            yield report
        before = self.run.phases.get(name, {})
        # Of a resumed run, the first time that something was done stays: the second found it done.
        kept = {key: value if value is not None else before.get(key) for key, value in report.items()}
        self.run.note_phase(name, {**kept, "wall_s": before.get("wall_s", 0.0) + time.monotonic() - begun_s})

    def _write_manifest(self, name: str) -> None:
        case, gateway, vectors = self.run.case, self.gateway, self.vectors
        data = {"name": vectors.name, "checksum": vectors.checksum, "row_count": vectors.row_count, "dim": vectors.dim}
        extra = {
            "case_digest": case.digest,
            "server": describe_server(gateway),
            "collection": {"name": name, "row_count": gateway.rows.count(name), **_consistency(gateway, name)},
            "index": describe_index(gateway, name, case.index_spec.field_name),
            "search": [dict(params) for params in case.search.params],
            "dataset": data,
            "server_side": self.watch.absence or "read from /proc",
            "warm_up_count": case.load.warm_up_count,
        }
        self.run.write_json("manifest", collect_manifest(packages=MEASURING_PACKAGES, extra=extra))

    def _note_time(self) -> None:
        """How much of the wall clock was measurement; of a resumed run, the calls added up."""
        before = float(self.run.facts.get("wall_s", 0.0))
        measured_s = sum(phase.report["wall_s"] for phase in self.run.search_phases())
        self.run.note_facts(wall_s=before + time.monotonic() - self.begun_s, measured_s=measured_s)

    def _write_server_side(self) -> None:
        kept = self.run.read_json("server")
        watch = self.watch
        self.run.write_json(
            "server",
            {
                "absence": watch.absence,
                "phases": [*kept.get("phases", []), *(phase.as_dict() for phase in watch.phases)],
                "samples": [*kept.get("samples", []), *(dataclasses.asdict(one) for one in watch.samples)],
                "metrics": [*kept.get("metrics", []), *(dataclasses.asdict(one) for one in watch.metric_samples)],
            },
        )


def _warm_up(prepared: Any, case: Case, observe: Observer) -> None:
    if case.load.warm_up_count:
        run_closed_loop(
            prepared, in_flight=2, request_count=case.load.warm_up_count, duration_s=case.load.timeout_s,
            timeout_s=case.load.timeout_s, warm_up_count=0, observer=observe,
        )  # fmt: skip


def _timed(work: Any) -> float:
    begun_s = time.monotonic()
    work()
    return time.monotonic() - begun_s


def _titled(observer: Observer, step: str, guard: ServerGuard) -> Observer:
    def observe(progress: Progress) -> None:
        guard.check()
        observer(dataclasses.replace(progress, step=step))

    return observe


def _consistency(gateway: Gateway, name: str) -> Mapping[str, str]:
    return {"consistency_of_collection": str(gateway.collections.describe(name).consistency)}


def _record_bytes(case: Case) -> int:
    """About what the raw records will take on disk: 34 bytes a request, 12 a hit, before compression."""
    total = 0.0
    for setting in case.settings():
        rate = setting.rate_per_s or _CLOSED_REQUESTS_PER_S
        total += rate * case.load.duration_s * (34 + 12 * case.search.k * setting.batch_rows)
    return round(total * case.run.repeats) + 10_000_000
