"""Two encoders in one vector: `[a ; sqrt(w) b] / sqrt(1 + w)`, whose inner product is the weighted mean of both cosines.

multilingual-e5-small knows what a text says, the Universal Sentence Encoder lays a sentence and its translation near
each other. Together, each less the mean of the text's language (`centre.py`), they find English documents for
a Korean question and the other way round, and lose nothing inside one language. One vector field holds both, so every
server and every index serves it. Measured in all four directions: docs/howto/across-languages.md.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import numpy as np

from milvuslab.embed.encoder import Fingerprint, FloatMatrix, IntMatrix
from milvuslab.embed.pair.centre import Centre, Role, read_centre
from milvuslab.model.errors import ConfigError

if TYPE_CHECKING:
    from milvuslab.embed.encoder import TextEncoder

__all__ = ["PairEncoder", "PairRecipe", "open_pair"]

_DEFAULT_WEIGHT = 0.9
"""Whoever takes a pair asks across languages: from 0.6 to 0.9 Korean questions gain 0.02 of nDCG@10 on English pages, from 0.9 to 1.2
no more than chance, while English and Korean alone lose 0.005 for each step (benchmarks/results/text_quality.json)."""
_WEIGHT_MAX = 100.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PairRecipe:
    """What is joined, and how.

    Attributes:
        first: name of the encoder that cuts texts into tokens.
        second: name of the other one.
        second_weight: of the second cosine, where the first one's is 1.
        is_centred: whether the mean of its language is taken from each vector, where it is known.
    """

    first: str
    second: str
    second_weight: float = _DEFAULT_WEIGHT
    is_centred: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.second_weight <= _WEIGHT_MAX:
            raise ConfigError(
                f"the weight of {self.second} is {self.second_weight}", hint=f"say 0 < weight <= {_WEIGHT_MAX:g}"
            )

    @property
    def name(self) -> str:
        """As `open_encoder` takes it; what is as usual is left out."""
        options = []
        if self.second_weight != _DEFAULT_WEIGHT:
            options.append(f"weight={self.second_weight:g}")
        if not self.is_centred:
            options.append("centred=no")
        return f"pair:{self.first}+{self.second}" + (f"?{'&'.join(options)}" if options else "")


class PairEncoder:
    """See `TextEncoder`.

    Args:
        first: decides about tokens and limits.
        second: gets as much of a text as the first one reads.
        recipe: how they are joined.
        centres: means of both; None leaves the vectors of that one as they are.
    """

    def __init__(
        self,
        first: TextEncoder,
        second: TextEncoder,
        *,
        recipe: PairRecipe,
        centres: tuple[Centre | None, Centre | None],
    ) -> None:
        self._encoders = (first, second)
        self._centres = centres
        shares = np.array([1.0, recipe.second_weight]) / (1.0 + recipe.second_weight)
        self._scales = np.sqrt(shares).astype(np.float32)
        described = [recipe.name, repr(recipe)]
        described += [each.fingerprint.sha256 for each in self._encoders]
        described += [centre.sha256 if centre else "-" for centre in centres]
        self._fingerprint = Fingerprint(
            name=recipe.name,
            dim=first.fingerprint.dim + second.fingerprint.dim,
            is_normalized=True,
            sha256=hashlib.sha256("\n".join(described).encode()).hexdigest(),
        )

    @property
    def fingerprint(self) -> Fingerprint:
        """Both encoders, their weight and their means."""
        return self._fingerprint

    @property
    def limit_tokens(self) -> int:
        """Most tokens of a text, as the first encoder counts them."""
        return self._encoders[0].limit_tokens

    @property
    def overhead_tokens(self) -> int:
        """Tokens the first encoder adds to a passage."""
        return self._encoders[0].overhead_tokens

    def encode_passages(self, texts: Sequence[str]) -> FloatMatrix:
        """Vectors of texts that are to be found."""
        first, second = self._encoders
        return self._join(texts, first.encode_passages(texts), second.encode_passages(self._cut(texts)), role="passage")

    def encode_queries(self, texts: Sequence[str]) -> FloatMatrix:
        """Vectors of questions."""
        first, second = self._encoders
        return self._join(texts, first.encode_queries(texts), second.encode_queries(self._cut(texts)), role="query")

    def token_offsets(self, text: str) -> IntMatrix:
        """Where each token of the first encoder lies in the text as given."""
        return self._encoders[0].token_offsets(text)

    def _join(self, texts: Sequence[str], *parts: FloatMatrix, role: Role) -> FloatMatrix:
        centred = [
            centre.remove(part, texts, role=role) if centre else part
            for part, centre in zip(parts, self._centres, strict=True)
        ]
        return np.hstack([part * scale for part, scale in zip(centred, self._scales, strict=True)])

    def _cut(self, texts: Sequence[str]) -> list[str]:
        """What the first encoder reads of each text: both must see the same, however they count."""
        room = self.limit_tokens - self.overhead_tokens
        return [text if len(text) <= room else self._cut_one(text, room) for text in texts]

    def _cut_one(self, text: str, room: int) -> str:
        offsets = self.token_offsets(text)
        return text if len(offsets) <= room else text[: int(offsets[room - 1][1])]


def open_pair(described: str, *, open_encoder: Callable[[str], TextEncoder]) -> PairEncoder:
    """The pair of `FIRST+SECOND?weight=0.4&centred=no`.

    Args:
        described: names of two encoders, and options as in a URL.
        open_encoder: gives the encoder of a name.

    Raises:
        ConfigError: it does not name two encoders, or has an option that is not known.
    """
    recipe = _read_recipe(described)
    names = (recipe.first, recipe.second)
    first, second = (open_encoder(name) for name in names)
    centres = tuple(read_centre(name) if recipe.is_centred else None for name in names)
    return PairEncoder(first, second, recipe=recipe, centres=(centres[0], centres[1]))


def _read_recipe(described: str) -> PairRecipe:
    names, _, query = described.partition("?")
    first, _, second = names.partition("+")
    options = dict(parse_qsl(query, keep_blank_values=True))
    weight, centred = options.pop("weight", None), options.pop("centred", "yes")
    if not first or not second or "+" in second or options or centred not in ("yes", "no"):
        raise ConfigError(
            f"pair:{described} names no pair of encoders",
            hint="write pair:e5-small+use, or pair:e5-small+use?weight=0.4&centred=no",
        )
    try:
        second_weight = _DEFAULT_WEIGHT if weight is None else float(weight)
    except ValueError:
        raise ConfigError(f"the weight of {second} is {weight!r}", hint="write a number: weight=0.4") from None
    return PairRecipe(first=first, second=second, second_weight=second_weight, is_centred=centred == "yes")
