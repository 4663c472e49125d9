"""Long work as a record on disk: anyone may look, and the work itself goes on where it was.

A job lives at `home_dir/jobs/ID.json`. Only the process that works on it writes the record; a record that says
`running` while its process is gone is reported as `interrupted`, and the same command goes on from `resume_token`.
"""

from __future__ import annotations

import dataclasses
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import psutil

from milvuslab.machine import open_lock, read_record, write_record
from milvuslab.model.errors import ConfigError
from milvuslab.model.progress import Progress

__all__ = ["Job", "JobWriter", "State", "list_jobs", "read_job"]

State = Literal["running", "paused", "done", "failed", "interrupted"]
_FORMAT = 1
_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Where a piece of long work stands.

    Attributes:
        job_id: the same work has the same id, so it can be resumed.
        title: for a person.
        state: `paused` waits for its turn; `interrupted` and `failed` go on when the command is repeated.
        step: what is being done.
        done_count: units finished, over all runs of the job.
        total_count: units of the whole job, None while unknown.
        unit: what is counted.
        rate_per_s: units per second of this run.
        resume_token: where the next run goes on; empty at the start.
        report: what came of it: counts and lists.
        failure: why it failed, one sentence.
        pid: process that works on it.
        pid_created_s: its start, Unix seconds: a reused pid is another process.
        started_at_s: Unix seconds, of this run.
        updated_at_s: Unix seconds, of this record.
    """

    job_id: str
    title: str
    state: State = "running"
    step: str = ""
    done_count: int = 0
    total_count: int | None = None
    unit: str = ""
    rate_per_s: float = 0.0
    resume_token: str = ""
    report: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    failure: str = ""
    pid: int = 0
    pid_created_s: float = 0.0
    started_at_s: float = 0.0
    updated_at_s: float = 0.0

    @property
    def done_ratio(self) -> float | None:
        """Share done in [0, 1], or None while the total is unknown."""
        return min(1.0, self.done_count / self.total_count) if self.total_count else None

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        return dataclasses.asdict(self)


class JobWriter:
    """The one writer of a job's record: also an observer, so progress flows into it.

    Args:
        folder: `home_dir/jobs`.
        job_id: a-z, 0-9, '.', '_', '-'.
        title: for a person.

    Raises:
        ConflictError: a living process works on this job.

    Exactly one of `pause`, `finish` and `fail` ends the work and frees the job.
    """

    def __init__(self, folder: Path, job_id: str, *, title: str) -> None:
        self._path = _path(folder, job_id)
        self._lock = open_lock(self._path.with_name(f".{job_id}.lock"), timeout_s=0, doing=f"at work on {title!r}")
        before = read_job(folder, job_id)
        if before is not None and before.state == "done":
            before = None
        self._began_s = time.monotonic()
        self._done_before = before.done_count if before else 0
        self._written_s = 0.0
        now_s = time.time()
        self.job = Job(
            job_id=job_id,
            title=title,
            pid=os.getpid(),
            pid_created_s=psutil.Process().create_time(),
            started_at_s=now_s,
            updated_at_s=now_s,
            done_count=self._done_before,
            resume_token=before.resume_token if before else "",
            report=before.report if before else {},
        )
        self._write()

    def observe(self, progress: Progress) -> None:
        """Takes progress into the record; the disk is touched at most twice a second."""
        self.job = dataclasses.replace(
            self.job,
            step=progress.step,
            unit=progress.unit,
            total_count=progress.total_count,
            done_count=progress.done_count,
            rate_per_s=self._rate(progress.done_count),
        )
        if time.monotonic() - self._written_s >= 0.5:
            self._write()

    def checkpoint(self, *, resume_token: str, report: Mapping[str, Any]) -> None:
        """Everything up to `resume_token` is acknowledged; on return this is on disk."""
        self.job = dataclasses.replace(self.job, resume_token=resume_token, report=dict(report))
        self._write()

    def pause(self) -> None:
        """More remains; another writer of the same job will go on with it."""
        self._close(dataclasses.replace(self.job, state="paused"))

    def finish(self, *, report: Mapping[str, Any]) -> None:
        """The work is done; a later run begins anew."""
        self._close(dataclasses.replace(self.job, state="done", report=dict(report), resume_token="", step=""))

    def fail(self, failure: str, *, is_interrupt: bool = False) -> None:
        """The work stopped before its end; the resume token stays."""
        self._close(dataclasses.replace(self.job, state="interrupted" if is_interrupt else "failed", failure=failure))

    def restart(self) -> None:
        """Forgets what an earlier run did."""
        self._done_before = 0
        self.job = dataclasses.replace(self.job, resume_token="", report={}, done_count=0)
        self._write()

    def _rate(self, done_count: int) -> float:
        return round((done_count - self._done_before) / max(1e-3, time.monotonic() - self._began_s), 2)

    def _close(self, job: Job) -> None:
        self.job = job
        self._write()
        self._lock.close()

    def _write(self) -> None:
        self.job = dataclasses.replace(self.job, updated_at_s=time.time())
        write_record(self._path, self.job.as_dict(), version=_FORMAT)
        self._written_s = time.monotonic()


def read_job(folder: Path, job_id: str) -> Job | None:
    """The job as it stands, or None; a dead process shows as `interrupted`."""
    try:
        job = Job(**read_record(_path(folder, job_id), version=_FORMAT))
    except FileNotFoundError:
        return None
    if job.state == "running" and not _is_alive(job):
        return dataclasses.replace(job, state="interrupted", failure=f"process {job.pid} ended before its work")
    return job


def list_jobs(folder: Path) -> list[Job]:
    """All jobs, oldest first."""
    found = [read_job(folder, path.stem) for path in sorted(folder.glob("*.json"))]
    return sorted((job for job in found if job is not None), key=lambda job: (job.started_at_s, job.job_id))


def _is_alive(job: Job) -> bool:
    try:
        return bool(abs(psutil.Process(job.pid).create_time() - job.pid_created_s) < 1.0)
    except psutil.NoSuchProcess:
        return False


def _path(folder: Path, job_id: str) -> Path:
    if not _ID.fullmatch(job_id):
        raise ConfigError(f"{job_id!r} is no job id", hint="use a-z, 0-9, '.', '_' and '-'")
    return folder / f"{job_id}.json"
