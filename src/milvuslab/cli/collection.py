"""`milvuslab collection`: what a server holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from milvuslab.cli.command import Door, command, group
from milvuslab.cli.output import shorten, table
from milvuslab.model.errors import UsageError

if TYPE_CHECKING:
    from milvuslab.model.collection import CollectionSpec
    from milvuslab.model.placement import Placement

__all__ = ["app"]

app = group("collection", help_text="Look at the collections of a server, and drop them.")

_Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the collection.")]


@command(app, "list", examples=["milvuslab collection list", "milvuslab collection list --server lite --json"])
def list_collections(door: Door) -> None:
    """List the collections with their rows."""
    from milvuslab.ops.contents import collect_contents

    found = collect_contents(door.workspace.connect())
    door.show(
        {"server": door.workspace.server_name(), "collections": [one.as_dict() for one in found]},
        table(["collection", "rows"], [[one.name, one.row_count] for one in found], empty="no collection yet"),
    )


@command(app, "describe", examples=["milvuslab collection describe text_en"])
def describe(door: Door, *, name: _Name) -> None:
    """Print the fields and properties of a collection."""
    spec = door.workspace.connect().collections.describe(name)
    door.show(_as_dict(spec), _lines(spec))


@command(app, "count", examples=["milvuslab collection count text_en"])
def count(door: Door, *, name: _Name) -> None:
    """Count the rows of a collection, deleted ones left out."""
    from milvuslab.ops.contents import count_rows

    summary = count_rows(door.workspace.connect(), name)
    about = "" if summary.is_exact else " (an estimate: the collection is not loaded)"
    door.show(summary.as_dict(), [f"{summary.row_count:,}{about}"])


@command(app, "drop", examples=["milvuslab collection drop text_en --yes"])
def drop(
    door: Door,
    *,
    name: _Name,
    is_sure: Annotated[bool, typer.Option("--yes", help="Drop it without asking.")] = False,
) -> None:
    """Drop a collection with all its rows. There is no way back."""
    from milvuslab.ops.contents import count_rows

    gateway = door.workspace.connect()
    row_count = count_rows(gateway, name).row_count
    if not is_sure:
        raise UsageError(
            f"collection {name} holds {row_count:,} rows, which would be gone",
            hint=f"milvuslab collection drop {name} --server {door.workspace.server_name()} --yes",
        )
    gateway.collections.drop(name)
    door.show({"name": name, "row_count": row_count}, [f"dropped {name} with {row_count:,} rows"])


def _as_dict(spec: CollectionSpec) -> dict[str, Any]:
    import dataclasses

    return dataclasses.asdict(spec)


def _lines(spec: CollectionSpec) -> list[str]:
    rows = [[field.name, str(field.data_type), _extent(field), _role(field)] for field in spec.fields]
    lines = [spec.name, *table(["field", "type", "extent", "role"], rows), ""]
    if spec.description:
        lines.append(f"description: {shorten(spec.description, 120)}")
    lines.append(f"dynamic field: {'yes' if spec.has_dynamic_field else 'no'}, shards: {spec.shard_count}")
    return lines


def _extent(field: Any) -> str:
    if field.dim is not None:
        return f"dim {field.dim:,}"
    parts = []
    if field.element_type is not None:
        parts.append(f"{field.max_capacity:,} x {field.element_type}")
    if field.max_length_bytes is not None:
        parts.append(f"{field.max_length_bytes:,} bytes")
    return ", ".join(parts)


def _role(field: Any) -> str:
    return "key" if field.is_primary else "partition key" if field.is_partition_key else ""


@command(
    app,
    "placement",
    examples=[
        "milvuslab collection placement text_en --server cluster",
        "milvuslab collection placement text_en --json",
    ],
)
def placement(door: Door, *, name: _Name) -> None:
    """Show where a loaded collection lies: its replicas, who leads each shard, and how even the rows are."""
    found = door.workspace.connect().placements.fetch(name)
    door.show(
        {**dataclasses.asdict(found), "skew_ratios": [found.skew_ratio(replica) for replica in found.replicas]},
        _placement_lines(found),
    )


@command(app, "balance", examples=["milvuslab collection balance text_en --server cluster"])
def balance(door: Door, *, name: _Name) -> None:
    """Move segments between the query nodes of each replica until none is fuller than it must be."""
    from milvuslab.ops.placement import balance as even_out

    with door.watch() as observer:
        report = even_out(door.workspace.connect(), name, observer=observer)
    moved = [
        f"moved segment {move.segment_id} ({move.row_count:,} rows) from node {move.source_id} to {move.target_id}"
        for move in report.moves
    ]
    door.show(
        report.as_dict(), [*(moved or ["it is as even as whole segments allow"]), *_placement_lines(report.after)]
    )


def _placement_lines(found: Placement) -> Iterable[str]:
    rows = [
        [
            replica.replica_id,
            node,
            sum(one.is_sealed and node in one.node_ids for one in found.segments),
            f"{found.rows_of_node(node):,}",
            sum(shard.leader_id == node for shard in replica.shards),
            f"{found.skew_ratio(replica):.2f}",
        ]
        for replica in found.replicas
        for node in replica.node_ids
    ]
    return table(["replica", "node", "segments", "rows", "leads shards", "skew"], rows, empty="nothing is loaded")
