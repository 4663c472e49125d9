"""An image encoder that runs an ONNX model on the CPU: each picture alone, on one thread, as many at a time as threads.

As with texts (docs/decisions/0021-one-text-at-a-time.md) a vector depends on its picture only, bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from milvuslab.embed.encoder import Fingerprint, FloatMatrix
from milvuslab.embed.images.encoder import Pixels
from milvuslab.embed.images.preparation import Preparation, prepare_picture

__all__ = ["FloatVector", "OnnxImageClassifier", "OnnxImageEncoder", "Pooling", "pool_output", "unit_length"]

Pooling = Literal["cls", "mean", "none"]
FloatVector = npt.NDArray[np.float32]


class OnnxImageEncoder:
    """See `ImageEncoder`.

    Args:
        session: with one input for pictures.
        output: name of the output that holds the features.
        pooling: how an output of more than two axes becomes one vector.
    """

    def __init__(
        self,
        *,
        session: Any,
        preparation: Preparation,
        output: str,
        pooling: Pooling,
        fingerprint: Fingerprint,
        thread_count: int,
        input_name: str = "",
    ) -> None:
        self._session = session
        self._preparation = preparation
        self._output = output
        self._pooling: Pooling = pooling
        self._fingerprint = fingerprint
        self._input = input_name or session.get_inputs()[0].name
        self._thread_count = thread_count
        self._workers = ThreadPoolExecutor(thread_count, thread_name_prefix="encode-image")

    @property
    def fingerprint(self) -> Fingerprint:
        """Name, dimension and checksum."""
        return self._fingerprint

    @property
    def thread_count(self) -> int:
        """Pictures that are computed at the same time."""
        return self._thread_count

    def encode_images(self, pictures: Sequence[Pixels]) -> FloatMatrix:
        """Vectors of pictures."""
        rows = self._run_all(pictures, self._output)
        vectors = [unit_length(pool_output(row, self._pooling)) for row in rows]
        return np.stack(vectors) if vectors else np.empty((0, self._fingerprint.dim), dtype=np.float32)

    def _run_all(self, pictures: Sequence[Pixels], output: str) -> list[npt.NDArray[np.float32]]:
        if len(pictures) == 1:
            # A question does not wait behind the pictures that other threads have given to the workers.
            return [self._run(pictures[0], output)]
        return list(self._workers.map(lambda pixels: self._run(pixels, output), pictures))

    def _run(self, pixels: Pixels, output: str) -> npt.NDArray[np.float32]:
        assert pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.dtype == np.uint8, (pixels.shape, pixels.dtype)
        feeds = {self._input: prepare_picture(pixels, self._preparation)}
        found: npt.NDArray[np.float32] = np.asarray(self._session.run([output], feeds)[0], dtype=np.float32)[0]
        return found


class OnnxImageClassifier(OnnxImageEncoder):
    """An encoder whose model also has the layer of classes; `logits` names that output."""

    def __init__(self, *, logits: str, class_count: int, **kept: Any) -> None:
        super().__init__(**kept)
        self._logits = logits
        self._class_count = class_count

    @property
    def class_count(self) -> int:
        """Width of what `classify` returns."""
        return self._class_count

    def classify(self, pictures: Sequence[Pixels]) -> FloatMatrix:
        """Probability of each class: (n, class_count) float32."""
        rows = self._run_all(pictures, self._logits)
        if not rows:
            return np.empty((0, self._class_count), dtype=np.float32)
        powers = np.exp(np.stack(rows) - np.max(rows, axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)


def pool_output(output: npt.NDArray[np.float32], pooling: Pooling) -> FloatVector:
    """One vector from a model's output for one picture.

    `mean` goes over the tokens of (tokens, dim) and over the places of (dim, h, w); `cls` takes the first token.
    """
    if output.ndim == 1:
        return output
    pooled = output.mean(axis=(1, 2)) if output.ndim == 3 else output[0] if pooling == "cls" else output.mean(axis=0)
    return np.asarray(pooled, dtype=np.float32)


def unit_length(vector: FloatVector) -> FloatVector:
    """The vector with length 1."""
    return np.asarray(vector / np.maximum(np.linalg.norm(vector), np.float32(1e-12)), dtype=np.float32)
