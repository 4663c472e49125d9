"""Replicas, shards and segments of loaded collections, resource groups, and moving segments between query nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from milvuslab.gateway.session import Session
from milvuslab.model.errors import UsageError
from milvuslab.model.placement import LoadedSegment, Placement, Replica, ResourceGroup, Shard

__all__ = ["Placements"]

_SEALED = 3  # common.proto, SegmentState.Sealed; 2 is Growing


class Placements:
    """Reads and changes where collections lie. Servers without query nodes of their own (Lite) refuse."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def fetch(self, name: str) -> Placement:
        """Where the collection lies now.

        Raises:
            NotFoundError: there is no such collection, or it is not loaded.
            UnsupportedError: the server does not tell.
        """
        milvus = self._session.protos.milvus
        request = milvus.GetReplicasRequest(collectionID=self._session.collection_id(name), with_shard_nodes=True)
        replicas = self._session.caller.read("GetReplicas", request, what=f"replicas of {name}").replicas
        about = milvus.GetQuerySegmentInfoRequest(collectionName=name)
        infos = self._session.caller.read("GetQuerySegmentInfo", about, what=f"segments of {name}").infos
        return Placement(
            collection=name,
            replicas=tuple(sorted((_replica(one) for one in replicas), key=lambda one: one.replica_id)),
            segments=tuple(sorted((_segment(one) for one in infos), key=lambda one: one.segment_id)),
        )

    def move(self, name: str, *, source_id: int, target_ids: Sequence[int], segment_ids: Sequence[int] = ()) -> None:
        """Moves sealed segments from one node to others of the same replica; returns when the server has taken it on.

        Args:
            name: the collection.
            source_id: node that gives.
            target_ids: nodes that take; empty lets the server choose.
            segment_ids: which; empty is all that the node holds.

        Raises:
            UsageError: a node would give to itself.
            RejectedError: a node is not in the replica, or a segment not on the node.
        """
        if source_id in target_ids:
            raise UsageError(f"node {source_id} cannot give to itself", hint="name other nodes of the replica")
        request = self._session.protos.milvus.LoadBalanceRequest(
            src_nodeID=source_id, dst_nodeIDs=target_ids, sealed_segmentIDs=segment_ids, collectionName=name
        )
        self._session.caller.change(
            "LoadBalance", request, what=f"move segments of {name}", timeout_s=self._session.slow_timeout_s
        )

    def list_groups(self) -> list[ResourceGroup]:
        """All resource groups by name."""
        milvus = self._session.protos.milvus
        answer = self._session.caller.read(
            "ListResourceGroups", milvus.ListResourceGroupsRequest(), what="list resource groups"
        )
        return [self._describe_group(name) for name in sorted(answer.resource_groups)]

    def create_group(self, name: str) -> None:
        """A new resource group without nodes."""
        request = self._session.protos.milvus.CreateResourceGroupRequest(resource_group=name)
        self._session.caller.change("CreateResourceGroup", request, what=f"create resource group {name}")

    def drop_group(self, name: str) -> None:
        """Removes a resource group; it must have no nodes."""
        request = self._session.protos.milvus.DropResourceGroupRequest(resource_group=name)
        self._session.caller.change("DropResourceGroup", request, what=f"drop resource group {name}")

    def transfer_nodes(self, source: str, target: str, *, node_count: int) -> None:
        """Gives query nodes from one resource group to another."""
        request = self._session.protos.milvus.TransferNodeRequest(
            source_resource_group=source, target_resource_group=target, num_node=node_count
        )
        self._session.caller.change("TransferNode", request, what=f"give nodes of {source} to {target}")

    def transfer_replicas(self, name: str, source: str, target: str, *, replica_count: int) -> None:
        """Moves replicas of a collection to the nodes of another resource group."""
        request = self._session.protos.milvus.TransferReplicaRequest(
            collection_name=name, source_resource_group=source, target_resource_group=target, num_replica=replica_count
        )
        self._session.caller.change("TransferReplica", request, what=f"move replicas of {name} to {target}")

    def _describe_group(self, name: str) -> ResourceGroup:
        request = self._session.protos.milvus.DescribeResourceGroupRequest(resource_group=name)
        answer = self._session.caller.read("DescribeResourceGroup", request, what=f"describe resource group {name}")
        group = answer.resource_group
        return ResourceGroup(
            name=group.name,
            capacity=int(group.capacity),
            node_count=int(group.num_available_node),
            replica_counts={str(key): int(count) for key, count in group.num_loaded_replica.items()},
        )


def _replica(info: Any) -> Replica:
    shards = (
        Shard(
            channel=one.dm_channel_name,
            leader_id=int(one.leaderID),
            leader_address=one.leader_addr,
            node_ids=tuple(sorted(int(node) for node in one.node_ids)),
        )
        for one in info.shard_replicas
    )
    return Replica(
        replica_id=int(info.replicaID),
        resource_group=info.resource_group_name,
        node_ids=tuple(sorted(int(node) for node in info.node_ids)),
        shards=tuple(sorted(shards, key=lambda one: one.channel)),
    )


def _segment(info: Any) -> LoadedSegment:
    return LoadedSegment(
        segment_id=int(info.segmentID),
        row_count=int(info.num_rows),
        node_ids=tuple(sorted(int(node) for node in info.nodeIds)),
        is_sealed=int(info.state) == _SEALED,
        index_name=info.index_name,
    )
