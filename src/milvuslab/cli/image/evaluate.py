"""`milvuslab image evaluate`: how good the search of your pictures is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from milvuslab.cli.command import Door, command
from milvuslab.cli.image.noun import app, open_shelf
from milvuslab.cli.output import format_duration, table

if TYPE_CHECKING:
    from milvuslab.apps.image.evaluate import ImageEvaluation

__all__: list[str] = []


@command(
    app,
    "evaluate",
    examples=[
        "milvuslab image evaluate photos/",
        "milvuslab image evaluate clipart --per-class 30 --near 268",
        "milvuslab image evaluate imagenet/val --encoder onnx:resnet/ --output resnet --json",
    ],
)
def evaluate(
    door: Door,
    *,
    path: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER", help="Folder or archive with a folder for each class; or a sample: clipart, emoji."
        ),
    ],
    encoder: Annotated[
        str, typer.Option("--encoder", help="Encoder; default: efficientnet-lite0.", metavar="NAME")
    ] = "",
    queries: Annotated[
        int, typer.Option("--queries", help="Most pictures that are asked with.", min=1, max=100_000)
    ] = 2_000,
    near: Annotated[
        int,
        typer.Option(
            "--near", help="Most pictures that are changed and looked for; 0 leaves it out.", min=0, max=10_000
        ),
    ] = 100,
    per_class: Annotated[int, typer.Option("--per-class", help="Most pictures of a class; 0 takes all.", min=0)] = 0,
    seed: Annotated[int, typer.Option("--seed", help="Of all samples.", min=0)] = 7,
    output: Annotated[
        str, typer.Option("--output", "-o", help="Folder for report.html and result.json.", metavar="FOLDER")
    ] = "",
) -> None:
    """Measure the search of your pictures through a collection that is made for it and dropped, and write one page."""
    from milvuslab.apps.image.evaluate import EvaluationPlan, evaluate_images
    from milvuslab.apps.image.evaluation_page import write_evaluation
    from milvuslab.apps.image.picture_set import open_picture_set
    from milvuslab.apps.image.shelf import DEFAULT_ENCODER
    from milvuslab.machine import write_record

    plan = EvaluationPlan(query_count=queries, near_count=near, seed=seed)
    settings = door.workspace.settings
    with door.watch() as observer:
        pictures = open_picture_set(path, settings=settings, per_class=per_class, seed=seed, observer=observer)
        shelf = open_shelf(door)
        found = evaluate_images(
            pictures.items, source=pictures.name, total_images=pictures.image_count, plan=plan,
            encoder=shelf.encoder(encoder or DEFAULT_ENCODER), gateway=shelf.gateway, observer=observer,
        )  # fmt: skip
    name = re.sub(r"[^\w.-]+", "-", pictures.name).strip("-.") or "pictures"
    folder = Path(output) if output else settings.home_dir / "evaluations" / name
    page = write_evaluation(found, folder / "report.html")
    write_record(folder / "result.json", found.as_dict(), version=1)
    door.show({**found.as_dict(), "page": str(page)}, [*_lines(found), "", f"page: {page}"])


def _lines(found: ImageEvaluation) -> Iterator[str]:
    yield from table(
        ["measure", "value", "95 %", "chance", "pictures"],
        [
            [one.name, f"{one.mean:.3f}", f"{one.low:.3f} to {one.high:.3f}", f"{one.chance:.3f}", one.count]
            for one in found.measures
        ],
    )
    yield ""
    total = format_duration(sum(found.durations_s.values()))
    yield f"{found.image_count:,} pictures in {len(found.label_counts):,} classes, {found.encoder['name']}, {total}"
    if found.ingest.corrupt_count:
        yield f"{found.ingest.corrupt_count:,} files could not be read"
    yield from (f"not measured: {one}" for one in found.absent)
