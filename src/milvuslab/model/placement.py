"""Where a loaded collection lies: replicas, shards and segments by query node, and how even that is."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

__all__ = ["LoadedSegment", "Placement", "Replica", "ResourceGroup", "Shard"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One write channel of a replica.

    Attributes:
        channel: Milvus's name of it.
        leader_id: node that answers for the shard and asks the others (the delegator).
        leader_address: its host and port.
        node_ids: nodes that hold rows of it.
    """

    channel: str
    leader_id: int
    leader_address: str
    node_ids: tuple[int, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One whole copy of a collection in memory.

    Attributes:
        replica_id: Milvus's number.
        resource_group: where its nodes come from.
        node_ids: its nodes.
        shards: who leads each.
    """

    replica_id: int
    resource_group: str
    node_ids: tuple[int, ...]
    shards: tuple[Shard, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LoadedSegment:
    """One segment in memory.

    Attributes:
        segment_id: Milvus's number.
        row_count: its rows, deleted ones included.
        node_ids: nodes that hold it, one for each replica.
        is_sealed: whether it is finished; growing ones still take rows and stay with the shard's leader.
        index_name: index it is searched by; empty for none.
    """

    segment_id: int
    row_count: int
    node_ids: tuple[int, ...]
    is_sealed: bool
    index_name: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ResourceGroup:
    """Nodes that are kept for some replicas.

    Attributes:
        name: of the group; every node begins in `__default_resource_group`.
        capacity: nodes it is to have.
        node_count: nodes it has.
        replica_counts: replicas in it, by collection.
    """

    name: str
    capacity: int
    node_count: int
    replica_counts: Mapping[str, int]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where a collection lies now.

    Attributes:
        collection: its name.
        replicas: its copies.
        segments: everything in memory.
    """

    collection: str
    replicas: tuple[Replica, ...]
    segments: tuple[LoadedSegment, ...]

    @property
    def node_ids(self) -> tuple[int, ...]:
        """All nodes that serve it, ascending."""
        return tuple(sorted({node for replica in self.replicas for node in replica.node_ids}))

    def rows_of_node(self, node_id: int) -> int:
        """Rows of the sealed segments that the node holds."""
        return sum(one.row_count for one in self.segments if one.is_sealed and node_id in one.node_ids)

    def skew_ratio(self, replica: Replica) -> float:
        """Rows of the fullest node over the mean of the replica's nodes; 1 is even, 0 for no rows.

        Sealed segments only: they are what can be moved.
        """
        rows = [self.rows_of_node(node) for node in replica.node_ids]
        return max(rows) * len(rows) / sum(rows) if rows and sum(rows) else 0.0
