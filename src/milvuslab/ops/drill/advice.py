"""What to change so that the next failure is shorter: rules over what was measured, each with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from milvuslab.ops.drill.drills import Drill
from milvuslab.ops.drill.verdict import Round

__all__ = ["advise"]

_SESSION_S = 15.0
_RESTARTS = ("kill", "terminate", "freeze", "memory-limit", "port-taken")


def advise(rounds: Sequence[Round], *, drill: Drill) -> tuple[str, ...]:
    """Sentences for a person; none when there is nothing to win."""
    return tuple(dict.fromkeys(sentence for one in rounds for sentence in _advise(one, drill=drill)))


def _advise(one: Round, *, drill: Drill) -> Iterable[str]:
    search = one.operations["search"]
    if search.recovery_s is None:
        yield "searches did not come back: look at the log, and at `milvuslab status`"
    elif drill.fault in _RESTARTS and search.recovery_s > _SESSION_S:
        # Measured on 2.3.5: 64 to 68 s with the default session of 30 s, 9 to 11 s with 5 s.
        yield "searches waited for the dead server's session to expire: lower session_ttl_s (5 s is our default)"
    if (
        drill.server == "standalone"
        and search.gap_s > 2.0
        and drill.fault in ("kill", "terminate", "freeze", "memory-limit")
    ):
        yield "one process cannot be there while it is not: a cluster with two query nodes and replica 2 stays searchable"
    if (
        drill.server == "cluster"
        and drill.replica_count == 1
        and drill.target.startswith("query-node")
        and search.gap_s > 2.0
    ):
        yield "load the collection with replica 2, so that another query node serves what the dead one held"
    if drill.server == "cluster" and any("not loaded" in error for error in search.errors):
        # Measured: 84 % of searches fail until the query node is back, although the other replica holds every row.
        yield (
            "the trap: a query coordinator that takes over while a replica lacks its node says `collection not loaded`; "
            "start the missing query node first, then the coordinator, and do not release or load meanwhile"
        )
    if drill.server == "cluster" and search.wrong_count:
        # Measured on 2.3.5 when a killed query node of a replica comes back: rows are missing without an error.
        yield "answers lacked rows while a query node came back, without an error: bring it back when few ask"
    if any("PartialError" in error or "timed_out" in error for error in one.operations["insert"].errors):
        yield "writes without an answer may have been executed: write again with upsert, which does not double rows"
