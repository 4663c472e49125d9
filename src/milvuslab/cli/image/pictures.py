"""`milvuslab image`: single pictures, and what is there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from milvuslab.cli.command import Door, command
from milvuslab.cli.image.noun import CollectionOption, ImageIdArgument, app, find_image, open_shelf, read_file
from milvuslab.cli.output import table
from milvuslab.model.errors import UsageError

__all__: list[str] = []


@command(
    app,
    "add",
    examples=["milvuslab image add cat.jpg --label cat", "milvuslab image add shot.png --collection screens"],
)
def add(
    door: Door,
    *,
    path: Annotated[str, typer.Argument(metavar="FILE", help="A picture: JPEG, PNG, WebP, GIF, BMP or TIFF.")],
    name: Annotated[str, typer.Option("--name", help="Default: the file's.", metavar="TEXT")] = "",
    label: Annotated[str, typer.Option("--label", help="Its class.", metavar="NAME")] = "",
    source: Annotated[str, typer.Option("--source", help="Name kept with the picture.", metavar="NAME")] = "added",
    collection: CollectionOption = "",
) -> None:
    """Add one picture; it is found at once. The same name and source replaces the earlier one."""
    from milvuslab.apps.image.image import add_image
    from milvuslab.apps.image.shelf import DEFAULT_COLLECTION
    from milvuslab.data.images.decode import DEFAULT_LIMITS, decode_image

    content = read_file(path, limit_bytes=DEFAULT_LIMITS.size_bytes_max)
    decode_image(content, name=path)  # before anything is made
    shelf = open_shelf(door)
    holder = shelf.open(collection) if collection else shelf.create(DEFAULT_COLLECTION)
    image_id = add_image(holder, content, name=name or Path(path).name, label=label, source=source)
    door.show({"image_id": image_id, "collection": holder.name}, [f"added {image_id} to {holder.name}"])


@command(app, "get", examples=["milvuslab image get IMAGE_ID", "milvuslab image get IMAGE_ID --output copy.jpg --json"])
def get(
    door: Door,
    *,
    image_id: ImageIdArgument,
    output: Annotated[
        str,
        typer.Option("--output", "-o", help="Write the original, or the thumbnail where none is kept.", metavar="FILE"),
    ] = "",
    collection: CollectionOption = "",
) -> None:
    """Print what is known of a picture, and write its file."""
    holder, image = find_image(open_shelf(door), image_id, collection=collection)
    original = holder.pictures.original(image_id)
    if output:
        try:
            Path(output).write_bytes(original or holder.pictures.thumbnail(image_id))
        except OSError as error:
            raise UsageError(f"{output} cannot be written: {error.strerror}", hint="name another file") from None
    about = [["name", image.name], ["label", image.label], ["source", image.source], ["origin", image.origin_id],
             ["pixels", f"{image.width} x {image.height}"], ["original", "kept" if original else "not kept"],
             ["collection", holder.name], ["sha256", image.content_sha256]]  # fmt: skip
    value = {**image.as_dict(), "collection": holder.name, "has_original": original is not None, "output": output}
    door.show(value, [f"{name:<11}{value}" for name, value in about if value])


@command(app, "delete", examples=["milvuslab image delete IMAGE_ID"])
def delete(door: Door, *, image_id: ImageIdArgument, collection: CollectionOption = "") -> None:
    """Remove one picture, its thumbnail and its original."""
    from milvuslab.apps.image.image import delete_image

    holder, image = find_image(open_shelf(door), image_id, collection=collection)
    delete_image(holder, image_id)
    door.show({"image_id": image_id, "collection": holder.name}, [f"deleted {image.name!r} from {holder.name}"])


@command(app, "stats", examples=["milvuslab image stats", "milvuslab image stats --collection image_clipart"])
def stats(door: Door, *, collection: CollectionOption = "") -> None:
    """Count the pictures of the image collections."""
    from milvuslab.apps.image.image import collect_image_stats

    shelf = open_shelf(door)
    found = [collect_image_stats(shelf.open(name)) for name in ([collection] if collection else shelf.names())]
    door.show(
        {"collections": [one.as_dict() for one in found]},
        table(
            ["collection", "pictures", "encoder", "dim", "index"],
            [[one.collection, one.image_count, one.encoder, one.dim, one.index_type] for one in found],
            empty="no image collection yet; load some: milvuslab image load-samples",
        ),
    )
