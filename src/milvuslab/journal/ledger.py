"""The ledger: what writers asked a server for, and what they were told, in a file that outlives them.

A writer says `invoke` before it sends, and afterwards `ok` (the server acknowledged), `fail` (the server refused, nothing was
executed) or `unknown` (no answer came). A writer that dies leaves an `invoke` without an end, which is unknown as well.

The file is append-only. Each line is a CRC-32 in hexadecimal, a blank and a JSON value; a line is handed to the
system in one piece before the writer goes on, so a killed process loses nothing that it said (a power cut may: `is_synced`). A last line
that is cut short or damaged was being written when the writer died; it is left out, and cut off when somebody writes on. Damage
anywhere else is an error. One process writes at a time, from any number of threads.
"""

from __future__ import annotations

import dataclasses
import json
import os
import threading
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from milvuslab.machine.lock import open_lock
from milvuslab.model.errors import ConfigError, NotFoundError

__all__ = ["Action", "Entry", "History", "Ledger", "Operation", "Outcome", "read_ledger"]

Action = Literal["insert", "upsert", "delete"]
Outcome = Literal["ok", "fail", "unknown"]

_FORMAT = 1
_ACTIONS = ("insert", "upsert", "delete")
_OUTCOMES = ("ok", "fail", "unknown")


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One row of an operation.

    Attributes:
        key: its primary key.
        version: the writer's own count of what it wrote under the key.
        digest: of the row in hexadecimal (`journal.digest`); empty for a deletion.
    """

    key: int | str
    version: int
    digest: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One write and its outcome.

    Attributes:
        number: of the operation in its ledger, from 1.
        action: insert, upsert or delete.
        entries: the rows it was about.
        outcome: what the writer was told; unknown also when it did not live to be told.
        begun: line of its beginning; a lower line came first.
        ended: line of its end; None while there is none.
        reason: the server's words, for a failure or an unknown outcome.
    """

    number: int
    action: Action
    entries: tuple[Entry, ...]
    outcome: Outcome
    begun: int
    ended: int | None
    reason: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All operations of a ledger in the order in which they began.

    Attributes:
        operations: each with its outcome.
        is_torn: whether the last line was being written when a writer died.
        whole_bytes: length of the file up to its last whole line.
    """

    operations: tuple[Operation, ...]
    is_torn: bool
    whole_bytes: int


class Ledger:
    """Writes one ledger; safe to use from many threads. Use it in a `with`.

    Args:
        path: the file; made when missing, gone on with when it is there.
        is_synced: whether each line must be on the disk before the writer goes on, at the price of a sync each.

    Raises:
        ConflictError: another process writes it.
        ConfigError: the file is damaged before its last line.
    """

    def __init__(self, path: Path, *, is_synced: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._holder = open_lock(path.with_name(f"{path.name}.lock"), timeout_s=0.5, doing=f"writing {path}")
        try:
            self._lock = threading.Lock()
            self._is_synced = is_synced
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            self._open: set[int] = set()
            self._last = self._resume(path)
        except BaseException:
            self._holder.close()
            raise

    def invoke(self, action: Action, entries: Sequence[Entry]) -> int:
        """Says what is about to be sent; returns the number of the operation."""
        assert action in _ACTIONS and entries, (
            f"an operation does something to something: {action}, {len(entries)} rows"
        )
        rows = [[entry.key, entry.version, entry.digest] for entry in entries]
        with self._lock:
            self._last += 1
            self._open.add(self._last)
            self._append({"operation": self._last, "invoke": action, "rows": rows})
            return self._last

    def ok(self, number: int) -> None:
        """The server acknowledged the operation."""
        self._end(number, "ok", "")

    def fail(self, number: int, reason: str = "") -> None:
        """The server refused the operation and executed nothing of it."""
        self._end(number, "fail", reason)

    def unknown(self, number: int, reason: str = "") -> None:
        """No answer came: the operation was executed, will be, or never was."""
        self._end(number, "unknown", reason)

    def close(self) -> None:
        """Ends writing; operations without an end stay unknown."""
        os.close(self._descriptor)
        self._holder.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _end(self, number: int, outcome: Outcome, reason: str) -> None:
        with self._lock:
            assert number in self._open, f"operation {number} is not under way"
            self._append({"operation": number, "outcome": outcome, **({"reason": reason[:500]} if reason else {})})
            self._open.discard(number)

    def _append(self, value: dict[str, Any]) -> None:
        line = _render(value)
        # A short write leaves a torn line behind, and the next one must not be glued to it.
        if os.write(self._descriptor, line) != len(line):
            raise OSError(f"the ledger took only a part of {len(line)} bytes")
        if self._is_synced:
            os.fsync(self._descriptor)

    def _resume(self, path: Path) -> int:
        if os.fstat(self._descriptor).st_size == 0:
            self._append({"format": _FORMAT})
            return 0
        history = read_ledger(path)
        os.truncate(self._descriptor, history.whole_bytes)
        if history.whole_bytes == 0:
            self._append({"format": _FORMAT})
        return max((operation.number for operation in history.operations), default=0)


def read_ledger(path: Path) -> History:
    """What a ledger holds; its writer may be dead or still writing.

    Raises:
        NotFoundError: there is no such file.
        ConfigError: it is no ledger, of a newer format, or damaged before its last line.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise NotFoundError(f"there is no ledger {path}") from None
    begun: dict[int, Operation] = {}
    whole_bytes, is_torn = 0, False
    for line_number, (end, value) in enumerate(_parse_lines(content), start=1):
        if value is None:
            if end != len(content):
                raise ConfigError(
                    f"{path} is damaged at line {line_number}", hint="restore the file: it is no proof now"
                )
            is_torn = True
            break
        whole_bytes = end
        if line_number == 1:
            _check_format(path, value)
        else:
            _take(begun, value, line_number)
    return History(operations=tuple(begun.values()), is_torn=is_torn, whole_bytes=whole_bytes)


def _render(value: dict[str, Any]) -> bytes:
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def _parse_lines(content: bytes) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """End of each line in the content and its value; None for one that is cut short or damaged."""
    begin = 0
    while begin < len(content):
        newline = content.find(b"\n", begin)
        end = len(content) if newline < 0 else newline + 1
        yield end, _parse_line(content[begin:end])
        begin = end


def _parse_line(line: bytes) -> dict[str, Any] | None:
    checksum, blank, body = line[:8], line[8:9], line[9:-1]
    if not line.endswith(b"\n") or blank != b" " or checksum != b"%08x" % zlib.crc32(body):
        return None
    value: dict[str, Any] = json.loads(body)
    return value


def _check_format(path: Path, value: dict[str, Any]) -> None:
    found = value.get("format")
    if not isinstance(found, int):
        raise ConfigError(f"{path} is no ledger", hint="name the file that a Ledger wrote")
    if found > _FORMAT:
        raise ConfigError(f"{path} has format {found}, this milvuslab knows up to {_FORMAT}", hint="upgrade milvuslab")


def _take(begun: dict[int, Operation], value: dict[str, Any], line_number: int) -> None:
    number = value["operation"]
    if "invoke" in value:
        entries = tuple(Entry(key, version, digest) for key, version, digest in value["rows"])
        begun[number] = Operation(
            number=number, action=value["invoke"], entries=entries, outcome="unknown", begun=line_number, ended=None
        )
        return
    assert value["outcome"] in _OUTCOMES, f"line {line_number} holds no outcome we wrote"
    begun[number] = dataclasses.replace(
        begun[number], outcome=value["outcome"], ended=line_number, reason=value.get("reason", "")
    )
