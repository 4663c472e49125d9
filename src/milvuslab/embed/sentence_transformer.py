"""A sentence-transformers model as a text encoder; needs the extra `torch`.

The model is found by that package itself: a name on the Hugging Face hub or a folder.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from milvuslab.embed.encoder import Fingerprint, FloatMatrix, IntMatrix
from milvuslab.embed.text_tokenizer import TextTokenizer
from milvuslab.model.errors import NotFoundError, UnsupportedError, missing_extra

__all__ = ["SentenceTransformerEncoder", "open_sentence_transformer"]


def open_sentence_transformer(name: str, *, batch_rows: int) -> SentenceTransformerEncoder:
    """The encoder of that name on the hub, or in that folder.

    Raises:
        UnsupportedError: sentence-transformers is not installed, or the model has no fast tokenizer.
        NotFoundError: the package cannot load the model; the message carries its reason.
    """
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError:
        raise missing_extra("sentence-transformers", "torch") from None
    try:
        model = SentenceTransformer(name)
    except (OSError, ValueError) as error:
        raise NotFoundError(
            f"sentence-transformers cannot load {name!r}: {error}", hint="write st:ORGANISATION/MODEL or st:FOLDER"
        ) from error
    return SentenceTransformerEncoder(name, model, batch_rows=batch_rows)


class SentenceTransformerEncoder:
    """See `TextEncoder`. Calls are made one after the other: the package does not promise more."""

    def __init__(self, name: str, model: Any, *, batch_rows: int) -> None:
        backend = getattr(model.tokenizer, "backend_tokenizer", None)
        if backend is None:
            raise UnsupportedError(f"encoder st:{name}", needs="a fast tokenizer", has="a model with a slow one")
        self._model = model
        self._lock = threading.Lock()
        self._batch_rows = batch_rows
        self._limit = int(model.max_seq_length or 512)
        copied = type(backend).from_str(backend.to_str())
        copied.no_truncation()
        copied.no_padding()
        self._tokenizer = TextTokenizer(copied, limit_tokens=self._limit, replacements={})
        self._fingerprint = Fingerprint(
            name=f"st:{name}",
            dim=int(model.get_sentence_embedding_dimension()),
            is_normalized=True,
            sha256=_hash_weights(model),
        )

    @property
    def fingerprint(self) -> Fingerprint:
        """Name, dimension and a checksum of all weights."""
        return self._fingerprint

    @property
    def limit_tokens(self) -> int:
        """Most tokens of a text."""
        return self._limit

    @property
    def overhead_tokens(self) -> int:
        """Tokens that are added to each passage."""
        prompt = (self._model.prompts or {}).get("passage", "")
        return len(self._tokenizer.encode(["a"], prefix=prompt)[0]) - 1

    def encode_passages(self, texts: Sequence[str]) -> FloatMatrix:
        """Vectors of texts that are to be found."""
        return self._encode(texts, "passage")

    def encode_queries(self, texts: Sequence[str]) -> FloatMatrix:
        """Vectors of questions."""
        return self._encode(texts, "query")

    def token_offsets(self, text: str) -> IntMatrix:
        """Where each token lies in the text as given."""
        return self._tokenizer.offsets(text)

    def _encode(self, texts: Sequence[str], prompt: str) -> FloatMatrix:
        if not texts:
            return np.zeros((0, self._fingerprint.dim), dtype=np.float32)
        prompt_name = prompt if prompt in (self._model.prompts or {}) else None
        with self._lock:
            vectors = self._model.encode(
                list(texts),
                prompt_name=prompt_name,
                batch_size=self._batch_rows,
                normalize_embeddings=True,
                convert_to_numpy=True,
                show_progress_bar=False,
            )
        return np.asarray(vectors, dtype=np.float32)


def _hash_weights(model: Any) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(tensor.cpu().float().numpy()).tobytes())
    return digest.hexdigest()
