"""Even out where a collection lies: show the skew, plan moves, make them, look again.

A move never leaves a replica: each replica is a whole copy, and a segment that left it would be missing there. Milvus
balances by itself as well (`queryCoord.autoBalance`, every minute in 2.3); this does it now and says what changed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from milvuslab.machine.polling import poll_until
from milvuslab.model.errors import TimedOutError
from milvuslab.model.placement import Placement, Replica
from milvuslab.model.progress import Observer, Progress, silent

if TYPE_CHECKING:
    from milvuslab.gateway import Gateway

__all__ = ["BalanceReport", "Move", "balance", "plan_moves"]

_MOVE_TIMEOUT_S = 120.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One segment from one node to another of the same replica."""

    replica_id: int
    segment_id: int
    row_count: int
    source_id: int
    target_id: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BalanceReport:
    """What balancing did.

    Attributes:
        moves: in the order in which they were made.
        before: where the collection lay.
        after: where it lies.
    """

    moves: tuple[Move, ...]
    before: Placement
    after: Placement

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        return dataclasses.asdict(self)


def plan_moves(placement: Placement) -> list[Move]:
    """The moves that even out each replica, each of which makes the fullest node emptier; none when it is even.

    Always from the fullest node to the emptiest, the largest segment that is no more than half of their difference
    (a larger one would only swap the two).
    """
    return [move for replica in placement.replicas for move in _plan_replica(placement, replica)]


def balance(gateway: Gateway, name: str, *, observer: Observer = silent) -> BalanceReport:
    """Moves segments until no move makes a replica more even, and waits until the server shows each.

    Raises:
        NotFoundError: the collection is not there or not loaded.
        TimedOutError: the server took a move on and did not make it.
    """
    before = gateway.placements.fetch(name)
    moves = plan_moves(before)
    for number, move in enumerate(moves):
        observer(Progress(step=f"balance {name}", done_count=number, total_count=len(moves), unit="segments"))
        gateway.placements.move(
            name, source_id=move.source_id, target_ids=[move.target_id], segment_ids=[move.segment_id]
        )
        _wait_moved(gateway, name, move)
    return BalanceReport(moves=tuple(moves), before=before, after=gateway.placements.fetch(name))


def _plan_replica(placement: Placement, replica: Replica) -> Iterator[Move]:
    held = {
        node: {one.segment_id: one.row_count for one in placement.segments if one.is_sealed and node in one.node_ids}
        for node in replica.node_ids
    }
    while len(held) > 1:
        rows = {node: sum(segments.values()) for node, segments in held.items()}
        source, target = max(rows, key=rows.__getitem__), min(rows, key=rows.__getitem__)
        room = (rows[source] - rows[target]) // 2
        fitting = {segment: count for segment, count in held[source].items() if 0 < count <= room}
        if not fitting:
            return
        segment = max(fitting, key=fitting.__getitem__)
        held[target][segment] = held[source].pop(segment)
        yield Move(
            replica_id=replica.replica_id, segment_id=segment, row_count=fitting[segment], source_id=source,
            target_id=target,
        )  # fmt: skip


def _wait_moved(gateway: Gateway, name: str, move: Move) -> None:
    def is_moved() -> bool:
        nodes = {one.segment_id: one.node_ids for one in gateway.placements.fetch(name).segments}
        at = nodes.get(move.segment_id, ())
        return move.target_id in at and move.source_id not in at

    if not poll_until(is_moved, timeout_s=_MOVE_TIMEOUT_S, interval_s=0.2):
        raise TimedOutError(
            f"segment {move.segment_id} of {name} did not reach node {move.target_id} within {_MOVE_TIMEOUT_S:.0f} s",
            hint="milvuslab cluster logs query-coord",
        )
