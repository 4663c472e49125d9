"""A text encoder that runs an ONNX model with ONNX Runtime on the CPU.

Each text is computed alone, on one thread, and as many texts at the same time as there are threads. So a vector
depends on its text only, bit for bit, whatever it was encoded with: in a padded batch the activations of an 8-bit
model share one scale. From 64 tokens on it also costs less processor time than a batch of 16 does; very short texts
would be cheaper in batches (`docs/decisions/0021-one-text-at-a-time.md`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from milvuslab.embed.encoder import Fingerprint, FloatMatrix, IntMatrix
from milvuslab.embed.text_tokenizer import TextTokenizer
from milvuslab.model.errors import CheckFailedError, missing_extra

__all__ = ["FloatVector", "OnnxEncoder", "Pooling", "Recipe", "open_session"]

FloatVector = npt.NDArray[np.float32]
Pooling = Literal["mean", "cls", "none"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a model is used; part of the fingerprint.

    Attributes:
        pooling: mean over the tokens, the first token, or none where the model's output is one vector per text.
        query_prefix: written before each question.
        passage_prefix: written before each passage.
        limit_tokens: most tokens, specials included.
    """

    pooling: Pooling
    limit_tokens: int
    query_prefix: str = ""
    passage_prefix: str = ""

    def describe(self) -> str:
        """One line that changes when vectors change."""
        return f"{self.pooling} {self.limit_tokens} {self.query_prefix!r} {self.passage_prefix!r}"


def open_session(path: Path) -> Any:
    """An `onnxruntime.InferenceSession` on the CPU that computes in the thread of its caller.

    Raises:
        UnsupportedError: the package `onnxruntime` is not installed.
        CheckFailedError: the file cannot be read as a model.
    """
    try:
        import onnxruntime
    except ImportError:
        raise missing_extra("onnxruntime", "text") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise CheckFailedError(f"{path} cannot be run as a model: {error}", findings=[path.name]) from error


class OnnxEncoder:
    """See `TextEncoder`.

    Args:
        session: with inputs `input_ids`, `attention_mask` and, where the model has it, `token_type_ids`.
        thread_count: texts of one call that are computed at the same time.
    """

    def __init__(
        self, *, session: Any, tokenizer: TextTokenizer, recipe: Recipe, fingerprint: Fingerprint, thread_count: int
    ) -> None:
        self._session = session
        self._tokenizer = tokenizer
        self._recipe = recipe
        self._fingerprint = fingerprint
        self._workers = ThreadPoolExecutor(thread_count, thread_name_prefix="encode")
        self._has_types = any(each.name == "token_type_ids" for each in session.get_inputs())
        self._output = session.get_outputs()[0].name
        self._overhead = len(tokenizer.encode(["a"], prefix=recipe.passage_prefix)[0]) - 1

    @property
    def fingerprint(self) -> Fingerprint:
        """Name, dimension and checksum."""
        return self._fingerprint

    @property
    def limit_tokens(self) -> int:
        """Most tokens of a text, specials and prefix included."""
        return self._recipe.limit_tokens

    @property
    def overhead_tokens(self) -> int:
        """Tokens that are added to each passage."""
        return self._overhead

    def encode_passages(self, texts: Sequence[str]) -> FloatMatrix:
        """Vectors of texts that are to be found."""
        return self._encode(texts, self._recipe.passage_prefix)

    def encode_queries(self, texts: Sequence[str]) -> FloatMatrix:
        """Vectors of questions."""
        return self._encode(texts, self._recipe.query_prefix)

    def token_offsets(self, text: str) -> IntMatrix:
        """Where each token lies in the text as given."""
        return self._tokenizer.offsets(text)

    def _encode(self, texts: Sequence[str], prefix: str) -> FloatMatrix:
        vectors = np.empty((len(texts), self._fingerprint.dim), dtype=np.float32)
        rows = self._tokenizer.encode(texts, prefix=prefix)
        if len(rows) == 1:
            # A question does not wait behind the passages that other threads have given to the workers.
            vectors[0] = self._run(rows[0])
            return vectors
        # The longest first, so that no thread is left with a long text at the end.
        order = sorted(range(len(rows)), key=lambda row: -len(rows[row]))
        for row, vector in zip(order, self._workers.map(self._run, [rows[row] for row in order]), strict=True):
            vectors[row] = vector
        return vectors

    def _run(self, token_ids: list[int]) -> FloatVector:
        # A tokenizer without special tokens gives an empty text no token at all; the model needs one.
        ids = np.array([token_ids or [0]], dtype=np.int64)
        feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        if self._has_types:
            feeds["token_type_ids"] = np.zeros_like(ids)
        output = np.asarray(self._session.run([self._output], feeds)[0], dtype=np.float32)[0]
        vector = _POOL[self._recipe.pooling](output)
        return np.asarray(vector / np.maximum(np.linalg.norm(vector), np.float32(1e-12)), dtype=np.float32)


_POOL: dict[Pooling, Callable[[FloatMatrix], FloatVector]] = {
    "mean": lambda tokens: np.asarray(tokens.mean(axis=0)),
    "cls": lambda tokens: tokens[0],
    "none": np.asarray,
}
