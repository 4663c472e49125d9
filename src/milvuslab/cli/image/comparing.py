"""`milvuslab image`: whether pictures are the same."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from milvuslab.cli.command import Door, command
from milvuslab.cli.image.noun import CollectionOption, app, find_image, looks_like_key, open_shelf, read_file
from milvuslab.model.errors import UsageError

if TYPE_CHECKING:
    from milvuslab.data.images.decode import Picture

__all__: list[str] = []


@command(
    app,
    "duplicates",
    examples=["milvuslab image duplicates", "milvuslab image duplicates --collection photos --json"],
)
def duplicates(
    door: Door,
    *,
    collection: CollectionOption = "",
    min_score: Annotated[
        float, typer.Option("--min-score", help="Cosine from which two pictures are compared.", min=-1, max=1)
    ] = 0.9,
    checks_max: Annotated[
        int, typer.Option("--checks", help="Most pairs compared point by point.", min=0, max=10_000_000)
    ] = 20_000,
) -> None:
    """Report groups of pictures that are the same: copies, cut, mirrored, shrunk or recompressed."""
    from milvuslab.apps.image.duplicates import find_near_duplicates
    from milvuslab.cli.image.view import duplicate_lines

    holder = open_shelf(door).choose(collection)
    with door.watch() as observer:
        report = find_near_duplicates(holder, min_score=min_score, checks_max=checks_max, observer=observer)
    door.show(report.as_dict(), duplicate_lines(report))


@command(
    app,
    "compare",
    examples=[
        "milvuslab image compare photo.jpg copy.png",
        "milvuslab image compare photo.jpg IMAGE_ID --output match.png",
    ],
)
def compare(
    door: Door,
    *,
    a: Annotated[str, typer.Argument(metavar="A", help="Picture file, or key of a stored picture.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The other one.")],
    output: Annotated[
        str, typer.Option("--output", "-o", help="Draw the matched points side by side.", metavar="FILE.png")
    ] = "",
    collection: CollectionOption = "",
) -> None:
    """Say whether two pictures are the same, and draw why."""
    from milvuslab.apps.image.geometry import compare_pictures, draw_match

    if output and Path(output).suffix.lower() != ".png":
        raise UsageError(f"--output is {output}", hint="name a file that ends in .png")
    first, second = (_open(door, word, collection=collection) for word in (a, b))
    match = compare_pictures(first.pixels, second.pixels)
    if output:
        _write(Path(output), draw_match(first.pixels, second.pixels, match))
    verdict = "the same picture" if match.is_same else "not the same picture"
    way = ", mirrored" if match.is_mirrored and match.is_same else ""
    lines = [f"{verdict}{way}: {match.inlier_count} of {match.pair_count} matched points fit one change of perspective"]
    door.show({**match.as_dict(), "output": output}, [*lines, *([f"drawn in {output}"] if output else [])])


def _open(door: Door, word: str, *, collection: str) -> Picture:
    from milvuslab.apps.image.image import read_picture
    from milvuslab.data.images.decode import DEFAULT_LIMITS, decode_image

    if not looks_like_key(word):
        return decode_image(read_file(word, limit_bytes=DEFAULT_LIMITS.size_bytes_max), name=word)
    holder, image = find_image(open_shelf(door), word, collection=collection)
    return read_picture(holder, image.image_id)


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", hint="name a folder that is there") from None
