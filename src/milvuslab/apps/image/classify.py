"""Classification by neighbours: the labels of the nearest stored pictures vote, weighted by how near they are.

The share of the votes is no probability by itself: it says how much the neighbours agree. `fit_calibration` asks the
collection about its own pictures, each left out in turn, and learns how often a given share was right; with it the
confidence is the measured share of right answers at that agreement. Without it the confidence is the share, and
`Classification.is_calibrated` says so.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from milvuslab.model.errors import SchemaError, UsageError, missing_extra
from milvuslab.model.filter import where
from milvuslab.model.progress import Observer, Progress, silent

if TYPE_CHECKING:
    from milvuslab.apps.image.collection import ImageCollection
    from milvuslab.apps.image.vector_table import VectorTable

__all__ = [
    "NEIGHBOUR_COUNT",
    "SHARPNESS",
    "THRESHOLD",
    "Calibration",
    "Classification",
    "Vote",
    "classify_by_neighbours",
    "classify_stored",
    "compute_calibration_error",
    "fit_calibration",
    "fit_shares",
    "vote_by_similarity",
]

NEIGHBOUR_COUNT = 10
SHARPNESS = 10.0
"""A neighbour whose cosine is 0.1 less weighs e times less; the votes of ten neighbours then still count together."""
THRESHOLD = 0.3
"""Confidence below which no label is given."""
_BATCH_QUERIES = 128
_CALIBRATION_MIN = 20
_EF_MIN = 128


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """What the neighbours say for one label.

    Attributes:
        label: the class.
        share: of all weights, 0 to 1.
        neighbour_count: neighbours of that label.
        nearest_id: key of the nearest of them; empty where keys were not given.
        score: its cosine.
    """

    label: str
    share: float
    neighbour_count: int
    nearest_id: str
    score: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """A label, or none.

    Attributes:
        label: empty when it abstains.
        best_label: the label with most votes, also when it abstains; empty without neighbours.
        confidence: see the module; 0 to 1.
        is_calibrated: whether the confidence was measured on the collection, or is the plain share of the votes.
        votes: by label, most first.
    """

    label: str
    best_label: str
    confidence: float
    is_calibrated: bool
    votes: tuple[Vote, ...]

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How often an answer was right at a share of the votes: a rising line through these points.

    Attributes:
        shares: ascending.
        rates: of right answers, not falling.
        example_count: pictures that it was learnt from.
    """

    shares: tuple[float, ...]
    rates: tuple[float, ...]
    example_count: int

    def apply(self, share: float) -> float:
        """The confidence of a share."""
        return float(np.interp(share, self.shares, self.rates))


def vote_by_similarity(
    labels: Sequence[str], scores: Sequence[float] | npt.NDArray[np.float32], *, ids: Sequence[str] = ()
) -> tuple[Vote, ...]:
    """The votes of one picture's neighbours, most first; equal shares by label.

    Args:
        labels: of the neighbours, best first; empty ones do not vote.
        scores: their cosines.
        ids: their keys, where known.

    Raises:
        SchemaError: as many labels as scores are needed.

    >>> [(vote.label, round(vote.share, 2)) for vote in vote_by_similarity(["a", "b", "b"], [0.9, 0.8, 0.8])]
    [('a', 0.58), ('b', 0.42)]
    """
    if len(labels) != len(scores) or (ids and len(ids) != len(labels)):
        raise SchemaError(f"{len(labels)} labels, {len(scores)} scores and {len(ids)} keys do not belong together")
    known = [row for row, label in enumerate(labels) if label]
    if not known:
        return ()
    best = max(float(scores[row]) for row in known)
    weights = {row: float(np.exp(SHARPNESS * (float(scores[row]) - best))) for row in known}
    rows_of: dict[str, list[int]] = {}
    for row in known:
        rows_of.setdefault(labels[row], []).append(row)
    total = sum(weights.values())
    votes = [
        Vote(
            label=label,
            share=sum(weights[row] for row in rows) / total,
            neighbour_count=len(rows),
            nearest_id=ids[rows[0]] if ids else "",
            score=float(scores[rows[0]]),
        )
        for label, rows in rows_of.items()
    ]
    return tuple(sorted(votes, key=lambda vote: (-vote.share, vote.label)))


def classify_by_neighbours(
    collection: ImageCollection,
    vectors: npt.NDArray[np.float32],
    *,
    k: int = NEIGHBOUR_COUNT,
    threshold: float = THRESHOLD,
    calibration: Calibration | None = None,
    without_ids: Sequence[str] = (),
    without_contents: Sequence[str] = (),
    observer: Observer = silent,
) -> list[Classification]:
    """The class of each picture by the labels of its nearest stored pictures.

    Args:
        collection: with labelled pictures; those without a label do not vote.
        vectors: (n, dim) or (dim,) from the collection's encoder.
        k: neighbours that vote, 1 to 1,000.
        threshold: confidence below which it abstains.
        calibration: from `fit_calibration`; None leaves the confidence a share of the votes.
        without_ids: one key for each vector: the picture itself, when it is stored (leave one out).
        without_contents: one checksum for each vector: files that are the same are left out too.
        observer: sees pictures done.

    Raises:
        UsageError: k or the threshold is out of range.
        SchemaError: the vectors have another dimension, or the keys another number.
    """
    _check(collection, vectors, k=k, threshold=threshold)
    table = np.atleast_2d(vectors)
    for given in (without_ids, without_contents):
        if given and len(given) != len(table):
            raise SchemaError(f"{len(given)} keys for {len(table)} vectors")
    spare = 1 + (2 if without_contents else 0) if without_ids or without_contents else 0
    found: list[Classification] = []
    for start in range(0, len(table), _BATCH_QUERIES):
        hits = collection.gateway.search(
            collection.name,
            table[start : start + _BATCH_QUERIES],
            field="vector",
            limit=k + spare,
            params={"ef": max(_EF_MIN, 2 * (k + spare))},
            where=where("label") != "",
            output_fields=["image_id", "label", "content_sha256"],
        )
        for query in range(hits.query_count):
            rows = range(*hits.of_query(query).indices(len(hits.scores)))
            mine = without_ids[start + query] if without_ids else None
            content = without_contents[start + query] if without_contents else None
            kept = [
                row
                for row in rows
                if hits.columns["image_id"][row] != mine and hits.columns["content_sha256"][row] != content
            ][:k]
            votes = vote_by_similarity(
                [hits.columns["label"][row] for row in kept],
                [float(hits.scores[row]) for row in kept],
                ids=[hits.columns["image_id"][row] for row in kept],
            )
            found.append(_decide(votes, threshold=threshold, calibration=calibration))
        observer(Progress(step="classify", done_count=len(found), total_count=len(table), unit="images"))
    return found


def classify_stored(
    collection: ImageCollection,
    table: VectorTable,
    rows: Sequence[int],
    *,
    k: int = NEIGHBOUR_COUNT,
    threshold: float = 0.0,
    calibration: Calibration | None = None,
    observer: Observer = silent,
) -> list[Classification]:
    """The classes of stored pictures by the others: each is left out of its own vote, and so are copies of its file."""
    return classify_by_neighbours(
        collection, table.vectors[list(rows)], k=k, threshold=threshold, calibration=calibration,
        without_ids=[table.ids[row] for row in rows], without_contents=[table.content_keys[row] for row in rows],
        observer=observer,
    )  # fmt: skip


def fit_calibration(
    collection: ImageCollection,
    table: VectorTable,
    *,
    k: int = NEIGHBOUR_COUNT,
    sample_count: int = 1_000,
    seed: int = 7,
    observer: Observer = silent,
) -> Calibration | None:
    """How often a share of the votes was right in this collection; None where fewer than 20 pictures have a label."""
    labelled = np.array([row for row, label in enumerate(table.labels) if label])
    if len(labelled) < _CALIBRATION_MIN:
        return None
    dice = np.random.default_rng(seed)
    rows = dice.permutation(labelled)[:sample_count].tolist()
    answers = classify_stored(collection, table, rows, k=k, observer=observer)
    shares = [answer.votes[0].share if answer.votes else 0.0 for answer in answers]
    right = [answer.best_label == table.labels[row] for answer, row in zip(answers, rows, strict=True)]
    return fit_shares(shares, right)


def fit_shares(shares: Sequence[float], is_right: Sequence[bool]) -> Calibration:
    """The non-falling line through what was right at which share, by least squares (isotonic regression).

    Raises:
        UnsupportedError: the extra `image` is not installed.
    """
    try:
        from sklearn.isotonic import IsotonicRegression
    except ImportError:
        raise missing_extra("scikit-learn", "image") from None
    fit = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
    fit.fit(np.asarray(shares, dtype=np.float64), np.asarray(is_right, dtype=np.float64))
    return Calibration(
        shares=tuple(float(value) for value in fit.X_thresholds_),
        rates=tuple(float(value) for value in fit.y_thresholds_),
        example_count=len(shares),
    )


def compute_calibration_error(confidences: Sequence[float], is_right: Sequence[bool], *, bin_count: int = 10) -> float:
    """Mean distance between what was promised and what was right, over bins of equal width (ECE); 0 is honest.

    >>> compute_calibration_error([0.75, 0.75, 0.75, 0.75], [True, True, True, False])
    0.0
    """
    promised, right = np.asarray(confidences, dtype=np.float64), np.asarray(is_right, dtype=np.float64)
    bins = np.minimum((promised * bin_count).astype(int), bin_count - 1)
    parts = [(bins == one) for one in range(bin_count)]
    return float(sum(abs(promised[part].mean() - right[part].mean()) * part.mean() for part in parts if part.any()))


def _check(collection: ImageCollection, vectors: npt.NDArray[np.float32], *, k: int, threshold: float) -> None:
    if not 1 <= k <= 1_000:
        raise UsageError(f"k is {k}", hint="ask 1 to 1,000 neighbours")
    if not 0 <= threshold <= 1:
        raise UsageError(f"threshold is {threshold}", hint="a confidence lies between 0 and 1")
    dim = collection.encoder.fingerprint.dim
    if vectors.ndim not in (1, 2) or vectors.shape[-1] != dim:
        raise SchemaError(f"vectors of shape {vectors.shape} for {collection.name}, which has {dim} numbers each")


def _decide(votes: tuple[Vote, ...], *, threshold: float, calibration: Calibration | None) -> Classification:
    share = votes[0].share if votes else 0.0
    confidence = calibration.apply(share) if calibration and votes else share
    best = votes[0].label if votes else ""
    return Classification(
        label=best if votes and confidence >= threshold else "",
        best_label=best,
        confidence=confidence,
        is_calibrated=calibration is not None,
        votes=votes,
    )
