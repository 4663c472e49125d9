"""`milvuslab image`: many pictures in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from milvuslab.cli.command import Door, command
from milvuslab.cli.image.noun import CollectionOption, app, open_shelf

if TYPE_CHECKING:
    from milvuslab.apps.image.load import ImageLoadReport

__all__: list[str] = []


@command(
    app,
    "ingest",
    examples=[
        "milvuslab image ingest photos/",
        "milvuslab image ingest imagenet/val --collection val --source imagenet",
        "milvuslab image ingest cifar-10-python.tar.gz --collection cifar",
        "milvuslab image ingest urls.txt --collection shop",
    ],
)
def ingest(
    door: Door,
    *,
    path: Annotated[
        str, typer.Argument(metavar="PATH_OR_URL", help="Folder, archive, CIFAR file, list of addresses, or address.")
    ],
    source: Annotated[
        str, typer.Option("--source", help="Name kept with each picture; default: the path's.", metavar="NAME")
    ] = "",
    collection: CollectionOption = "",
    encoder: Annotated[
        str, typer.Option("--encoder", help="Encoder of a collection that is made now.", metavar="NAME")
    ] = "",
    is_restart: Annotated[bool, typer.Option("--restart", help="Forget an earlier, interrupted run.")] = False,
) -> None:
    """Read pictures into a collection. Run it again after an interruption and it goes on."""
    from milvuslab.apps.image.load import load_images

    with door.watch() as observer:
        report = load_images(
            open_shelf(door),
            path,
            settings=door.workspace.settings,
            collection=collection,
            encoder=encoder,
            source=source,
            is_restart=is_restart,
            observer=observer,
        )
    door.show(report.as_dict(), _load_lines([report]))


@command(app, "load-samples", examples=["milvuslab image load-samples", "milvuslab image load-samples emoji"])
def load_samples(
    door: Door,
    *,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[SAMPLE]...", help="clipart, emoji; default: both.")
    ] = None,
) -> None:
    """Fetch the sample pictures and load each set into a collection of its own; what is loaded is left alone."""
    from milvuslab.apps.image.load import DEMO_IMAGE_SAMPLES, load_image_samples

    with door.watch() as observer:
        reports = load_image_samples(
            open_shelf(door), names or DEMO_IMAGE_SAMPLES, settings=door.workspace.settings, observer=observer
        )
    door.show({"loaded": [report.as_dict() for report in reports]}, _load_lines(reports))


def _load_lines(reports: list[ImageLoadReport]) -> list[str]:
    lines = []
    for report in reports:
        done = report.ingest
        line = f"{report.collection}: {done.image_count:,} files read, {done.added_count:,} new"
        lines.append(f"{line}, {done.replaced_count:,} replaced, {done.unchanged_count:,} unchanged")
        if done.duplicate_count:
            lines.append(f"  {done.duplicate_count:,} are the same file as another; they are kept")
        if done.corrupt_count:
            lines.append(f"  {done.corrupt_count:,} could not be read:")
        lines += [f"    {fault}" for fault in done.faults[:5]]
        if report.fault_count:
            lines.append(f"  {report.fault_count:,} left out:")
        lines += [f"    {fault}" for fault in report.faults[:5]]
    return lines or ["everything is loaded already"]
