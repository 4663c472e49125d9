"""A program that outlives the command that started it: start, find, stop, read its log.

There is no supervisor. A program runs in its own session with its output in a file, and is known by two things:

- its record, a small file with the process id, the process's start time and the arguments;
- a mark in its environment that holds the path of that record.

A process is ours only when it carries the mark (where its environment cannot be read: when its start time is the
recorded one). So a process id that somebody else got since is never taken for ours, and a program whose starter was
killed between starting it and writing the record is still found by looking through the processes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path

import psutil

from milvuslab.machine.lock import hold_lock
from milvuslab.machine.polling import poll_until
from milvuslab.machine.record import read_record, write_record
from milvuslab.model.errors import ConflictError, StartError

__all__ = [
    "Program",
    "RunningProgram",
    "StopReport",
    "find_program",
    "read_exit",
    "read_log_tail",
    "signal_program",
    "start_program",
    "stop_program",
]

_MARK = "_MILVUSLAB_PROGRAM"
# Not MILVUSLAB_*: those names are settings, and a program of ours that reads its settings would refuse this one.
_FORMAT = 1
_LOG_KEPT_COUNT = 3
_LINE_LIMIT = 2_000
_KILL_TIMEOUT_S = 10.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to start.

    Attributes:
        name: for messages: `server standalone`, `studio`.
        argv: program and arguments; the program as an absolute path.
        environment: the whole environment; nothing is inherited.
        working_dir: folder it runs in; made when missing.
        log_path: file that takes stdout and stderr of one run; the last three runs are kept beside it.
        record_path: file that says which process it is; also its identity, so one per program.
    """

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    working_dir: Path
    log_path: Path
    record_path: Path


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunningProgram:
    """A process that carries our mark.

    Attributes:
        pid: its process id, also its session and process group.
        started_at_s: when it started, seconds since 1970.
        rss_bytes: memory it holds resident, its children's included.
        was_running: whether `start_program` found it instead of starting it.
    """

    pid: int
    started_at_s: float
    rss_bytes: int
    was_running: bool = True

    @property
    def uptime_s(self) -> float:
        """Seconds since it started."""
        return max(0.0, datetime.now(timezone.utc).timestamp() - self.started_at_s)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StopReport:
    """What stopping did.

    Attributes:
        was_running: whether there was a process at all.
        was_killed: whether one had to be killed after the deadline.
        duration_s: how long it took.
    """

    was_running: bool
    was_killed: bool
    duration_s: float


def start_program(program: Program) -> RunningProgram:
    """The running program, started unless it runs already; two starters at once end with one process.

    Raises:
        StartError: the program cannot be executed, or its files cannot be written.
        ConflictError: another process has held the start lock for too long.
    """
    with _named_failures(program):
        program.record_path.parent.mkdir(parents=True, exist_ok=True)
        program.working_dir.mkdir(parents=True, exist_ok=True)
        program.log_path.parent.mkdir(parents=True, exist_ok=True)
        with _start_lock(program.record_path):
            if running := find_program(program.record_path):
                return running
            _rotate_log(program.log_path)
            pid = _spawn(program)
            process = psutil.Process(pid)
            try:
                write_record(
                    program.record_path,
                    {"pid": pid, "started_at_s": process.create_time(), "argv": list(program.argv)},
                    version=_FORMAT,
                )
            except BaseException:
                process.kill()
                raise
            return dataclasses.replace(_describe(process), was_running=False)


def find_program(record_path: Path) -> RunningProgram | None:
    """The running program that belongs to this record, or None; changes nothing."""
    process = _find_leader(record_path)
    if process is None:
        return None
    try:
        return _describe(process)
    except psutil.NoSuchProcess:
        return None


def stop_program(record_path: Path, *, timeout_s: float) -> StopReport:
    """Ends the program and everything that carries its mark: SIGTERM, `timeout_s`, then SIGKILL.

    Raises:
        ConflictError: a process did not end even after SIGKILL, or belongs to another user.
    """
    started_s = time.monotonic()
    if not record_path.parent.is_dir():
        return StopReport(was_running=False, was_killed=False, duration_s=0.0)
    with _start_lock(record_path):
        processes = _family(record_path)
        _signal(processes, signal.SIGTERM)
        gone = poll_until(lambda: not _living(processes), timeout_s=timeout_s) if processes else True
        # Whoever was started while the others ended carries the mark too.
        left = [*_living(processes), *(process for process in _family(record_path) if process not in processes)]
        if left:
            _signal(left, signal.SIGKILL)
            if not poll_until(lambda: not _living(left), timeout_s=_KILL_TIMEOUT_S):
                raise ConflictError(
                    f"process {left[0].pid} does not end even after SIGKILL",
                    hint="it waits for the kernel, most often for a disk: look at dmesg",
                )
        for process in processes:
            read_exit(process.pid)  # an ended child of this very process waits to be collected
        record_path.unlink(missing_ok=True)
    return StopReport(
        was_running=bool(processes), was_killed=not gone or bool(left), duration_s=time.monotonic() - started_s
    )


def signal_program(record_path: Path, number: signal.Signals) -> tuple[int, ...]:
    """Sends a signal to the program and its descendants, now and without waiting; the pids that got it.

    For drills: what it leaves behind is whatever the program makes of the signal.

    Raises:
        ConflictError: a process belongs to another user.
    """
    processes = _family(record_path)
    _signal(processes, number)
    return tuple(process.pid for process in processes)


def read_exit(pid: int) -> str:
    """How a child of this process ended: `exit code 2`, `signal SIGILL`; empty while unknown or no child of ours."""
    try:
        found, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return ""
    if found == 0:
        return ""
    code = os.waitstatus_to_exitcode(status)
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def read_log_tail(path: Path, *, line_count: int = 40, limit_bytes: int = 262_144) -> tuple[str, ...]:
    """Last lines of a log, oldest first; at most the last `limit_bytes` are read. No file gives no lines.

    Lines are cut after 2,000 characters: Milvus writes stack traces of 20,000 into one.
    """
    try:
        with path.open("rb") as file:
            size_bytes = file.seek(0, os.SEEK_END)
            file.seek(max(0, size_bytes - limit_bytes))
            text = file.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return ()
    lines = text.splitlines()[-line_count:] if line_count > 0 else []
    return tuple(line if len(line) <= _LINE_LIMIT else f"{line[:_LINE_LIMIT]} ..." for line in lines)


class _Outliving(subprocess.Popen[bytes]):
    """A child that is meant to outlive this object, so its end is nobody's warning."""

    def __del__(self) -> None:
        """Nothing: the record knows the process."""


def _spawn(program: Program) -> int:
    mark = {_MARK: str(program.record_path.resolve())}
    with program.log_path.open("ab") as log:
        child = _Outliving(
            list(program.argv),
            cwd=program.working_dir,
            env={**program.environment, **mark},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return child.pid


@contextlib.contextmanager
def _named_failures(program: Program) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = error.filename or program.argv[0]
        raise StartError(
            f"{program.name} cannot be started: {error.strerror or error} ({where})",
            hint="free some space" if error.errno in (28, 122) else f"check that {where} is there and yours",
        ) from error


@contextlib.contextmanager
def _start_lock(record_path: Path) -> Iterator[None]:
    with hold_lock(
        record_path.with_suffix(".lock"), timeout_s=60.0, doing=f"starting or stopping {record_path.parent.name}"
    ):
        yield


def _rotate_log(path: Path) -> None:
    if not path.is_file() or path.stat().st_size == 0:
        return
    for number in range(_LOG_KEPT_COUNT - 1, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number + 1}"))
    path.replace(path.with_name(f"{path.name}.1"))


def _find_leader(record_path: Path) -> psutil.Process | None:
    try:
        record = read_record(record_path, version=_FORMAT)
    except FileNotFoundError:
        record = {}
    if record:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(record["pid"])
            if _is_ours(process, record_path, started_at_s=record["started_at_s"]):
                return process
    leaders = [process for process in _marked(record_path) if _leads_session(process)]
    return leaders[0] if leaders else None


def _family(record_path: Path) -> list[psutil.Process]:
    """Leader, its descendants and every other carrier of the mark."""
    found = {process.pid: process for process in _marked(record_path)}
    leader = _find_leader(record_path)
    if leader is not None:
        found[leader.pid] = leader
        with contextlib.suppress(psutil.Error):
            found.update({process.pid: process for process in leader.children(recursive=True)})
    return list(found.values())


def _marked(record_path: Path) -> list[psutil.Process]:
    mark = str(record_path.resolve())
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(_MARK) == mark and _is_alive(process):
                found.append(process)
    return found


def _is_ours(process: psutil.Process, record_path: Path, *, started_at_s: float) -> bool:
    if not _is_alive(process):
        return False
    try:
        environment = process.environ()
    except (psutil.AccessDenied, OSError):
        environment = {}
    if environment:
        return environment.get(_MARK) == str(record_path.resolve())
    return abs(process.create_time() - started_at_s) < 1.0


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _leads_session(process: psutil.Process) -> bool:
    with contextlib.suppress(OSError):
        return os.getsid(process.pid) == process.pid
    return False


def _living(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if _is_alive(process)]


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    try:
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)
    except psutil.AccessDenied as error:
        raise ConflictError(
            f"process {error.pid} belongs to another user", hint=f"stop it as that user: kill {error.pid}"
        ) from None


def _describe(process: psutil.Process) -> RunningProgram:
    rss_bytes = 0
    for member in [process, *process.children(recursive=True)]:
        with contextlib.suppress(psutil.Error):
            rss_bytes += member.memory_info().rss
    return RunningProgram(pid=process.pid, started_at_s=process.create_time(), rss_bytes=rss_bytes)
