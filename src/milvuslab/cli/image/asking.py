"""`milvuslab image`: questions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from milvuslab.cli.command import Door, command
from milvuslab.cli.image.noun import (
    CollectionOption,
    LimitOption,
    app,
    looks_like_key,
    open_shelf,
    read_file,
)
from milvuslab.model.errors import UsageError

if TYPE_CHECKING:
    from milvuslab.apps.image.search import Box

__all__: list[str] = []

_LabelOption = Annotated[str, typer.Option("--label", help="Only pictures of this class.", metavar="NAME")]
_SourceOption = Annotated[str, typer.Option("--source", help="Only pictures of this source.", metavar="NAME")]
_MinScoreOption = Annotated[
    float | None, typer.Option("--min-score", help="Only pictures at least this near, -1 to 1.", metavar="COSINE")
]
_UnlikeOption = Annotated[
    list[str] | None, typer.Option("--unlike", help="Picture file or key of what you do not want; may be repeated.")
]


@command(
    app,
    "search",
    examples=[
        "milvuslab image search photo.jpg",
        "milvuslab image search cat1.jpg cat2.jpg --unlike dog.jpg --limit 20",
        "milvuslab image search photo.jpg --crop 0.5,0,1,0.5",
        "milvuslab image search --text 'a red bicycle' --collection photos",
        "milvuslab image search photo.jpg --same",
    ],
)
def search(
    door: Door,
    *,
    examples: Annotated[
        list[str] | None, typer.Argument(metavar="[PICTURE]...", help="Picture files, or keys of stored pictures.")
    ] = None,
    text: Annotated[str, typer.Option("--text", help="Words; needs a CLIP pair.", metavar="WORDS")] = "",
    unlike: _UnlikeOption = None,
    crop: Annotated[
        str, typer.Option("--crop", help="Only this part of the picture, as shares 0 to 1.", metavar="L,T,R,B")
    ] = "",
    is_same: Annotated[
        bool, typer.Option("--same", help="Find the very same picture: cut, mirrored, turned, shrunk or recompressed.")
    ] = False,
    limit: LimitOption = 10,
    label: _LabelOption = "",
    source: _SourceOption = "",
    width_min: Annotated[int, typer.Option("--min-width", help="Only pictures so wide, pixels.", min=0)] = 0,
    height_min: Annotated[int, typer.Option("--min-height", help="Only pictures so high, pixels.", min=0)] = 0,
    min_score: _MinScoreOption = None,
    collection: CollectionOption = "",
) -> None:
    """Find pictures like some and unlike others, by a part of one, or by words."""
    from milvuslab.apps.image.search import ImageQuery, search_images
    from milvuslab.cli.image.view import answer_lines

    if is_same:
        return _search_same(door, examples or [], limit=limit, collection=collection)
    files, keys = _split(examples or [])
    unlike_files, unlike_keys = _split(unlike or [])
    query = ImageQuery(
        pictures=files,
        ids=keys,
        negative_pictures=unlike_files,
        negative_ids=unlike_keys,
        box=_parse_box(crop) if crop else None,
        text=text,
        label=label,
        source=source,
        width_min=width_min,
        height_min=height_min,
        min_score=min_score,
        limit=limit,
    )
    answer = search_images(open_shelf(door).choose(collection), query)
    door.show(answer.as_dict(), answer_lines(answer))
    return None


@command(
    app,
    "similar",
    examples=["milvuslab image similar IMAGE_ID", "milvuslab image similar IMAGE_ID OTHER_ID --unlike THIRD_ID"],
)
def similar(
    door: Door,
    *,
    image_ids: Annotated[list[str], typer.Argument(metavar="IMAGE_ID...", help="Keys, as a search prints them.")],
    unlike: _UnlikeOption = None,
    limit: LimitOption = 10,
    label: _LabelOption = "",
    source: _SourceOption = "",
    min_score: _MinScoreOption = None,
    collection: CollectionOption = "",
) -> None:
    """Find pictures like those that are there."""
    from milvuslab.apps.image.search import ImageQuery, search_images
    from milvuslab.cli.image.noun import find_image
    from milvuslab.cli.image.view import answer_lines

    unlike_files, unlike_keys = _split(unlike or [])
    query = ImageQuery(
        ids=image_ids,
        negative_pictures=unlike_files,
        negative_ids=unlike_keys,
        label=label,
        source=source,
        min_score=min_score,
        limit=limit,
    )
    holder, _ = find_image(open_shelf(door), image_ids[0], collection=collection)
    answer = search_images(holder, query)
    door.show(answer.as_dict(), answer_lines(answer))


def _search_same(door: Door, examples: list[str], *, limit: int, collection: str) -> None:
    from milvuslab.apps.image.image import read_picture
    from milvuslab.apps.image.near import rank_near_duplicates
    from milvuslab.cli.image.view import near_lines
    from milvuslab.data.images.decode import decode_image

    if len(examples) != 1:
        raise UsageError("--same takes one picture", hint="milvuslab image search photo.jpg --same")
    holder = open_shelf(door).choose(collection)
    files, keys = _split(examples)
    picture = decode_image(files[0], name=examples[0]) if files else read_picture(holder, keys[0])
    answer = rank_near_duplicates(holder, picture, limit=limit)
    door.show(answer.as_dict(), near_lines(answer))


def _split(words: list[str]) -> tuple[list[bytes], list[str]]:
    """Files as their bytes, and keys of stored pictures."""
    from milvuslab.data.images.decode import DEFAULT_LIMITS

    keys = [word for word in words if looks_like_key(word)]
    files = [read_file(word, limit_bytes=DEFAULT_LIMITS.size_bytes_max) for word in words if word not in keys]
    return files, keys


def _parse_box(text: str) -> Box:
    from milvuslab.apps.image.search import Box

    try:
        left, top, right, bottom = (float(number) for number in text.split(","))
    except ValueError:
        raise UsageError(f"--crop is {text!r}", hint="write four shares: --crop 0.25,0,0.75,1") from None
    return Box(left=left, top=top, right=right, bottom=bottom)
