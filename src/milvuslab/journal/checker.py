"""The checker: what a server holds against what its ledger says it must, may and must not hold.

For each key the last write decides. A write is out of the question when another one that was acknowledged began after it had ended;
of what is left any may be the last. An unknown write may take effect at any time after it began, or never, so it is never out of the
question and never required. A failed write must not be seen.

- lost: the key must be there and is not.
- stale: the key holds a row that an acknowledged write has replaced since.
- resurrected: the key was deleted, which was acknowledged, and is there again.
- duplicated: the key is there more often than it was inserted.
- phantom: a key, or the content of one, that nobody wrote or whose write was refused.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, get_args

from milvuslab.journal.ledger import History
from milvuslab.model.errors import CheckFailedError

__all__ = ["FINDING_KINDS", "CheckReport", "Finding", "FindingKind", "check_rows"]

FindingKind = Literal["lost", "stale", "resurrected", "duplicated", "phantom"]
FINDING_KINDS: tuple[FindingKind, ...] = get_args(FindingKind)
_SHOWN_COUNT = 20


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One difference.

    Attributes:
        kind: which of the five.
        key: the key it is about.
        message: one sentence for a person.
        operation: number of the last acknowledged operation on the key, 0 when there is none.
    """

    kind: FindingKind
    key: int | str
    message: str
    operation: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """The verdict on the data.

    Attributes:
        findings: every difference, by key.
        key_count: keys of the ledger.
        row_count: rows that the server holds.
        acknowledged_count: operations that were acknowledged.
        failed_count: operations that were refused.
        unknown_count: operations of which nobody knows; both outcomes are right.
    """

    findings: tuple[Finding, ...]
    key_count: int
    row_count: int
    acknowledged_count: int
    failed_count: int
    unknown_count: int

    @property
    def counts(self) -> dict[str, int]:
        """How many findings of each kind, zeros included."""
        found = collections.Counter(finding.kind for finding in self.findings)
        return {kind: found[kind] for kind in FINDING_KINDS}

    @property
    def is_clean(self) -> bool:
        """Whether the server holds exactly what it may."""
        return not self.findings

    def require_clean(self) -> None:
        """Returns when the report is clean.

        Raises:
            CheckFailedError: it is not; the first 20 findings are named.
        """
        if self.findings:
            told = ", ".join(f"{count} {kind}" for kind, count in self.counts.items() if count)
            raise CheckFailedError(
                f"the server does not hold what it acknowledged: {told}",
                findings=[finding.message for finding in self.findings[:_SHOWN_COUNT]],
                hint="compare the operations of these keys in the ledger with the server's log",
            )

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        return {**dataclasses.asdict(self), "counts": self.counts, "is_clean": self.is_clean}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Write:
    """One operation's effect on one key; an empty digest means that the key is gone."""

    number: int
    action: str
    outcome: str
    begun: int
    ended: int | None
    version: int
    digest: str


def check_rows(history: History, rows: Iterable[tuple[int | str, str]]) -> CheckReport:
    """Compares a ledger with the rows of a server.

    Args:
        history: the ledger; nobody writes while the rows are read.
        rows: primary key and row digest in hexadecimal of every row, a key as often as the server returns it.

    Returns:
        The findings; a key may have two, when it is there twice and one of the rows is wrong.
    """
    writes = _group(history)
    held: dict[int | str, list[str]] = collections.defaultdict(list)
    for key, digest in rows:
        held[key].append(digest)
    findings = [
        finding
        for key in sorted(writes.keys() | held.keys(), key=lambda key: (isinstance(key, str), key))
        for finding in _judge(key, writes.get(key, ()), held.get(key, ()))
    ]
    outcomes = collections.Counter(operation.outcome for operation in history.operations)
    return CheckReport(
        findings=tuple(findings),
        key_count=len(writes),
        row_count=sum(len(digests) for digests in held.values()),
        acknowledged_count=outcomes["ok"],
        failed_count=outcomes["fail"],
        unknown_count=outcomes["unknown"],
    )


def _group(history: History) -> Mapping[int | str, Sequence[_Write]]:
    writes: dict[int | str, list[_Write]] = {}
    for operation in history.operations:
        for entry in operation.entries:
            digest = "" if operation.action == "delete" else entry.digest
            write = _Write(
                number=operation.number,
                action=operation.action,
                outcome=operation.outcome,
                begun=operation.begun,
                ended=operation.ended,
                version=entry.version,
                digest=digest,
            )
            writes.setdefault(entry.key, []).append(write)
    return writes


def _judge(key: int | str, writes: Sequence[_Write], held: Sequence[str]) -> Iterable[Finding]:
    done = [write for write in writes if write.outcome != "fail"]
    allowed = _possible_digests(done)
    acknowledged = [write for write in done if write.outcome == "ok"]
    last = acknowledged[-1] if acknowledged else None

    def found(kind: FindingKind, message: str) -> Finding:
        return Finding(
            kind=kind, key=key, message=f"{kind}: key {key!r} {message}", operation=last.number if last else 0
        )

    if not held and "" not in allowed:
        assert last is not None, "without an acknowledged write a key may be absent"
        yield found("lost", f"is not there; operation {last.number} wrote version {last.version}")
    if len(held) > max(1, sum(write.action == "insert" for write in done)):
        yield found("duplicated", f"is there {len(held)} times")
    for digest in dict.fromkeys(held):
        if digest in allowed:
            continue
        written = [write for write in done if write.digest == digest]
        if not written:
            refused = any(write.digest == digest for write in writes)
            yield found(
                "phantom", "holds a row whose write was refused" if refused else "holds a row that nobody wrote"
            )
        elif last is not None and not last.digest:
            yield found("resurrected", f"is there in version {written[-1].version}; operation {last.number} deleted it")
        else:
            assert last is not None, "only an acknowledged write rules another one out"
            yield found("stale", f"holds version {written[-1].version}; operation {last.number} wrote {last.version}")


def _possible_digests(done: Sequence[_Write]) -> set[str]:
    """What the key may hold, empty for nothing: the effect of every write that may have been the last."""
    newest_begun = max((write.begun for write in done if write.outcome == "ok"), default=None)
    if newest_begun is None:
        return {"", *(write.digest for write in done)}
    return {write.digest for write in done if _may_be_last(write, newest_begun)}


def _may_be_last(write: _Write, newest_begun: int) -> bool:
    """Whether no acknowledged write began after this one had ended; an unknown one has not ended."""
    return write.outcome == "unknown" or write.ended is None or write.ended > newest_begun
