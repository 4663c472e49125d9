"""A text encoder that runs an ONNX model with ONNX Runtime on the CPU.

Texts are sorted by their number of tokens and encoded in batches of about equal length, so that little padding is
computed; the order of the answer is that of the question.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from milvuslab.embed.encoder import Fingerprint, FloatMatrix, IntMatrix
from milvuslab.embed.text_tokenizer import TextTokenizer
from milvuslab.model.errors import CheckFailedError, missing_extra

__all__ = ["OnnxEncoder", "Pooling", "Recipe", "open_session"]

Pooling = Literal["mean", "cls", "none"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a model is used; part of the fingerprint.

    Attributes:
        pooling: mean over the tokens, the first token, or none where the model's output is one vector per text.
        query_prefix: written before each question.
        passage_prefix: written before each passage.
        limit_tokens: most tokens, specials included.
        pad_id: token that fills short rows of a batch; the mask hides it.
    """

    pooling: Pooling
    limit_tokens: int
    query_prefix: str = ""
    passage_prefix: str = ""
    pad_id: int = 0

    def describe(self) -> str:
        """One line that changes when vectors change."""
        return f"{self.pooling} {self.limit_tokens} {self.query_prefix!r} {self.passage_prefix!r}"


def open_session(path: Path, *, thread_count: int) -> Any:
    """An `onnxruntime.InferenceSession` on the CPU.

    Raises:
        UnsupportedError: the package `onnxruntime` is not installed.
        CheckFailedError: the file cannot be read as a model.
    """
    try:
        import onnxruntime
    except ImportError:
        raise missing_extra("onnxruntime", "text") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = thread_count
    options.log_severity_level = 3
    # Threads that wait in a busy loop take the cores away from the Milvus server beside us.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise CheckFailedError(f"{path} cannot be run as a model: {error}", findings=[path.name]) from error


class OnnxEncoder:
    """See `TextEncoder`.

    Args:
        session: with inputs `input_ids`, `attention_mask` and, where the model has it, `token_type_ids`.
        batch_rows: most texts computed at once.
    """

    def __init__(
        self, *, session: Any, tokenizer: TextTokenizer, recipe: Recipe, fingerprint: Fingerprint, batch_rows: int
    ) -> None:
        self._session = session
        self._tokenizer = tokenizer
        self._recipe = recipe
        self._fingerprint = fingerprint
        self._batch_rows = batch_rows
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
        if not texts:
            return vectors
        rows = self._tokenizer.encode(texts, prefix=prefix)
        order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
        for first in range(0, len(order), self._batch_rows):
            chosen = order[first : first + self._batch_rows]
            vectors[chosen] = self._run([rows[row] for row in chosen])
        return vectors

    def _run(self, rows: list[list[int]]) -> FloatMatrix:
        # A model without special tokens gives an empty text no token at all; it gets one of padding, unmasked.
        width = max(1, *(len(row) for row in rows))
        ids = np.full((len(rows), width), self._recipe.pad_id, dtype=np.int64)
        mask = np.zeros_like(ids)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = row
            mask[place, : max(1, len(row))] = 1
        feeds = {"input_ids": ids, "attention_mask": mask}
        if self._has_types:
            feeds["token_type_ids"] = np.zeros_like(ids)
        output = self._session.run([self._output], feeds)[0]
        return _normalize(_pool(np.asarray(output, dtype=np.float32), mask, self._recipe.pooling))


def _pool(output: FloatMatrix, mask: npt.NDArray[np.int64], pooling: Pooling) -> FloatMatrix:
    if pooling == "none":
        return output
    if pooling == "cls":
        return output[:, 0]
    weights = mask[..., None].astype(np.float32)
    return np.asarray((output * weights).sum(axis=1) / weights.sum(axis=1), dtype=np.float32)


def _normalize(vectors: FloatMatrix) -> FloatMatrix:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, np.float32(1e-12)), dtype=np.float32)
