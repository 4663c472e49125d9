"""`milvuslab image`: classes, groups and the map of a collection."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from milvuslab.cli.command import Door, command
from milvuslab.cli.image.noun import CollectionOption, app, find_image, looks_like_key, open_shelf, read_file
from milvuslab.cli.output import shorten, table
from milvuslab.model.errors import UsageError

if TYPE_CHECKING:
    from milvuslab.apps.image.classify import Calibration, Classification
    from milvuslab.apps.image.cluster import Clusters
    from milvuslab.apps.image.collection import ImageCollection

__all__: list[str] = []

_OUTLIERS_SHOWN = 5


@command(
    app,
    "classify",
    examples=[
        "milvuslab image classify photo.jpg",
        "milvuslab image classify a.jpg b.jpg --collection image_clipart --calibrate",
    ],
)
def classify(
    door: Door,
    *,
    pictures: Annotated[list[str], typer.Argument(metavar="PICTURE...", help="Files, or keys of stored pictures.")],
    k: Annotated[int, typer.Option("--neighbours", "-k", help="Pictures that vote.", min=1, max=1_000)] = 10,
    threshold: Annotated[
        float, typer.Option("--threshold", help="Confidence below which no class is named.", min=0, max=1)
    ] = 0.3,
    is_calibrated: Annotated[
        bool, typer.Option("--calibrate", help="Learn from the collection how often such votes are right; seconds.")
    ] = False,
    collection: CollectionOption = "",
) -> None:
    """Name the class of a picture by the labels of its nearest stored pictures."""
    from milvuslab.apps.image.classify import fit_calibration
    from milvuslab.apps.image.vector_table import fetch_vectors

    shelf = open_shelf(door)
    holder = shelf.choose(collection)
    calibration = None
    if is_calibrated:
        with door.watch() as observer:
            table_of = fetch_vectors(holder, observer=observer)
            calibration = fit_calibration(holder, table_of, k=k, observer=observer)
    found = [_classify(door, holder, word, k=k, threshold=threshold, calibration=calibration) for word in pictures]
    value = [{"picture": word, **one.as_dict()} for word, one in zip(pictures, found, strict=True)]
    door.show({"collection": holder.name, "classified": value}, _class_lines(pictures, found))


@command(
    app,
    "cluster",
    examples=[
        "milvuslab image cluster",
        "milvuslab image cluster --collection image_clipart -k 10 --sheet groups.jpg",
        "milvuslab image cluster --method hdbscan --json",
    ],
)
def cluster(
    door: Door,
    *,
    method: Annotated[str, typer.Option("--method", help="kmeans or hdbscan.", metavar="NAME")] = "kmeans",
    k: Annotated[
        int, typer.Option("--count", "-k", help="Groups (kmeans); 0 chooses by silhouette.", min=0, max=1_000)
    ] = 0,
    min_size: Annotated[
        int, typer.Option("--min-size", help="Smallest group (hdbscan); 0 chooses by the collection.", min=0)
    ] = 0,
    seed: Annotated[int, typer.Option("--seed", help="The same gives the same groups.", min=0)] = 7,
    sheet: Annotated[
        str, typer.Option("--sheet", help="Draw the groups as rows of thumbnails.", metavar="FILE.jpg")
    ] = "",
    collection: CollectionOption = "",
) -> None:
    """Group the pictures of a collection; name the middle of each group and what fits none."""
    from milvuslab.apps.image.cluster import cluster_images
    from milvuslab.apps.image.figures import draw_clusters

    if method not in ("kmeans", "hdbscan"):
        raise UsageError(f"there is no method {method!r}", hint="take kmeans or hdbscan")
    if k == 1:
        raise UsageError("one group is no grouping", hint="ask for 2 or more, or leave --count out")
    holder = open_shelf(door).choose(collection)
    with door.watch() as observer:
        found = cluster_images(
            holder, method="kmeans" if method == "kmeans" else "hdbscan", k=k or None, min_size=min_size or None,
            seed=seed, observer=observer,
        )  # fmt: skip
    if sheet:
        _write(Path(sheet), draw_clusters(holder, found))
    door.show({**found.as_dict(), "sheet": sheet}, [*_group_lines(found), *([f"drawn in {sheet}"] if sheet else [])])


@command(
    app,
    "map",
    examples=["milvuslab image map --collection image_emoji", "milvuslab image map --output map.html"],
)
def make_map(
    door: Door,
    *,
    output: Annotated[
        str, typer.Option("--output", "-o", help="Page (.html) or points (.json).", metavar="FILE")
    ] = "image-map.html",
    seed: Annotated[int, typer.Option("--seed", help="The same gives the same map.", min=0)] = 7,
    collection: CollectionOption = "",
) -> None:
    """Draw every picture of a collection as a point, those that look alike near each other."""
    from milvuslab.apps.image import figures
    from milvuslab.apps.image.projection import project_map
    from milvuslab.bench.figures import read_plotly_script, render_figure

    target = Path(output)
    if target.suffix not in (".html", ".json"):
        raise UsageError(f"--output is {output}", hint="name a file that ends in .html or .json")
    holder = open_shelf(door).choose(collection)
    with door.watch() as observer:
        points = project_map(holder, seed=seed, observer=observer)
    if target.suffix == ".json":
        content = json.dumps(points.as_dict(), ensure_ascii=False)
    else:
        figure = render_figure(figures.make_map(points, title=holder.name), name="map")
        content = f"<!doctype html><meta charset='utf-8'><script>{read_plotly_script()}</script>{figure}"
    _write(target, content.encode("utf-8", "replace"))
    value = {"collection": holder.name, "image_count": len(points.ids), "output": output}
    door.show(value, [f"{len(points.ids):,} pictures of {holder.name} in {output}"])


def _classify(
    door: Door, holder: ImageCollection, word: str, *, k: int, threshold: float, calibration: Calibration | None
) -> Classification:
    import numpy as np

    from milvuslab.apps.image.classify import classify_by_neighbours
    from milvuslab.data.images.decode import DEFAULT_LIMITS, decode_image

    own_ids, own_contents = [], []
    if looks_like_key(word):
        _, image = find_image(open_shelf(door), word, collection=holder.name)
        vectors = np.asarray(holder.gateway.rows.get(holder.name, [word], ["vector"])["vector"], dtype=np.float32)
        own_ids, own_contents = [word], [image.content_sha256]
    else:
        picture = decode_image(read_file(word, limit_bytes=DEFAULT_LIMITS.size_bytes_max), name=word)
        vectors = holder.encoder.encode_images([picture.pixels])
    return classify_by_neighbours(
        holder, vectors, k=k, threshold=threshold, calibration=calibration, without_ids=own_ids,
        without_contents=own_contents,
    )[0]  # fmt: skip


def _class_lines(words: Sequence[str], found: Sequence[Classification]) -> Iterator[str]:
    rows = []
    for word, one in zip(words, found, strict=True):
        others = ", ".join(f"{vote.label} {vote.share:.0%}" for vote in one.votes[:3])
        rows.append([shorten(word, 40), one.label or "none", f"{one.confidence:.2f}", others])
    yield from table(["picture", "class", "confidence", "votes"], rows)
    if found and not found[0].is_calibrated:
        yield "confidence is the share of the votes; --calibrate measures how often such votes are right"


def _group_lines(found: Clusters) -> Iterator[str]:
    rows = [
        [group.number + 1, group.image_count, ", ".join(f"{label} {count}" for label, count in group.labels[:3]),
         group.medoid_id]
        for group in found.groups
    ]  # fmt: skip
    yield from table(["group", "pictures", "labels", "middle"], rows, empty="no group is dense enough; try --min-size")
    yield ""
    scores = {"silhouette": found.silhouette, "NMI": found.nmi, "ARI": found.ari}
    yield f"{found.collection}: " + ", ".join(
        f"{name} {score:.3f}" for name, score in scores.items() if score is not None
    )
    if found.outlier_count:
        keys = " ".join(found.outliers[:_OUTLIERS_SHOWN])
        yield f"{found.outlier_count:,} pictures fit no group, the worst first: {keys}"


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", hint="name a folder that is there") from None
