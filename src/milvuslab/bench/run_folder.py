"""The folder of a run: what was asked, what was done, every raw record; reports are made from it and nothing else.

    run.json        case, digest, state and the report of each finished phase: the journal that a resumed run reads
    manifest.json   code, machine, server, index and data
    server.json     what the server's processes used by phase, and samples over time
    truth/BUCKET/   true neighbours that recall is counted against
    records/PHASE/  one raw record for each measured setting and repeat
    metrics.json    worked out of the records

Every file is written whole. A phase stands in the journal only after its record is on disk, so a run that was killed
goes on with the phase that it was in.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from milvuslab.bench.case import Case, Setting
from milvuslab.bench.case_file import case_from_dict
from milvuslab.bench.record import Record, read_record, write_record
from milvuslab.machine import read_record as read_file
from milvuslab.machine import write_record as write_file
from milvuslab.model.errors import CheckFailedError, ConfigError, ConflictError, NotFoundError, PartialError
from milvuslab.model.metric import Metric

if TYPE_CHECKING:
    from milvuslab.data.truth import Truth

__all__ = ["RunFolder", "SearchPhase", "create_run", "list_runs", "open_run"]

_FORMAT = 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SearchPhase:
    """One measured setting in one repeat.

    Attributes:
        name: of its folder.
        number: of the setting in the case.
        repeat: from 0.
        setting: what was measured.
        report: what the journal says about it.
    """

    name: str
    number: int
    repeat: int
    setting: Setting
    report: Mapping[str, Any]


class RunFolder:
    """A run on disk. One process writes it."""

    def __init__(self, path: Path, case: Case, journal: dict[str, Any]) -> None:
        self.path = path
        self.case = case
        self._journal = journal

    @property
    def is_finished(self) -> bool:
        """Whether everything that the case asks for was measured."""
        return bool(self._journal["state"] == "finished")

    @property
    def phases(self) -> dict[str, dict[str, Any]]:
        """Reports of the finished phases, by name, in the order they were finished."""
        return dict(self._journal["phases"])

    @property
    def facts(self) -> dict[str, Any]:
        """What was noted about the run as a whole: wall clock, measured time, collection."""
        return dict(self._journal["facts"])

    def note_phase(self, name: str, report: Mapping[str, Any]) -> None:
        """Keeps that the phase is finished."""
        self._journal["phases"][name] = dict(report)
        self._save()

    def note_facts(self, **facts: Any) -> None:
        """Keeps facts about the whole run."""
        self._journal["facts"].update(facts)
        self._save()

    def finish(self) -> None:
        """Keeps that nothing is left to measure."""
        self._journal["state"] = "finished"
        self._save()

    def write_record(self, phase: str, record: Record) -> None:
        """Keeps the raw record of a phase."""
        with self.guard_disk():
            write_record(record, self.path / "records" / phase)

    def read_record(self, phase: str) -> Record:
        """The raw record of a phase."""
        return read_record(self.path / "records" / phase)

    def search_phases(self) -> list[SearchPhase]:
        """What was measured, in order of settings, then repeats."""
        settings = self.case.settings()
        found = [
            SearchPhase(
                name=name,
                number=report["number"],
                repeat=report["repeat"],
                setting=settings[report["number"]],
                report=report,
            )
            for name, report in self.phases.items()
            if "repeat" in report
        ]
        return sorted(found, key=lambda phase: (phase.number, phase.repeat))

    def write_json(self, name: str, values: Mapping[str, Any]) -> None:
        """Keeps a JSON file of the run."""
        with self.guard_disk():
            write_file(self.path / f"{name}.json", values, version=_FORMAT)

    def read_json(self, name: str) -> dict[str, Any]:
        """A JSON file of the run; empty when it was not written yet."""
        try:
            return read_file(self.path / f"{name}.json", version=_FORMAT)
        except FileNotFoundError:
            return {}

    def write_truth(self, setting: Setting, truth: Truth) -> None:
        """Keeps the true neighbours of a setting's filter, and their digest in the journal."""
        path = self._truth_path(setting)
        path.parent.mkdir(parents=True, exist_ok=True)
        with self.guard_disk():
            np.savez_compressed(
                path, ids=truth.ids, distances=truth.distances, k=truth.k, metric=str(truth.metric),
                checksum=truth.checksum,
            )  # fmt: skip
        self.note_facts(**{f"truth {path.stem}": _digest(truth.ids, truth.distances)})

    def read_truth(self, setting: Setting) -> Truth | None:
        """The true neighbours of a setting's filter; None when there are none.

        Raises:
            CheckFailedError: the file is not the one that the run wrote.
        """
        from milvuslab.data.truth import Truth

        path = self._truth_path(setting)
        if not path.exists():
            return None
        try:
            with np.load(path, allow_pickle=False) as kept:
                truth = Truth(
                    ids=kept["ids"], distances=kept["distances"], k=int(kept["k"]),
                    metric=Metric(str(kept["metric"])), checksum=str(kept["checksum"]),
                )  # fmt: skip
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise _stale_truth(path, f"it is damaged ({error})") from error
        if self.facts.get(f"truth {path.stem}") != _digest(truth.ids, truth.distances):
            raise _stale_truth(path, "it is not the one that this run wrote")
        return truth

    @contextlib.contextmanager
    def guard_disk(self) -> Iterator[None]:
        """Turns a full disk into an error that says how far the run came."""
        try:
            yield
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise
            done_count = len(self._journal["phases"])
            raise PartialError(
                f"the disk of {self.path} is full: {done_count} phases are kept, the last could not be written",
                done_count=done_count,
                resume_token=str(self.path),
                hint=f"free some space and run it again, which goes on: --folder {self.path}",
            ) from error

    def _truth_path(self, setting: Setting) -> Path:
        return self.path / "truth" / f"{setting.bucket_below or 'all'}.npz"

    def _save(self) -> None:
        self.write_json("run", self._journal)


def create_run(path: Path, case: Case) -> RunFolder:
    """The folder of a new run; one of the same case that is not finished is taken up where it was.

    Raises:
        ConflictError: the folder holds a run of another case, or something else.
        PartialError: the disk is full.
    """
    kept = _read_journal(path)
    if kept is not None:
        if kept["digest"] != case.digest:
            raise ConflictError(
                f"{path} holds a run of another case, {kept['case']['name']}",
                hint="give another folder: --folder FOLDER",
            )
        return RunFolder(path, case, kept)
    if path.exists() and any(path.iterdir()):
        raise ConflictError(f"{path} holds something else than a run", hint="give an empty folder: --folder FOLDER")
    journal = {"digest": case.digest, "case": case.as_dict(), "state": "running", "phases": {}, "facts": {}}
    run = RunFolder(path, case, journal)
    try:
        run.write_json("run", journal)
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise
    return run


def open_run(path: Path) -> RunFolder:
    """A run that is on disk.

    Raises:
        NotFoundError: there is none.
        ConfigError: it is damaged, or of a newer format.
    """
    journal = _read_journal(path)
    if journal is None:
        raise NotFoundError(f"{path} holds no run", hint="see which runs there are: milvuslab bench list")
    return RunFolder(path, case_from_dict(journal["case"], where=f"{path}: case"), journal)


def list_runs(folder: Path) -> list[RunFolder]:
    """The runs below a folder, oldest first; one that this milvuslab cannot read is left out."""
    runs = []
    for path in sorted(folder.glob("*/run.json"), key=lambda path: path.stat().st_mtime):
        with contextlib.suppress(ConfigError):  # of a newer milvuslab, or of one whose cases had other keys
            runs.append(open_run(path.parent))
    return runs


def _read_journal(path: Path) -> dict[str, Any] | None:
    try:
        return read_file(path / "run.json", version=_FORMAT)
    except FileNotFoundError:
        return None


def _digest(*tables: Any) -> str:
    digest = hashlib.sha256()
    for table in tables:
        digest.update(f"{table.dtype.str}{table.shape}".encode())
        digest.update(np.ascontiguousarray(table).tobytes())
    return digest.hexdigest()


def _stale_truth(path: Path, why: str) -> CheckFailedError:
    return CheckFailedError(
        f"stale truth: the true neighbours in {path} cannot be trusted, {why}",
        findings=[why],
        hint="run the case again into a new folder",
    )
