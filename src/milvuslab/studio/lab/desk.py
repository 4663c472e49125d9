"""Comparisons of this workspace: started in a process of their own, watched by their job, stopped, read.

A comparison is a folder `home_dir/comparisons/ID` with the order, what `tune` writes, and the report; its progress is the
job `index-lab-ID`. Folders that `milvuslab bench indexes` made are shown too; they have no order. The process that measures is not the studio's: searches answered for pages would stand in its numbers.
Methods block for a moment; the event loop calls them through `run`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import secrets
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from milvuslab.journal.job import Job, read_job
from milvuslab.machine import write_text
from milvuslab.model.errors import ConflictError, MilvusLabError, NotFoundError
from milvuslab.studio.desk_threads import DeskThreads
from milvuslab.studio.lab.order import LabOrder, check_file, job_id_of, read_order, write_order
from milvuslab.tune.comparison import Comparison, read_comparison

if TYPE_CHECKING:
    from milvuslab.model.settings import Settings

__all__ = ["LabDesk", "LabEntry"]

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_STOP_TIMEOUT_S = 20.0
_CLOSE_TIMEOUT_S = 5.0
_KEPT_MAX = 200


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LabEntry:
    """A comparison on the shelf.

    Attributes:
        comparison_id: its folder's name; later ones are larger.
        title: what is compared, in a few words.
        order: what was asked; None of a comparison that a command began.
        state: `starting`, `running`, `done`, `failed` or `interrupted`; `open` when a command works on it, or left it.
        job: how far it is; None before its process has said anything.
        failure: why it stopped, one sentence; empty otherwise.
    """

    comparison_id: str
    title: str
    order: LabOrder | None
    state: str
    job: Job | None = None
    failure: str = ""

    @property
    def is_running(self) -> bool:
        """Whether its process works on it."""
        return self.state in ("starting", "running")


class LabDesk(DeskThreads):
    """The comparisons of one workspace. Safe to use from many threads.

    Args:
        settings: folders, and what may be named by whom.
        child_environment: of the process that measures.
        working_dir: where it finds the project file.
    """

    def __init__(self, *, settings: Settings, child_environment: Mapping[str, str], working_dir: Path) -> None:
        super().__init__(thread_count=2, name="lab")
        self.settings = settings
        self._child_environment = dict(child_environment)
        self._working_dir = working_dir
        self._folder = Path(settings.home_dir) / "comparisons"
        self._jobs_dir = Path(settings.home_dir) / "jobs"
        self._lock = threading.Lock()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._known: dict[str, Comparison] = {}

    def close(self) -> None:
        """Stops what this studio started; nobody would be left to watch it."""
        with self._lock:
            running = [process for process in self._processes.values() if process.poll() is None]
        for process in running:
            process.terminate()
        for process in running:
            _wait_or_kill(process, timeout_s=_CLOSE_TIMEOUT_S)
        super().close()

    def start(self, order: LabOrder) -> str:
        """Starts a comparison and returns its id; its process says in the job how far it is.

        Raises:
            ConflictError: one is running; two at once would measure each other.
            NotFoundError, ForbiddenError: see `check_file`.
        """
        check_file(order, settings=self.settings)
        with self._lock:
            for entry in self._entries():
                if entry.is_running:
                    raise ConflictError(
                        f"a comparison is running: {entry.title}",
                        hint="wait for it or stop it; two at once would measure each other",
                        context={"comparison_id": entry.comparison_id},
                    )
            comparison_id = f"{datetime.now(timezone.utc):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
            folder = self._folder / comparison_id
            write_order(folder, order)
            self._processes[comparison_id] = self._spawn(folder)
            return comparison_id

    def entries(self) -> Sequence[LabEntry]:
        """All comparisons, the latest first."""
        with self._lock:
            return self._entries()

    def find(self, comparison_id: str) -> LabEntry:
        """How one comparison stands.

        Raises:
            NotFoundError: there is none of that id.
        """
        with self._lock:
            return self._entry(self._folder_of(comparison_id))

    def read(self, comparison_id: str) -> Comparison | None:
        """What was measured so far; None before the plan stands.

        Raises:
            NotFoundError: there is none of that id.
        """
        folder = self._folder_of(comparison_id)
        known = self._known.get(comparison_id)
        if known is not None and known.is_complete:
            return known
        self.find(comparison_id)
        try:
            found = read_comparison(folder)
        except NotFoundError:
            return None
        with self._lock:
            self._known[comparison_id] = found
        return found

    def report_path(self, comparison_id: str) -> Path:
        """The HTML report of a comparison that is done.

        Raises:
            NotFoundError: there is none.
        """
        path = self._folder_of(comparison_id) / "report.html"
        if not path.is_file():
            raise NotFoundError(f"the comparison {comparison_id} has no report", hint="it is written when it is done")
        return path

    def cancel(self, comparison_id: str) -> LabEntry:
        """Stops a running comparison and waits until its process has cleaned up after itself.

        Raises:
            NotFoundError: there is none of that id.
            ConflictError: it is not running, or another studio started it.
        """
        entry = self.find(comparison_id)
        process = self._processes.get(comparison_id)
        if not entry.is_running or process is None:
            raise ConflictError(
                f"the comparison {entry.title} cannot be stopped here: {entry.state}",
                hint="a comparison is stopped where it was started",
            )
        process.terminate()
        _wait_or_kill(process, timeout_s=_STOP_TIMEOUT_S)
        return self.find(comparison_id)

    def remove(self, comparison_id: str) -> None:
        """Deletes a comparison that does not run, its report with it.

        Raises:
            NotFoundError: there is none of that id.
            ConflictError: it is running.
        """
        entry = self.find(comparison_id)
        if entry.is_running:
            raise ConflictError(f"the comparison {entry.title} is running", hint="stop it first")
        with self._lock:
            shutil.rmtree(self._folder_of(comparison_id))
            self._known.pop(comparison_id, None)
            self._processes.pop(comparison_id, None)
            (self._jobs_dir / f"{job_id_of(comparison_id)}.json").unlink(missing_ok=True)

    def _entries(self) -> list[LabEntry]:
        if not self._folder.is_dir():
            return []
        folders = sorted((path for path in self._folder.iterdir() if _ID.fullmatch(path.name)), reverse=True)
        found = []
        for folder in folders[:_KEPT_MAX]:
            with contextlib.suppress(MilvusLabError):  # a folder that is just being made, or was damaged
                found.append(self._entry(folder))
        return found

    def _entry(self, folder: Path) -> LabEntry:
        try:
            order = read_order(folder)
        except NotFoundError:
            found = read_comparison(folder)
            return LabEntry(
                comparison_id=folder.name,
                title=found.data_name,
                order=None,
                state="done" if found.is_complete else "open",
            )
        entry = LabEntry(comparison_id=folder.name, title=order.title, order=order, state="starting")
        process = self._processes.get(folder.name)
        is_ended = process is None or process.poll() is not None
        job = read_job(self._jobs_dir, job_id_of(folder.name))
        if job is not None:
            return dataclasses.replace(entry, state=job.state, job=job, failure=job.failure)
        if is_ended:
            return dataclasses.replace(entry, state="failed", failure=_last_line(folder / "output.txt"))
        return entry

    def _folder_of(self, comparison_id: str) -> Path:
        if not _ID.fullmatch(comparison_id):
            raise NotFoundError(
                f"there is no comparison {comparison_id[:40]}", hint="GET /api/v1/index-lab/comparisons"
            )
        return self._folder / comparison_id

    def _spawn(self, folder: Path) -> subprocess.Popen[bytes]:
        write_text(folder / "output.txt", "")
        with (folder / "output.txt").open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "milvuslab.studio.lab", str(folder)], stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, env=self._child_environment,
                cwd=self._working_dir, start_new_session=True,
            )  # fmt: skip


def _wait_or_kill(process: subprocess.Popen[bytes], *, timeout_s: float) -> None:
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _last_line(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except FileNotFoundError:
        return ""
    return lines[-1][:300] if lines else "its process ended without a word"
