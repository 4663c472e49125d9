"""What a run costs the server: memory, processor, disk and faults of its processes by phase, and its own metrics.

Read from /proc, from outside the server. Where there is no /proc (macOS, a remote server) nothing is measured and the
reason is kept: absent is absent, never 0. Resident size is read several times a second from `statm`, which costs
nothing; `smaps_rollup` walks the page tables under the process's memory lock, so it is read only between phases.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from milvuslab.bench.server_metrics import MetricSample, fetch_metrics, metric_changes
from milvuslab.model.errors import UnreachableError

__all__ = ["MemoryReport", "ProcessSample", "ServerWatch", "UsageReport", "read_memory", "read_processes"]

_INTERVAL_S = 0.25
_SCRAPE_EVERY = 8
"""Scrape the metrics at each eighth look, every 2 s: an answer of 2.3.5 has some 300 kB."""

_PROC = Path("/proc")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSample:
    """What the server's processes had used at a moment, added up.

    Attributes:
        at_ns: monotonic clock, the one of the records.
        rss_bytes: resident memory; pages that processes share count for each.
        cpu_s: processor time since they started.
        read_bytes: from the disk since they started; None where the system does not let us look.
        write_bytes: to the disk.
        major_faults: pages that had to be read from disk.
    """

    at_ns: int
    rss_bytes: int
    cpu_s: float
    read_bytes: int | None
    write_bytes: int | None
    major_faults: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MemoryReport:
    """Memory of the processes by what it holds; proportional sizes, so that nothing counts twice."""

    pss_bytes: int
    pss_anon_bytes: int
    pss_file_bytes: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class UsageReport:
    """What one phase cost the server.

    Attributes:
        phase: its name.
        begun_ns: monotonic clock.
        wall_s: how long it took.
        cpu_s: processor time in it.
        read_bytes: read from the disk in it, or None.
        write_bytes: written to the disk in it, or None.
        major_faults: in it.
        rss_bytes_max: highest resident memory seen.
        memory: by kind at its end; None where the system does not tell.
        metrics: changes of the server's own metrics in it; see `metric_changes`.
    """

    phase: str
    begun_ns: int
    wall_s: float
    cpu_s: float
    read_bytes: int | None
    write_bytes: int | None
    major_faults: int
    rss_bytes_max: int
    memory: MemoryReport | None
    metrics: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        return dataclasses.asdict(self)


class ServerWatch:
    """Looks at a server's processes from a thread of its own while the `with` block runs.

    Args:
        pids: the server's processes; their children are found at the beginning of each phase.
        metrics_uri: where the server shows its metrics, `http://127.0.0.1:9091/metrics`; empty where it has none.
        reason: why there is nothing to look at; only without pids.
        proc_dir: the proc file system.
    """

    def __init__(
        self, pids: Sequence[int] = (), *, metrics_uri: str = "", reason: str = "", proc_dir: Path = _PROC
    ) -> None:
        self._proc_dir = proc_dir
        self._roots = tuple(pids)
        self._pids = tuple(pids)
        self._metrics_uri = metrics_uri
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.samples: list[ProcessSample] = []
        self.metric_samples: list[MetricSample] = []
        self.phases: list[UsageReport] = []
        self.absence = reason or _absence(pids, proc_dir)

    @property
    def is_watching(self) -> bool:
        """Whether there is something to look at; `absence` says why not."""
        return not self.absence

    def __enter__(self) -> ServerWatch:
        if self.is_watching:
            self._thread = threading.Thread(target=self._look, name="milvuslab-server-watch", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Counts what the server uses while the block runs; a block that fails is no phase."""
        if not self.is_watching:
            yield
            return
        self._pids = _with_children(self._roots, self._proc_dir)
        before = read_processes(self._pids, proc_dir=self._proc_dir)
        scraped = self._scrape()
        yield
        after = read_processes(self._pids, proc_dir=self._proc_dir)
        if before is None or after is None:
            return
        self.phases.append(
            UsageReport(
                phase=name,
                begun_ns=before.at_ns,
                wall_s=(after.at_ns - before.at_ns) / 1e9,
                cpu_s=after.cpu_s - before.cpu_s,
                read_bytes=_change(before.read_bytes, after.read_bytes),
                write_bytes=_change(before.write_bytes, after.write_bytes),
                major_faults=after.major_faults - before.major_faults,
                rss_bytes_max=max(
                    [one.rss_bytes for one in self.samples if one.at_ns >= before.at_ns], default=after.rss_bytes
                ),
                memory=read_memory(self._pids, proc_dir=self._proc_dir),
                metrics=metric_changes(scraped, self._scrape()),
            )
        )

    def check_alive(self) -> None:
        """Returns while every process that we were given is there.

        Raises:
            UnreachableError: one ended.
        """
        if not self.is_watching:
            return
        for pid in self._roots:
            if _state(pid, self._proc_dir) in ("", "Z", "X"):
                raise UnreachableError(
                    f"the server's process {pid} ended during the run: somebody killed it, or it crashed",
                    hint="see its last words: milvuslab server logs; start it and run again, which goes on where it was",
                    context={"pid": pid},
                )

    def is_frozen(self) -> bool:
        """Whether a process was stopped by a signal (SIGSTOP, Ctrl-Z) and so answers nothing."""
        return self.is_watching and any(_state(pid, self._proc_dir) in ("T", "t") for pid in self._roots)

    def _look(self) -> None:
        count = 0
        while not self._stop.wait(_INTERVAL_S):
            if (sample := read_processes(self._pids, proc_dir=self._proc_dir)) is not None:
                self.samples.append(sample)
            if count % _SCRAPE_EVERY == 0 and (scraped := self._scrape()) is not None:
                self.metric_samples.append(scraped)
            count += 1

    def _scrape(self) -> MetricSample | None:
        return fetch_metrics(self._metrics_uri) if self._metrics_uri else None


def read_processes(pids: Sequence[int], *, proc_dir: Path = _PROC) -> ProcessSample | None:
    """What the processes have used so far; those that ended are left out, None when none is left."""
    at_ns = time.monotonic_ns()
    found = [one for pid in pids if (one := _read_process(pid, proc_dir)) is not None]
    if not found:
        return None
    return ProcessSample(
        at_ns=at_ns,
        rss_bytes=sum(one[0] for one in found),
        cpu_s=sum(one[1] for one in found),
        major_faults=sum(one[2] for one in found),
        read_bytes=_sum([one[3] for one in found]),
        write_bytes=_sum([one[4] for one in found]),
    )


def read_memory(pids: Sequence[int], *, proc_dir: Path = _PROC) -> MemoryReport | None:
    """Proportional memory of the processes by kind; None where the kernel has no `smaps_rollup` or hides it."""
    totals = {"Pss": 0, "Pss_Anon": 0, "Pss_File": 0}
    for pid in pids:
        try:
            text = (proc_dir / str(pid) / "smaps_rollup").read_text(encoding="utf-8")
        except OSError:
            return None
        for line in text.splitlines():
            name, _, rest = line.partition(":")
            if name in totals:
                totals[name] += int(rest.split()[0]) * 1024
    return MemoryReport(pss_bytes=totals["Pss"], pss_anon_bytes=totals["Pss_Anon"], pss_file_bytes=totals["Pss_File"])


def _absence(pids: Sequence[int], proc_dir: Path) -> str:
    if not pids:
        return "no process of the server is on this machine"
    if not (proc_dir / str(pids[0]) / "stat").exists():
        return f"this system has no {proc_dir}, which process figures are read from"
    return ""


def _read_process(pid: int, proc_dir: Path) -> tuple[int, float, int, int | None, int | None] | None:
    """Resident bytes, processor seconds, major faults, bytes read and written of one process."""
    folder = proc_dir / str(pid)
    try:
        fields = _stat_fields(folder)
        rss_pages = int((folder / "statm").read_text(encoding="utf-8").split()[1])
    except (OSError, IndexError, ValueError):
        return None
    ticks = os.sysconf("SC_CLK_TCK")
    io = _read_io(folder)
    # proc(5): majflt is field 12, utime 14, stime 15; `fields` begins with field 3, the state.
    return (
        rss_pages * os.sysconf("SC_PAGE_SIZE"),
        (int(fields[11]) + int(fields[12])) / ticks,
        int(fields[9]),
        io.get("read_bytes"),
        io.get("write_bytes"),
    )


def _stat_fields(folder: Path) -> list[str]:
    """Fields of `stat` from the state on; the name before it may hold blanks and brackets."""
    return (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()


def _read_io(folder: Path) -> dict[str, int]:
    try:
        lines = (folder / "io").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    return {name: int(value) for name, _, value in (line.partition(": ") for line in lines)}


def _state(pid: int, proc_dir: Path) -> str:
    try:
        return _stat_fields(proc_dir / str(pid))[0]
    except (OSError, IndexError):
        return ""


def _with_children(pids: Sequence[int], proc_dir: Path) -> tuple[int, ...]:
    found = list(pids)
    for pid in found:
        for path in (proc_dir / str(pid) / "task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += [int(child) for child in path.read_text(encoding="utf-8").split() if int(child) not in found]
    return tuple(found)


def _change(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else after - before


def _sum(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None
