"""Where the vectors of a language lie on average, and how they are brought to the middle.

The vectors of a multilingual encoder share a large part that says which language a text has, and not what it is about;
taking the mean of its language from each vector lets the meaning decide. The means in `means.json` are those
of eighty-four everyday sentences and questions, each written in Korean and in English by us: general text, none of it from
a collection that is measured. `tools/compute_centres.py` makes the file.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from milvuslab.embed.encoder import FloatMatrix

__all__ = ["LANGUAGES", "Centre", "Role", "language_of", "read_centre", "render_means"]

Role = Literal["passage", "query"]
LANGUAGES = ("en", "ko")
_FloatVector = npt.NDArray[np.float32]
_MEANS_PATH = Path(__file__).with_name("means.json")
_HANGUL = re.compile("[\uac00-\ud7a3\u1100-\u11ff\u3130-\u318f]")
_LETTER = re.compile(r"[^\W\d_]")
_SAMPLE_CHARS = 2_000
_HANGUL_RATIO_MINIMUM = 0.2


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Centre:
    """The means of one encoder.

    Attributes:
        means: by language and role, (dim,) float32.
        sha256: of all of them; part of the fingerprint of whatever uses them.
    """

    means: Mapping[tuple[str, Role], _FloatVector]
    sha256: str

    def remove(self, vectors: FloatMatrix, texts: Sequence[str], *, role: Role) -> FloatMatrix:
        """The vectors less the mean of each text's language, of length 1 again."""
        if not texts:
            return vectors
        centred = vectors - np.stack([self.means[language_of(text), role] for text in texts])
        lengths = np.linalg.norm(centred, axis=1, keepdims=True)
        return np.asarray(centred / np.maximum(lengths, np.float32(1e-12)), dtype=np.float32)


def language_of(text: str) -> str:
    """`ko` when a fifth of the letters are Hangul, else `en`, whose mean stands for all other languages.

    >>> language_of("Milvus는 벡터를 찾는다"), language_of("Milvus finds vectors"), language_of("")
    ('ko', 'en', 'en')
    """
    sample = text[:_SAMPLE_CHARS]
    letter_count = len(_LETTER.findall(sample))
    is_korean = letter_count > 0 and len(_HANGUL.findall(sample)) >= _HANGUL_RATIO_MINIMUM * letter_count
    return "ko" if is_korean else "en"


def read_centre(encoder: str) -> Centre | None:
    """The means of the encoder of that name; None where none were measured: it is used as it is then."""
    stored = _read_means().get(encoder)
    if stored is None:
        return None
    means: dict[tuple[str, Role], _FloatVector] = {}
    digest = hashlib.sha256()
    for language in LANGUAGES:
        for role in ("passage", "query"):
            raw = base64.b64decode(stored[language][role])
            digest.update(raw)
            means[language, role] = np.frombuffer(raw, dtype="<f2").astype(np.float32)
    return Centre(means=means, sha256=digest.hexdigest())


def render_means(means: Mapping[str, Mapping[tuple[str, Role], _FloatVector]]) -> str:
    """Content of `means.json`: by encoder, language and role, base64 of little-endian float16."""
    described: dict[str, Any] = {}
    for encoder, by_key in means.items():
        described[encoder] = {language: {} for language in LANGUAGES}
        for (language, role), mean in by_key.items():
            described[encoder][language][role] = base64.b64encode(mean.astype("<f2").tobytes()).decode()
    return json.dumps(described, indent=1) + "\n"


@functools.cache
def _read_means() -> dict[str, Any]:
    stored: dict[str, Any] = json.loads(_MEANS_PATH.read_bytes())
    return stored
