"""The folder of a comparison.

    comparison.json         what was asked, what is planned on each server, the manifest, the time spent
    results/SERVER-TYPE.json    one finished type on one server
    records/SERVER-TYPE/    raw records of its chosen setting, for each repeat
    report.html             the page, written when all is done

Every file is written whole, so a page may read the folder while the comparison runs. A finished type is not measured
again; one that failed is.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from milvuslab.machine import read_record, write_record
from milvuslab.model.errors import ConflictError, NotFoundError
from milvuslab.tune.comparison.values import Comparison, IndexResult, PlannedIndex

__all__ = ["ComparisonStore", "list_comparisons", "read_comparison"]

_FORMAT = 1
_HEAD = "comparison.json"
_FINAL = ("tuned", "not_reached", "unsupported")


def read_comparison(folder: Path) -> Comparison:
    """The comparison in a folder, finished or not.

    Raises:
        NotFoundError: there is none in the folder.
        ConfigError: its file was written by a newer milvuslab, or is damaged.
    """
    folder = Path(folder)
    head = _read(folder / _HEAD)
    if head is None:
        raise NotFoundError(f"there is no comparison in {folder}", hint="milvuslab bench indexes --folder FOLDER")
    planned = tuple(
        PlannedIndex(index_type=one, server=server) for server, types in head["planned"].items() for one in types
    )
    found = (_read_result(folder, one) for one in planned)
    return Comparison(
        folder=folder,
        planned=planned,
        results=tuple(one for one in found if one is not None),
        manifest=head["manifest"],
        wall_s=head["wall_s"],
        is_complete=head["is_complete"],
        **head["question"],
    )


def list_comparisons(parent: Path) -> tuple[Comparison, ...]:
    """The comparisons in the folders below, the newest last."""
    folders = [path.parent for path in Path(parent).glob(f"*/{_HEAD}")]
    found = [read_comparison(folder) for folder in folders]
    return tuple(sorted(found, key=lambda one: str(one.manifest.get("measured_at", ""))))


class ComparisonStore:
    """Writes the folder.

    Args:
        folder: made when it is not there.
        question: everything that a result depends on, as `Comparison` names it: data, metric, k, target, ...
        asked: which results are wanted: types, and where.
    """

    def __init__(self, *, folder: Path, question: Mapping[str, Any], asked: Mapping[str, Any] | None = None) -> None:
        self._folder = folder
        self._question = dict(question)
        self._asked = dict(asked or {})

    def open(self, manifest: Mapping[str, Any]) -> Comparison:
        """Begins, or takes up what is there.

        Raises:
            ConflictError: the folder holds the answer to another question.
        """
        kept = _read(self._folder / _HEAD)
        if kept is None:
            begin = {
                "question": self._question,
                "asked": self._asked,
                "planned": {},
                "is_complete": False,
                "wall_s": 0.0,
            }
            self._write({**begin, "manifest": dict(manifest)})
        else:
            wanted, found = {**self._question, **self._asked}, {**kept["question"], **kept["asked"]}
            changed = sorted(name for name, value in wanted.items() if found.get(name) != value)
            if changed:
                raise ConflictError(
                    f"{self._folder} holds a comparison with other {', '.join(changed)}",
                    hint="give another --folder, or the same options as before",
                )
        return read_comparison(self._folder)

    def planned_of(self, server: str) -> tuple[PlannedIndex, ...] | None:
        """What was planned for a server; None when it was never asked what it builds."""
        planned = self._head["planned"].get(server)
        return None if planned is None else tuple(PlannedIndex(index_type=one, server=server) for one in planned)

    def plan(self, planned: Sequence[PlannedIndex], *, server: str, about: Mapping[str, Any]) -> None:
        """Says what is measured on a server, and what that server says of itself."""
        head = self._head
        head["planned"][server] = [one.index_type for one in planned]
        head["manifest"]["servers"][server] = dict(about)
        self._write(head)

    def find(self, planned: PlannedIndex) -> IndexResult | None:
        """The finished result of that type; None where it is to be measured."""
        found = _read_result(self._folder, planned)
        return found if found is not None and found.state in _FINAL else None

    def records_dir(self, planned: PlannedIndex) -> Path:
        """Where the raw records of a type go."""
        return self._folder / "records" / f"{planned.server}-{planned.index_type}"

    def keep(self, result: IndexResult) -> None:
        """Keeps a result; on return it survives a crash."""
        planned = PlannedIndex(index_type=result.index_type, server=result.server)
        write_record(_result_path(self._folder, planned), result.as_dict(), version=_FORMAT)

    def complete(self) -> None:
        """Says that every server had its turn."""
        self._write({**self._head, "is_complete": True})

    @contextlib.contextmanager
    def timed(self) -> Iterator[None]:
        """Counts the time of the block, whatever becomes of it."""
        begun_s = time.monotonic()
        try:
            yield
        finally:
            head = self._head
            self._write({**head, "wall_s": head["wall_s"] + time.monotonic() - begun_s})

    @property
    def _head(self) -> dict[str, Any]:
        head = _read(self._folder / _HEAD)
        assert head is not None, "open comes first"
        return head

    def _write(self, head: Mapping[str, Any]) -> None:
        write_record(self._folder / _HEAD, head, version=_FORMAT)


def _result_path(folder: Path, planned: PlannedIndex) -> Path:
    return folder / "results" / f"{planned.server}-{planned.index_type}.json"


def _read_result(folder: Path, planned: PlannedIndex) -> IndexResult | None:
    values = _read(_result_path(folder, planned))
    return None if values is None else IndexResult.from_dict(values)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return read_record(path, version=_FORMAT)
    except FileNotFoundError:
        return None
