"""What every verb of `milvuslab image` shares: the noun, its options, and the way to the collections."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from milvuslab.cli.command import Door, group
from milvuslab.model.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from milvuslab.apps.image.collection import ImageCollection
    from milvuslab.apps.image.image import StoredImage
    from milvuslab.apps.image.shelf import ImageShelf

__all__ = [
    "CollectionOption",
    "ImageIdArgument",
    "LimitOption",
    "app",
    "find_image",
    "looks_like_key",
    "open_shelf",
    "read_file",
]

app = group("image", help_text="Search pictures by pictures, by parts of them and by words; find the same one again.")

LimitOption = Annotated[int, typer.Option("--limit", "-n", help="Most hits.", min=1, max=1_000)]
CollectionOption = Annotated[
    str, typer.Option("--collection", help="Collection; default: images, else the only one.", metavar="NAME")
]
ImageIdArgument = Annotated[str, typer.Argument(metavar="IMAGE_ID", help="Key of a picture, as a search prints it.")]


def open_shelf(door: Door) -> ImageShelf:
    """The image collections of the chosen server."""
    from milvuslab.apps.image.shelf import open_image_shelf

    return open_image_shelf(door.workspace.connect(), settings=door.workspace.settings)


def find_image(shelf: ImageShelf, image_id: str, *, collection: str) -> tuple[ImageCollection, StoredImage]:
    """The picture and the collection that holds it; all image collections are asked when none is named."""
    from milvuslab.apps.image.image import get_image

    for name in [collection] if collection else shelf.names():
        holder = shelf.open(name)
        try:
            return holder, get_image(holder, image_id)
        except NotFoundError:
            if collection:
                raise
    raise NotFoundError(f"no collection holds a picture {image_id}", hint="find one: milvuslab image search")


def looks_like_key(word: str) -> bool:
    """Whether a word is the key of a stored picture and not the path of a file."""
    from milvuslab.apps.image.pictures import content_key

    try:
        content_key(word)
    except NotFoundError:
        return False
    return not Path(word).exists()


def read_file(path: str, *, limit_bytes: int) -> bytes:
    """The bytes of a file, at most one more than the limit.

    Raises:
        NotFoundError, UsageError: it is not there, or cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            return file.read(limit_bytes + 1)
    except FileNotFoundError:
        raise NotFoundError(f"there is no file {path}", hint="check the path") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint="give a picture file") from None
