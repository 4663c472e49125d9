"""One ranking from two: what meaning finds and what words find. Pure: no server, no clock.

Each channel gives its candidates best first. `rrf` looks at ranks alone, `weighted` at how far apart the scores of one
list lie; both give `dense_weight` to the channel of meaning and the rest to the channel of words. A candidate that a
channel does not name gets nothing from it. With all weight on one channel its order comes out unchanged.

Scores of the two channels share no scale (a cosine, a sum of term weights), so they are brought to one within each list,
and no property of the fusion depends on a shift or a positive factor of a channel's scores.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Generic, Literal, TypeVar, get_args

from milvuslab.model.errors import UsageError

__all__ = [
    "CHANNELS",
    "DEFAULT_FUSION",
    "Channel",
    "Fused",
    "Fusion",
    "FusionKind",
    "Key",
    "Normalization",
    "fuse_ranked",
    "normalize_scores",
]

Channel = Literal["dense", "lexical"]
FusionKind = Literal["rrf", "weighted"]
Normalization = Literal["range", "deviation"]
Key = TypeVar("Key", bound=Hashable)

CHANNELS: tuple[Channel, ...] = get_args(Channel)
"""The channels by name: meaning, and words."""
_CANDIDATES_MAX = 4_096


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fusion:
    """How two rankings become one.

    Attributes:
        kind: `rrf` sums weight / (rrf_k + rank), ranks from 1 (Cormack, Clarke and Buettcher 2009); `weighted` sums
            weight x normalised score.
        dense_weight: of the channel of meaning, 0 to 1; the channel of words has the rest.
        rrf_k: how little the first ranks stand out, 0 to 1,000; only for `rrf`.
        normalization: of `weighted`: `range` is (score - lowest) / (highest - lowest) of the list, `deviation` is
            (score - lowest) / standard deviation of the list.
        candidate_count: how many documents each channel brings, 1 to 4,096; the lowest score depends on it.

    Raises:
        UsageError: one of them is not so.
    """

    kind: FusionKind = "weighted"
    dense_weight: float = 0.6
    rrf_k: int = 60
    normalization: Normalization = "range"
    candidate_count: int = 100

    def __post_init__(self) -> None:
        for name, holds, rule in (
            ("kind", self.kind in get_args(FusionKind), "rrf or weighted"),
            ("dense_weight", 0 <= self.dense_weight <= 1, "0 to 1"),
            ("rrf_k", 0 <= self.rrf_k <= 1_000, "0 to 1,000"),
            ("normalization", self.normalization in get_args(Normalization), "range or deviation"),
            ("candidate_count", 1 <= self.candidate_count <= _CANDIDATES_MAX, "1 to 4,096"),
        ):
            if not holds:
                raise UsageError(f"{name} of a fusion is {getattr(self, name)!r}", hint=f"{name} must be {rule}")

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON; `from_dict` reads it back."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Fusion:
        """The fusion that `as_dict` wrote; further keys are ignored.

        Raises:
            UsageError: a value is missing, or none that a fusion can have.
        """
        try:
            return cls(**{field.name: stored[field.name] for field in dataclasses.fields(cls)})
        except (KeyError, TypeError) as error:
            raise UsageError(f"a stored fusion is not whole: {error}", hint="milvuslab text tune") from None

    def __str__(self) -> str:
        how = f"k {self.rrf_k}" if self.kind == "rrf" else f"by {self.normalization}"
        return f"{self.kind}, {how}, dense {self.dense_weight:.2f}, {self.candidate_count} candidates"


DEFAULT_FUSION = Fusion()


@dataclasses.dataclass(frozen=True, slots=True)
class Fused(Generic[Key]):
    """One candidate of the common ranking.

    Attributes:
        id: the candidate.
        score: larger is better; only comparable within one answer.
        shares: part of the score that each channel gave, 0 to 1; together 1, or all 0 where the score is 0.
        ranks: place in each channel that named it, from 1.
    """

    id: Key
    score: float
    shares: Mapping[str, float]
    ranks: Mapping[str, int]


def fuse_ranked(channels: Mapping[str, Sequence[tuple[Key, float]]], fusion: Fusion) -> list[Fused[Key]]:
    """All candidates of the channels, best first.

    Equal scores are ordered by rank in the channel with more weight (meaning, where both have the same), then in the other.

    Args:
        channels: by name (`CHANNELS`), the candidates with their scores, larger is better, best first, none twice. Only
            the first `fusion.candidate_count` count.
        fusion: how.

    Raises:
        UsageError: a channel has another name.

    >>> found = fuse_ranked({"dense": [("a", 0.9), ("b", 0.8)], "lexical": [("b", 7.0)]}, Fusion(kind="rrf"))
    >>> [(one.id, dict(one.ranks)) for one in found]
    [('b', {'dense': 2, 'lexical': 1}), ('a', {'dense': 1})]
    """
    for name in channels:
        if name not in CHANNELS:
            raise UsageError(f"there is no channel {name!r}", hint=f"the channels are {' and '.join(CHANNELS)}")
    weights = {"dense": fusion.dense_weight, "lexical": 1 - fusion.dense_weight}
    parts: dict[Key, dict[str, float]] = {}
    ranks: dict[Key, dict[str, int]] = {}
    for name, named in channels.items():
        candidates = named[: fusion.candidate_count]
        values = normalize_scores([score for _, score in candidates], fusion)
        for rank, ((key, _), value) in enumerate(zip(candidates, values, strict=True), start=1):
            parts.setdefault(key, {})[name] = weights[name] * value
            ranks.setdefault(key, {})[name] = rank
    fused = [_fused(key, parts[key], ranks[key], names=tuple(channels)) for key in parts]
    order = sorted(CHANNELS, key=lambda name: -weights[name])
    return sorted(fused, key=lambda one: (-one.score, *(one.ranks.get(name, math.inf) for name in order)))


def _fused(key: Key, parts: Mapping[str, float], ranks: Mapping[str, int], *, names: Sequence[str]) -> Fused[Key]:
    score = math.fsum(parts.values())
    shares = {name: parts.get(name, 0.0) / score if score > 0 else 0.0 for name in names}
    return Fused(id=key, score=score, shares=shares, ranks=ranks)


def normalize_scores(scores: Sequence[float], fusion: Fusion) -> list[float]:
    """What each candidate of one list is worth, 0 or more, never rising."""
    if fusion.kind == "rrf":
        return [1 / (fusion.rrf_k + rank) for rank in range(1, len(scores) + 1)]
    if not scores:
        return []
    lowest = min(scores)
    scale = max(scores) - lowest if fusion.normalization == "range" else _deviation(scores)
    # A list of one, or of equal scores, tells nothing about distance: all of it counts as found.
    return [(score - lowest) / scale for score in scores] if scale > 0 else [1.0] * len(scores)


def _deviation(scores: Sequence[float]) -> float:
    mean = math.fsum(scores) / len(scores)
    return math.sqrt(math.fsum((score - mean) ** 2 for score in scores) / len(scores))
