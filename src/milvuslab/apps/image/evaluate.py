"""How good the search of somebody's pictures is: measured through a real collection, which is dropped afterwards.

Every measure has an interval (percentile bootstrap over pictures, 95 %) and the level that chance reaches on the same pictures.
Labels are the classes of the source; without them, near-duplicates and the shape of groups are measured, the rest is
absent and said so. A picture never counts as its own neighbour, nor does another copy of the same file.
"""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from milvuslab.apps.image.classify import (
    NEIGHBOUR_COUNT,
    THRESHOLD,
    Classification,
    classify_stored,
    compute_calibration_error,
    fit_shares,
)
from milvuslab.apps.image.cluster import (
    Clusters,
    Grouping,
    agree_with_labels,
    as_clusters,
    cluster_vectors,
    compute_silhouettes,
    reduce_vectors,
)
from milvuslab.apps.image.collection import create_image_collection
from milvuslab.apps.image.figures import Confusion, count_confusion, draw_clusters
from milvuslab.apps.image.image import read_picture
from milvuslab.apps.image.ingest import ImageIngestReport, ingest_images
from milvuslab.apps.image.near import rank_near_duplicates
from milvuslab.apps.image.projection import MapPoints, project_map
from milvuslab.apps.image.variants import VARIANTS, make_variant
from milvuslab.apps.image.vector_table import fetch_vectors
from milvuslab.model.errors import UsageError
from milvuslab.model.progress import Observer, Progress, silent
from milvuslab.model.ranking import Interval, bootstrap_interval, compute_average_precision

if TYPE_CHECKING:
    from milvuslab.apps.image.collection import ImageCollection
    from milvuslab.apps.image.vector_table import VectorTable
    from milvuslab.data.images.decode import Picture
    from milvuslab.data.images.source import ImageItem
    from milvuslab.embed.images.encoder import ImageEncoder
    from milvuslab.gateway.client import Gateway

__all__ = ["EvaluationPlan", "ImageEvaluation", "Measure", "evaluate_collection", "evaluate_images"]

_DEPTH = 10
_BATCH_QUERIES = 128
_EF = 256
_COPIES_MAX = 8


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationPlan:
    """How much is measured.

    Attributes:
        query_count: most pictures that are asked with, for P@1, mAP@10 and classification.
        near_count: most pictures that are changed and looked for.
        variants: the changes, by the names of `VARIANTS`.
        seed: of all samples.
    """

    query_count: int = 2_000
    near_count: int = 100
    variants: tuple[str, ...] = tuple(VARIANTS)
    seed: int = 7

    def __post_init__(self) -> None:
        unknown = set(self.variants) - set(VARIANTS)
        if unknown:
            raise UsageError(f"there is no variant {', '.join(sorted(unknown))}", hint=f"known: {', '.join(VARIANTS)}")
        if self.query_count < 1 or self.near_count < 0:
            raise UsageError("a count of the evaluation is too small", hint="ask at least one picture")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One figure.

    Attributes:
        name: `map@10`, `p@1`, `knn accuracy`, `near: flip`, `near by vector: flip`, `nmi`, `ari`, `silhouette`.
        mean: the figure.
        low: lower end of its 95 % interval.
        high: upper end.
        count: pictures that it was measured on.
        chance: what guessing reaches on the same pictures.
    """

    name: str
    mean: float
    low: float
    high: float
    count: int
    chance: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageEvaluation:
    """All figures of one source, and what a page shows beside them.

    Attributes:
        source: its name.
        encoder: fingerprint of the encoder.
        server_version: of the Milvus that was asked.
        image_count: pictures in the collection.
        label_counts: pictures by class.
        measures: in the order of the page.
        calibration_error: mean distance of confidence and truth on pictures that the calibration did not see; None
            where there were too few.
        answered_ratio: share of classifications that did not abstain at the default threshold.
        absent: what was not measured, in sentences.
        ingest: counts of the load.
        durations_s: by part.
        confusion: of the classification, None without labels.
        clusters: the groups.
        points: the map.
        sheet: a JPEG of the groups.
        plan: how much was measured.
    """

    source: str
    encoder: dict[str, Any]
    server_version: str
    image_count: int
    label_counts: dict[str, int]
    measures: tuple[Measure, ...]
    calibration_error: float | None
    answered_ratio: float | None
    absent: tuple[str, ...]
    ingest: ImageIngestReport
    durations_s: dict[str, float]
    confusion: Confusion | None
    clusters: Clusters | None
    points: MapPoints
    sheet: bytes
    plan: EvaluationPlan

    def measure(self, name: str) -> Measure:
        """The figure of that name; it must have been measured."""
        return next(one for one in self.measures if one.name == name)

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON: without the map and the sheet, which the page shows."""
        left_out = ("points", "sheet", "clusters")
        values = {
            field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name not in left_out
        }
        return {
            **values,
            "measures": [dataclasses.asdict(one) for one in self.measures],
            "ingest": self.ingest.as_dict(),
            "confusion": dataclasses.asdict(self.confusion) if self.confusion else None,
            "plan": dataclasses.asdict(self.plan),
        }


def evaluate_images(
    items: Iterable[ImageItem],
    *,
    source: str,
    encoder: ImageEncoder,
    gateway: Gateway,
    plan: EvaluationPlan | None = None,
    scratch_dir: Path | None = None,
    total_images: int | None = None,
    observer: Observer = silent,
) -> ImageEvaluation:
    """Loads the pictures into a collection of this call's own, measures, and drops it, also when it is interrupted.

    Args:
        items: the pictures with their labels.
        source: name of the set, for the page.
        encoder: that makes the vectors.
        gateway: the server.
        plan: how much is measured; None is `EvaluationPlan()`.
        scratch_dir: where thumbnails lie meanwhile; None is the system's folder for temporary files.
        total_images: how many there will be, for progress.
        observer: sees what is done.

    Raises:
        UsageError: fewer than three pictures could be read.
        UnsupportedError: the extra `image` is not installed.
    """
    name = f"milvuslab_evaluate_{secrets.token_hex(6)}"
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="milvuslab-evaluate-", dir=scratch_dir) as folder:
        try:
            collection = create_image_collection(gateway, name, encoder=encoder, pictures_dir=Path(folder))
            report = ingest_images(collection, items, total_images=total_images, observer=observer)
            gateway.collections.settle(name)
            load_s = time.monotonic() - began_s
            return evaluate_collection(
                collection, source=source, plan=plan, ingest=report, load_s=load_s, observer=observer
            )
        finally:
            with contextlib.suppress(UsageError):
                if gateway.collections.exists(name):
                    gateway.collections.drop(name)


def evaluate_collection(
    collection: ImageCollection,
    *,
    source: str,
    plan: EvaluationPlan | None = None,
    ingest: ImageIngestReport | None = None,
    load_s: float = 0.0,
    observer: Observer = silent,
) -> ImageEvaluation:
    """The figures of a collection that is there; it is only read.

    Raises:
        UsageError: it has fewer than three pictures.
    """
    plan = plan or EvaluationPlan()
    clock = _Clock(load_s)
    table = fetch_vectors(collection, observer=observer)
    if len(table.ids) < 3:
        raise UsageError(f"{len(table.ids)} pictures could be read, too few to measure", hint="give more pictures")
    rows = _askable(table, plan)
    measures: list[Measure] = []
    absent: list[str] = []
    answers: list[Classification] = []
    if len(rows):
        measures += _measure_retrieval(collection, table, rows, plan=plan, observer=observer)
        clock.lap("search")
        answers = classify_stored(collection, table, rows, observer=observer)
        measures.append(_measure_classes(table, rows, answers))
        clock.lap("classify")
    else:
        absent.append("mAP@10, P@1, kNN accuracy, NMI and ARI: no class has two pictures")
    measures += _measure_copies(collection, table, plan=plan, observer=observer)
    clock.lap("near-duplicates")
    grouping, clusters = _group(collection, table, plan=plan, observer=observer)
    measures += _measure_groups(table, grouping, plan=plan)
    clock.lap("cluster")
    points = project_map(collection, seed=plan.seed, observer=observer)
    sheet = draw_clusters(collection, clusters)
    clock.lap("map")
    truths = [table.labels[row] for row in rows]
    return ImageEvaluation(
        source=source,
        encoder=collection.encoder.fingerprint.as_dict(),
        server_version=collection.gateway.server_version,
        image_count=len(table.ids),
        label_counts=dict(Counter(label for label in table.labels if label).most_common()),
        measures=tuple(measures),
        calibration_error=_calibration_error(truths, answers),
        answered_ratio=_answered_ratio(answers),
        absent=tuple(absent),
        ingest=ingest or ImageIngestReport(),
        durations_s=clock.laps_s,
        confusion=count_confusion(truths, [one.best_label for one in answers]) if answers else None,
        clusters=clusters,
        points=points,
        sheet=sheet,
        plan=plan,
    )


class _Clock:
    """Seconds by part."""

    def __init__(self, load_s: float) -> None:
        self._last_s = time.monotonic()
        self.laps_s = {"load": round(load_s, 2)}

    def lap(self, name: str) -> None:
        now_s = time.monotonic()
        self.laps_s[name] = round(now_s - self._last_s, 2)
        self._last_s = now_s


def _askable(table: VectorTable, plan: EvaluationPlan) -> list[int]:
    """Pictures with a label that another file has too: a sample of them."""
    files = {(table.labels[row], table.content_keys[row]) for row in range(len(table.ids)) if table.labels[row]}
    counts = Counter(label for label, _ in files)
    rows = np.array([row for row, label in enumerate(table.labels) if counts[label] > 1], dtype=np.int64)
    return sorted(int(row) for row in np.random.default_rng(plan.seed).permutation(rows)[: plan.query_count])


def _measure_retrieval(
    collection: ImageCollection, table: VectorTable, rows: Sequence[int], *, plan: EvaluationPlan, observer: Observer
) -> Iterator[Measure]:
    place = {image_id: row for row, image_id in enumerate(table.ids)}
    found: list[list[int]] = []
    for start in range(0, len(rows), _BATCH_QUERIES):
        some = rows[start : start + _BATCH_QUERIES]
        hits = collection.gateway.search(
            collection.name, table.vectors[list(some)], field="vector", limit=_DEPTH + _COPIES_MAX, params={"ef": _EF}
        )
        for query, row in enumerate(some):
            near = [place[image_id] for image_id in hits.ids[hits.of_query(query)] if image_id in place]
            found.append(_others(table, row, near))
        observer(Progress(step="search", done_count=len(found), total_count=len(rows), unit="images"))
    dice = np.random.default_rng(plan.seed)
    guessed = [_others(table, row, dice.integers(0, len(table.ids), _DEPTH + _COPIES_MAX).tolist()) for row in rows]
    counts = Counter(table.labels)
    yield _measure(
        "map@10",
        [_precision(table, row, near, counts[table.labels[row]]) for row, near in zip(rows, found, strict=True)],
        chance=float(np.mean([
            _precision(table, row, near, counts[table.labels[row]]) for row, near in zip(rows, guessed, strict=True)
        ])),
    )  # fmt: skip
    yield _measure(
        "p@1",
        [bool(near) and table.labels[near[0]] == table.labels[row] for row, near in zip(rows, found, strict=True)],
        chance=float(np.mean([(counts[table.labels[row]] - 1) / (len(table.ids) - 1) for row in rows])),
    )


def _others(table: VectorTable, row: int, near: Sequence[int]) -> list[int]:
    """The first ten, without the picture itself, copies of its file and repetitions."""
    kept = [one for one in dict.fromkeys(near) if table.content_keys[one] != table.content_keys[row]]
    return kept[:_DEPTH]


def _precision(table: VectorTable, row: int, near: Sequence[int], class_count: int) -> float:
    """AP@10, where all of the first ten right is 1 however many pictures the class has."""
    wanted = min(_DEPTH, class_count - 1)
    right = {one: 1 for one in near if table.labels[one] == table.labels[row]}
    missed = {-number: 1 for number in range(1, wanted - len(right) + 1)}
    return compute_average_precision(list(near), {**right, **missed}, k=_DEPTH)


def _measure_classes(table: VectorTable, rows: Sequence[int], answers: Sequence[Classification]) -> Measure:
    right = [answer.best_label == table.labels[row] for row, answer in zip(rows, answers, strict=True)]
    largest = Counter(table.labels[row] for row in rows).most_common(1)[0][1] / len(rows)
    return _measure("knn accuracy", right, chance=largest)


def _calibration_error(truths: Sequence[str], answers: Sequence[Classification]) -> float | None:
    """Learnt on every second picture, measured on the others."""
    voted = [
        (one.votes[0].share, one.best_label == truth) for one, truth in zip(answers, truths, strict=True) if one.votes
    ]
    learnt, tested = voted[::2], voted[1::2]
    if len(tested) < NEIGHBOUR_COUNT * 3:
        return None
    calibration = fit_shares([share for share, _ in learnt], [right for _, right in learnt])
    return compute_calibration_error([calibration.apply(share) for share, _ in tested], [right for _, right in tested])


def _answered_ratio(answers: Sequence[Classification]) -> float | None:
    return sum(one.confidence >= THRESHOLD for one in answers) / len(answers) if answers else None


def _measure_copies(
    collection: ImageCollection, table: VectorTable, *, plan: EvaluationPlan, observer: Observer
) -> Iterator[Measure]:
    """R@1 of changed pictures: as the search for near-duplicates ranks them, and by vectors alone."""
    if not plan.near_count:
        return
    rows = np.sort(np.random.default_rng(plan.seed + 1).permutation(len(table.ids))[: plan.near_count]).tolist()
    pictures = [read_picture(collection, table.ids[row]) for row in rows]
    content_of = dict(zip(table.ids, table.content_keys, strict=True))
    alone: list[Measure] = []
    chance = 1 / len(set(table.content_keys))
    for number, variant in enumerate(plan.variants):
        changed = [make_variant(picture.pixels, variant) for picture in pictures]
        vectors = np.concatenate([
            collection.encoder.encode_images(changed[start : start + 32]) for start in range(0, len(changed), 32)
        ])  # fmt: skip
        hits = collection.gateway.search(
            collection.name, vectors, field="vector", limit=1, params={"ef": _EF}, output_fields=["image_id"]
        )
        first = [next(iter(hits.ids[hits.of_query(query)]), "") for query in range(len(rows))]
        found = [content_of.get(key) == table.content_keys[row] for key, row in zip(first, rows, strict=True)]
        alone.append(_measure(f"near by vector: {variant}", found, chance=chance))
        ranked = []
        for row, picture, pixels in zip(rows, pictures, changed, strict=True):
            answer = rank_near_duplicates(collection, _as_picture(picture, pixels), limit=1)
            best = answer.found[0].hit.image_id if answer.found else ""
            ranked.append(content_of.get(best) == table.content_keys[row])
            done = number * len(rows) + len(ranked)
            observer(
                Progress(
                    step="near-duplicates", done_count=done, total_count=len(rows) * len(plan.variants), message=variant
                )
            )
        yield _measure(f"near: {variant}", ranked, chance=chance)
    yield from alone


def _as_picture(picture: Picture, pixels: npt.NDArray[np.uint8]) -> Picture:
    return dataclasses.replace(picture, pixels=pixels, width=pixels.shape[1], height=pixels.shape[0])


def _group(
    collection: ImageCollection, table: VectorTable, *, plan: EvaluationPlan, observer: Observer
) -> tuple[Grouping, Clusters]:
    """K-means with as many groups as there are classes, or the best silhouette without classes."""
    classes = len(set(table.labels) - {""})
    k = classes if 2 <= classes <= min(200, len(table.ids) // 2) else None
    reduced = reduce_vectors(table.vectors, seed=plan.seed)
    grouping = cluster_vectors(reduced, k=k, labels=table.labels, seed=plan.seed, observer=observer)
    return grouping, as_clusters(collection.name, grouping, reduced, ids=table.ids, labels=table.labels)


def _measure_groups(table: VectorTable, grouping: Grouping, *, plan: EvaluationPlan) -> Iterator[Measure]:
    dice = np.random.default_rng(plan.seed + 2)
    labels = np.array(table.labels)
    known = np.flatnonzero(labels != "")
    agreement = agree_with_labels(grouping.numbers, table.labels)
    if agreement is not None:
        drawn = [_agree(grouping, labels, dice.choice(known, len(known))) for _ in range(200)]
        guessed = [_agree(grouping, dice.permutation(labels), known) for _ in range(10)]
        for place, name in enumerate(("nmi", "ari")):
            low, high = np.quantile([one[place] for one in drawn], [0.025, 0.975])
            yield Measure(
                name=name, mean=agreement[place], low=min(float(low), agreement[place]),
                high=max(float(high), agreement[place]), count=len(known),
                chance=float(np.mean([one[place] for one in guessed])),
            )  # fmt: skip
    if grouping.silhouettes:
        mixed = compute_silhouettes(
            reduce_vectors(table.vectors, seed=plan.seed), dice.permutation(grouping.numbers), sample_count=1_000
        )
        yield _measure("silhouette", grouping.silhouettes, chance=float(mixed.mean()))


def _agree(grouping: Grouping, labels: npt.NDArray[Any], rows: npt.NDArray[np.int64]) -> tuple[float, float]:
    return agree_with_labels(grouping.numbers[rows], labels[rows].tolist()) or (0.0, 0.0)


def _measure(name: str, values: Sequence[float] | Sequence[bool], *, chance: float) -> Measure:
    interval = _interval(np.asarray(values, dtype=np.float64))
    return Measure(
        name=name, mean=interval.mean, low=interval.low, high=interval.high, count=interval.count, chance=chance
    )


def _interval(values: npt.NDArray[np.float64]) -> Interval:
    """The bootstrap's; where every value is 0 or every one is 1 it has no width, and the rule of three gives the other end."""
    interval = bootstrap_interval(values)
    if values.min() == values.max() == 1:
        return dataclasses.replace(interval, low=max(0.0, 1 - 3 / len(values)))
    if values.min() == values.max() == 0:
        return dataclasses.replace(interval, high=min(1.0, 3 / len(values)))
    return interval
