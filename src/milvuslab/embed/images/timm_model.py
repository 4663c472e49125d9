"""A model of timm by its name, with torch. Its preparation and weights are the ones timm names for it.

Neither torch nor timm is on the machines that test this project: what is tested here is the error without them.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from milvuslab.embed.encoder import Fingerprint, FloatMatrix
from milvuslab.embed.images.encoder import Pixels
from milvuslab.model.errors import NotFoundError, missing_extra

__all__ = ["TimmEncoder", "open_timm_model"]


class TimmEncoder:
    """See `ImageEncoder`. Pictures are computed one at a time; torch takes the threads it wants for each."""

    def __init__(self, *, model: Any, transform: Any, fingerprint: Fingerprint) -> None:
        self._model = model
        self._transform = transform
        self._fingerprint = fingerprint
        self._lock = threading.Lock()

    @property
    def fingerprint(self) -> Fingerprint:
        """Name, dimension and checksum of the weights."""
        return self._fingerprint

    @property
    def thread_count(self) -> int:
        """One: the threads are torch's."""
        return 1

    def encode_images(self, pictures: Sequence[Pixels]) -> FloatMatrix:
        """Vectors of pictures."""
        import torch  # type: ignore[import-not-found,unused-ignore]
        from PIL import Image

        vectors = np.empty((len(pictures), self._fingerprint.dim), dtype=np.float32)
        for place, pixels in enumerate(pictures):
            with self._lock, torch.inference_mode():
                vector = self._model(self._transform(Image.fromarray(pixels))[None])[0].float().numpy()
            vectors[place] = vector / max(float(np.linalg.norm(vector)), 1e-12)
        return vectors


def open_timm_model(name: str) -> TimmEncoder:
    """The model with its published weights, which timm fetches from Hugging Face.

    Raises:
        UnsupportedError: torch or timm is not installed.
        NotFoundError: timm has no such model.
    """
    try:
        import timm  # type: ignore[import-not-found,unused-ignore]
        import torch  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        raise missing_extra("timm", "torch") from None
    if not timm.is_model(name):
        raise NotFoundError(f"timm has no model {name!r}", hint="python -c 'import timm; print(timm.list_models())'")
    torch.manual_seed(0)
    model = timm.create_model(name, pretrained=True, num_classes=0).eval()
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model), is_training=False)
    digest = hashlib.sha256(str(transform).encode())
    for key, value in sorted(model.state_dict().items()):
        digest.update(key.encode() + value.numpy().tobytes())
    fingerprint = Fingerprint(
        name=f"timm:{name}", dim=int(model.num_features), is_normalized=True, sha256=digest.hexdigest()
    )
    return TimmEncoder(model=model, transform=transform, fingerprint=fingerprint)
