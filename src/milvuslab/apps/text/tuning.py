"""A fusion fitted to judged questions, by cross-validation, and refused where it helps nobody. Pure but for the retrieval.

Each channel is asked once, deep; everything after that is arithmetic on the two lists. The questions are dealt into folds:
for each fold the best fusion of the grid is chosen on the other folds and scored on this one, so that no question is
scored by a fusion that was chosen on it. The mean of those scores is what the tuned fusion is worth; the fusion that is kept is
the best one on all questions. It is accepted when the paired interval of its held-out scores over the best single channel
lies above zero.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from milvuslab.apps.text.evaluation import find_judged
from milvuslab.apps.text.fusion import CHANNELS, DEFAULT_FUSION, Fusion, normalize_scores
from milvuslab.apps.text.rankings import Rankings, rank_by_meaning, rank_by_words
from milvuslab.model.errors import UnsupportedError, UsageError
from milvuslab.model.progress import Observer, Progress, silent
from milvuslab.model.ranking import Interval, bootstrap_interval, bootstrap_paired_difference, compute_ndcg_of_ranks

if TYPE_CHECKING:
    from milvuslab.apps.text.collection import TextCollection
    from milvuslab.data.judgements import Judgements

__all__ = ["FUSION_GRID", "TuningReport", "score_fusions", "tune_collection", "tune_fusion"]

_DEPTH = 200
_K = 10
_SEED = 20_240_601
_QUESTIONS_MIN = 20
_FAR = 1 << 20
_WEIGHTS = tuple(round(0.05 * step, 2) for step in range(1, 20))

FUSION_GRID: tuple[Fusion, ...] = tuple(
    Fusion(candidate_count=count, dense_weight=weight, **how)  # type: ignore[arg-type]
    for count, how, weight in itertools.product(
        (50, 100, 200),
        (
            *({"kind": "rrf", "rrf_k": k} for k in (5, 20, 60)),
            {"kind": "weighted", "normalization": "range"},
            {"kind": "weighted", "normalization": "deviation"},
        ),
        _WEIGHTS,
    )
)
"""What is tried: both kinds, weights in steps of 0.05."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TuningReport:
    """What came of fitting a fusion.

    Attributes:
        channels: nDCG@10 of each channel alone.
        default: of the fusion that is used when nobody tunes.
        tuned: of the tuned one, on questions that were not used to choose it.
        best_channel: the better of the channels.
        gain: of `tuned` over it, paired by question; the fusion is better where `low` is above 0.
        is_accepted: whether it is.
        fusion: the best one on all questions.
        fold_fusions: the ones that were chosen for the folds; when they are alike the choice is stable.
        question_count: judged questions.
        unjudged_count: questions left out because nothing is relevant to them.
        missing_count: judged documents that the collection lacks; they count as not found.
        reason: one sentence: why it is accepted or refused.
    """

    channels: Mapping[str, Interval]
    default: Interval
    tuned: Interval
    best_channel: str
    gain: Interval
    is_accepted: bool
    fusion: Fusion
    fold_fusions: tuple[Fusion, ...]
    question_count: int
    unjudged_count: int = 0
    missing_count: int = 0

    @property
    def reason(self) -> str:
        """Why it is accepted or refused, in one sentence."""
        said = f"held out, it gains {self.gain.mean:+.3f} ({self.gain.low:+.3f} to {self.gain.high:+.3f}) over {self.best_channel} alone"
        return f"accepted: {said}" if self.is_accepted else f"refused: {said}, which is not surely above nothing"

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        return {**dataclasses.asdict(self), "reason": self.reason}


def tune_collection(
    collection: TextCollection, judgements: Judgements, *, fold_count: int = 5, observer: Observer = silent
) -> TuningReport:
    """A fusion fitted to the judged questions on this collection.

    Raises:
        UnsupportedError: the collection has one channel only.
        UsageError: there are too few questions, or the collection holds none of the judged documents.
    """
    if not collection.has_lexical:
        raise UnsupportedError(
            f"tune the fusion of {collection.name}", needs="a collection with a lexical channel",
            has=collection.lexical_note, hint="load the documents into a server with full text: milvuslab up",
        )  # fmt: skip
    judged = find_judged(collection, judgements)
    lists = {
        "dense": rank_by_meaning(collection, judged.questions, depth=_DEPTH, observer=observer),
        "lexical": rank_by_words(collection, judged.questions, depth=_DEPTH, observer=observer),
    }
    report = tune_fusion(lists, judged.relevant, fold_count=fold_count, observer=observer)
    return dataclasses.replace(report, unjudged_count=judged.unjudged_count, missing_count=judged.missing_count)


def tune_fusion(
    lists: Mapping[str, Rankings],
    relevant: Mapping[str, Mapping[str, int]],
    *,
    fold_count: int = 5,
    seed: int = _SEED,
    grid: Sequence[Fusion] = FUSION_GRID,
    observer: Observer = silent,
) -> TuningReport:
    """A fusion fitted to lists that were retrieved before.

    Args:
        lists: by channel, by question, documents with scores, best first.
        relevant: by question, grades.
        fold_count: 2 or more.
        seed: of the dealing into folds.
        grid: what is tried.
        observer: sees questions done.

    Raises:
        UsageError: there are fewer than 20 questions, or too many folds.
    """
    if len(relevant) < max(_QUESTIONS_MIN, fold_count) or fold_count < 2:
        raise UsageError(
            f"{len(relevant)} judged questions in {fold_count} folds", hint=f"judge at least {_QUESTIONS_MIN} questions"
        )
    alone = [Fusion(dense_weight=weight, candidate_count=_DEPTH) for weight in (1.0, 0.0)]
    scores = score_fusions(lists, relevant, [*grid, *alone, DEFAULT_FUSION], observer=observer)
    tried, dense, lexical, default = scores[: len(grid)], scores[-3], scores[-2], scores[-1]
    folds = np.random.default_rng(seed).permutation(np.arange(len(relevant)) % fold_count)
    held_out = np.zeros(len(relevant))
    chosen = []
    for fold in range(fold_count):
        best = int(np.argmax(tried[:, folds != fold].mean(axis=1)))
        chosen.append(grid[best])
        held_out[folds == fold] = tried[best, folds == fold]
    single = {"dense": dense, "lexical": lexical}
    best_channel = max(single, key=lambda name: float(single[name].mean()))
    gain = bootstrap_paired_difference(held_out, single[best_channel])
    return TuningReport(
        channels={name: bootstrap_interval(values) for name, values in single.items()},
        default=bootstrap_interval(default),
        tuned=bootstrap_interval(held_out),
        best_channel=best_channel,
        gain=gain,
        is_accepted=gain.low > 0,
        fusion=grid[int(np.argmax(tried.mean(axis=1)))],
        fold_fusions=tuple(chosen),
        question_count=len(relevant),
    )


def score_fusions(
    lists: Mapping[str, Rankings],
    relevant: Mapping[str, Mapping[str, int]],
    fusions: Sequence[Fusion],
    *,
    observer: Observer = silent,
) -> npt.NDArray[np.float64]:
    """(fusions, questions) nDCG@10, what `fuse_ranked` would give: but only the places of judged documents are worked out."""
    alike: dict[Fusion, list[int]] = {}
    for place, fusion in enumerate(fusions):
        alike.setdefault(dataclasses.replace(fusion, dense_weight=0.5), []).append(place)
    scores = np.zeros((len(fusions), len(relevant)))
    for column, (key, grades) in enumerate(relevant.items()):
        found: dict[str, Sequence[tuple[str, float]]] = {name: lists[name][key] for name in CHANNELS}
        for base, places in alike.items():
            weights = np.array([fusions[place].dense_weight for place in places])
            scores[places, column] = _score_question(found, grades, base, weights)
        if column % 50 == 49 or column + 1 == len(relevant):
            observer(Progress(step="fit", done_count=column + 1, total_count=len(relevant), unit="questions"))
    return scores


def _score_question(
    found: Mapping[str, Sequence[tuple[str, float]]],
    grades: Mapping[str, int],
    base: Fusion,
    weights: npt.NDArray[np.float64],
) -> list[float]:
    """(weights,) nDCG@10 of one question."""
    kept = {name: found[name][: base.candidate_count] for name in CHANNELS}
    rows = {key: row for row, key in enumerate(dict.fromkeys(key for name in CHANNELS for key, _ in kept[name]))}
    values = {name: np.zeros(len(rows)) for name in CHANNELS}
    ranks = {name: np.full(len(rows), _FAR) for name in CHANNELS}
    for name in CHANNELS:
        places = [rows[key] for key, _ in kept[name]]
        values[name][places] = normalize_scores([score for _, score in kept[name]], base)
        ranks[name][places] = np.arange(1, len(places) + 1)
    judged = [key for key in grades if key in rows]
    totals = weights[:, None] * values["dense"] + (1 - weights)[:, None] * values["lexical"]
    # Ties go by the rank in the channel with more weight, then in the other: one number for both.
    order = np.where(
        (weights >= 0.5)[:, None],
        ranks["dense"] * _FAR * 2 + ranks["lexical"],
        ranks["lexical"] * _FAR * 2 + ranks["dense"],
    )
    stands = {}
    for key in judged:
        own, own_order = totals[:, [rows[key]]], order[:, [rows[key]]]
        stands[key] = 1 + ((totals > own) | ((totals == own) & (order < own_order))).sum(axis=1)
    return [
        compute_ndcg_of_ranks({key: int(stands[key][index]) for key in judged}, grades, k=_K)
        for index in range(len(weights))
    ]
