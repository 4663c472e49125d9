"""Servers of a workspace, as the watch wants to see them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from milvuslab.apps.text.collection import is_text_collection
from milvuslab.model.collection import DataType
from milvuslab.model.errors import NotFoundError
from milvuslab.ops.contents import count_rows
from milvuslab.ops.servers import connect_to, list_servers
from milvuslab.studio.watch.servers import CollectionView, ServerFacts

if TYPE_CHECKING:
    from milvuslab.gateway import Gateway
    from milvuslab.model.server import Capabilities
    from milvuslab.ops.workspace import Workspace

__all__ = ["WorkspaceSource"]


class WorkspaceSource:
    """The servers that have a profile in a workspace.

    Args:
        workspace: gives profiles and settings.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def list_facts(self) -> list[ServerFacts]:
        """All servers there are now; asks none of them."""
        return [
            ServerFacts(
                name=status.name,
                kind=str(status.kind),
                uri=status.uri,
                is_running=status.pid is not None or str(status.kind) == "remote",
                memory_bytes=status.rss_bytes,
                disk_bytes=status.data_size_bytes,
            )
            for status in list_servers(self._workspace)
        ]

    def connect(self, name: str) -> Gateway:
        """A connection that shows every failure at once."""
        return connect_to(self._workspace, name, is_patient=False)

    def look(self, gateway: Gateway) -> tuple[CollectionView, ...]:
        """The server's collections; one that is dropped meanwhile is left out."""
        found = []
        for name in gateway.collections.list():
            try:
                found.append(_look_at(gateway, name))
            except NotFoundError:  # noqa: PERF203  a few collections, a few seconds apart
                continue
        return tuple(found)

    def probe(self, gateway: Gateway) -> Capabilities:
        """What the server can do."""
        return gateway.capabilities


def _look_at(gateway: Gateway, name: str) -> CollectionView:
    spec = gateway.collections.describe(name)
    is_text = is_text_collection(spec)
    dims = [field.dim for field in spec.fields if field.data_type is DataType.FLOAT_VECTOR]
    return CollectionView(
        name=name,
        row_count=count_rows(gateway, name).row_count,
        load_state=gateway.collections.load_state(name),
        kind="text" if is_text else "",
        encoder=str(json.loads(spec.description)["encoder"]["name"]) if is_text else "",
        dim=dims[0] if dims else None,
    )
