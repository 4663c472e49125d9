"""Partitions of a collection."""

from __future__ import annotations

from milvuslab.gateway.session import Session
from milvuslab.model.collection import check_name
from milvuslab.model.errors import ConflictError

__all__ = ["Partitions"]


class Partitions:
    """Makes, lists and drops partitions."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def create(self, name: str, partition: str) -> None:
        """Adds a partition to the collection.

        Raises:
            ConflictError: it is there already.
        """
        if self.exists(name, partition):  # servers would answer "yes" again
            raise ConflictError(f"partition {partition} of {name} exists already", hint="take another name")
        request = self._session.protos.milvus.CreatePartitionRequest(
            collection_name=name, partition_name=check_name(partition, what="partition")
        )
        self._change("CreatePartition", request, what=f"create partition {partition} of {name}")

    def drop(self, name: str, partition: str) -> None:
        """Removes a partition and its rows; servers want it released first."""
        request = self._session.protos.milvus.DropPartitionRequest(collection_name=name, partition_name=partition)
        self._change("DropPartition", request, what=f"drop partition {partition} of {name}")

    def list(self, name: str) -> list[str]:
        """Names, in the server's order; `_default` is always there."""
        request = self._session.protos.milvus.ShowPartitionsRequest(collection_name=name)
        answer = self._session.caller.read("ShowPartitions", request, what=f"list partitions of {name}")
        return list(answer.partition_names)

    def exists(self, name: str, partition: str) -> bool:
        """Whether the collection has that partition."""
        return partition in self.list(name)

    def row_count(self, name: str, partition: str) -> int:
        """Rows in sealed segments of the partition."""
        request = self._session.protos.milvus.GetPartitionStatisticsRequest(
            collection_name=name, partition_name=partition
        )
        answer = self._session.caller.read("GetPartitionStatistics", request, what=f"count {partition} of {name}")
        return next((int(pair.value) for pair in answer.stats if pair.key == "row_count"), 0)

    def _change(self, method: str, request: object, *, what: str) -> None:
        self._session.caller.change(method, request, what=what, timeout_s=self._session.slow_timeout_s)
