"""What a text encoder is: the protocol, the fingerprint stored with its vectors, and the check between the two.

Every implementation keeps these promises:

- vectors are (n, dim) float32 of length 1, in the order of the texts; no texts give (0, dim);
- any string is taken: the empty one has a vector too, and what is longer than `limit_tokens` is cut at its end;
- the vector of a text does not depend on the other texts of the call: bit for bit with the encoders that run here,
  to the rounding of float32 with a service or torch;
- all methods may be called from several threads at once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from milvuslab.model.errors import ConfigError, ConflictError

__all__ = ["Fingerprint", "FloatMatrix", "IntMatrix", "TextEncoder", "check_fingerprint"]

FloatMatrix = npt.NDArray[np.float32]
IntMatrix = npt.NDArray[np.int32]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """Which encoder made a vector. Vectors can be compared only when all four are equal.

    Attributes:
        name: of the encoder, as `open_encoder` takes it.
        dim: numbers of a vector.
        is_normalized: whether vectors have length 1.
        sha256: of the weights, the vocabulary and the recipe; for a service, of what is known about it.
    """

    name: str
    dim: int
    is_normalized: bool
    sha256: str

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON; `from_dict` reads it back."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Fingerprint:
        """The fingerprint that `as_dict` wrote; further keys are ignored.

        Raises:
            ConfigError: a key is missing or has another type.
        """
        kinds = {"name": str, "dim": int, "is_normalized": bool, "sha256": str}
        for key, kind in kinds.items():
            if type(stored.get(key)) is not kind:
                raise ConfigError(
                    f"a stored fingerprint has {key} = {stored.get(key)!r}",
                    hint="the collection was not made by milvuslab, or its description was changed",
                )
        return cls(**{key: stored[key] for key in kinds})

    def __str__(self) -> str:
        return f"{self.name} ({self.dim} dimensions, sha256 {self.sha256[:12]})"


class TextEncoder(Protocol):
    """Turns texts into vectors."""

    @property
    def fingerprint(self) -> Fingerprint:
        """Stored with the vectors; checked before others are added or searched."""
        ...

    @property
    def limit_tokens(self) -> int:
        """Most tokens of a text, those that the encoder adds included."""
        ...

    @property
    def overhead_tokens(self) -> int:
        """How many tokens the encoder adds to a passage: marks of begin and end, a prefix."""
        ...

    def encode_passages(self, texts: Sequence[str]) -> FloatMatrix:
        """Vectors of texts that are to be found."""
        ...

    def encode_queries(self, texts: Sequence[str]) -> FloatMatrix:
        """Vectors of questions; some encoders treat them differently from passages."""
        ...

    def token_offsets(self, text: str) -> IntMatrix:
        """Where each token lies in the text as given: (tokens, 2) int32, first character and the one behind the last.

        Uncut, without what the encoder adds. Both columns never fall; a token that stands for nothing visible has
        an empty span. Several tokens can share one span, where one character becomes several.
        """
        ...


def check_fingerprint(stored: Fingerprint, mine: Fingerprint) -> None:
    """Returns when vectors of both can be compared.

    Raises:
        ConflictError: they come from different encoders.
    """
    if stored != mine:
        raise ConflictError(
            f"the vectors were made by {stored}, the encoder in use is {mine}",
            hint=f"use the encoder {stored.name}, or ingest into a new collection",
            context={"stored": stored.as_dict(), "mine": mine.as_dict()},
        )
