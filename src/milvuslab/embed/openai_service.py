"""An OpenAI-compatible embedding service as a text encoder.

`POST {openai_base_url}/embeddings` in batches; answers are checked (count, dimension, finite numbers), put in order
by their index and normalised here. A failure that may pass (429, 5xx, no connection) is tried again until
`openai_timeout_s` has gone by for the batch; the key appears in no message, also where the service repeats it.

The service's tokens are not known, so `token_offsets` counts high: a token for each 3 letters of the Latin alphabet
and for every other character.
"""

from __future__ import annotations

import hashlib
import random
import re
import time
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np

from milvuslab.embed.encoder import Fingerprint, FloatMatrix, IntMatrix
from milvuslab.embed.waiting import pause
from milvuslab.model.errors import (
    ConfigError,
    MilvusLabError,
    NotFoundError,
    RateLimitedError,
    RejectedError,
    TimedOutError,
    UnreachableError,
)
from milvuslab.model.settings import Secret, Settings

if TYPE_CHECKING:
    import httpx

__all__ = ["OpenAIEncoder", "open_openai_service"]

_LIMIT_TOKENS = 8_191
"""Most tokens of a text of OpenAI's own embedding models (their documentation); others may take less."""

_TRY_AGAIN = frozenset({429, 500, 502, 503, 504})
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 8.0
_TOKEN = re.compile(r"[A-Za-z]{1,3}|[0-9]{1,3}|[^\sA-Za-z0-9]")


def open_openai_service(*, settings: Settings, sleep: Callable[[float], None] = pause) -> OpenAIEncoder:
    """The encoder of the settings `openai_*`; asks the service for one vector to learn the dimension.

    Args:
        sleep: how to wait before another attempt.

    Raises:
        ConfigError: address or model is not set, the address is wrong, or the key is refused.
        NotFoundError: the service knows no such model or address.
        UnreachableError, TimedOutError, RateLimitedError, RejectedError: as the service behaves.
    """
    import httpx

    address = str(settings.openai_base_url).rstrip("/")
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise ConfigError(
            "openai_base_url is not set" if not address else "openai_base_url is no plain http or https address",
            hint="set MILVUSLAB_OPENAI_BASE_URL=https://HOST/v1; the key goes into MILVUSLAB_OPENAI_API_KEY",
        )
    passage_model, _, query_model = (part.strip() for part in str(settings.openai_model).partition(","))
    if not passage_model:
        raise ConfigError("openai_model is not set", hint="set MILVUSLAB_OPENAI_MODEL, such as text-embedding-3-small")
    return OpenAIEncoder(
        client=httpx.Client(timeout=settings.openai_timeout_s, follow_redirects=False),
        address=address,
        key=settings.openai_api_key,
        passage_model=passage_model,
        query_model=query_model or passage_model,
        timeout_s=settings.openai_timeout_s,
        batch_rows=settings.embed_batch_rows,
        sleep=sleep,
    )


class OpenAIEncoder:
    """See `TextEncoder`.

    Args:
        client: used by all threads; closed when nobody holds the encoder any more.
        address: without the closing `/embeddings`.
        passage_model: name sent for passages.
        query_model: and for questions, where the service has two names for one model.
        timeout_s: of one batch with all its attempts.
    """

    def __init__(
        self,
        *,
        client: httpx.Client,
        address: str,
        key: Secret,
        passage_model: str,
        query_model: str,
        timeout_s: float,
        batch_rows: int,
        sleep: Callable[[float], None],
    ) -> None:
        self._client = client
        weakref.finalize(self, client.close)
        self._address = address
        self._key = key
        self._passage_model = passage_model
        self._query_model = query_model
        self._timeout_s = timeout_s
        self._batch_rows = batch_rows
        self._sleep = sleep
        dim = self._request(["dimension"], passage_model, dim=None).shape[1]
        # The weights of a service cannot be seen: names and dimension are all that tells one from another.
        known = f"{passage_model}\n{query_model}\n{dim}"
        self._fingerprint = Fingerprint(
            name=f"openai:{passage_model}",
            dim=dim,
            is_normalized=True,
            sha256=hashlib.sha256(known.encode()).hexdigest(),
        )

    @property
    def fingerprint(self) -> Fingerprint:
        """Model name and dimension; the address may change."""
        return self._fingerprint

    @property
    def limit_tokens(self) -> int:
        """Most tokens of a text, by OpenAI's own models."""
        return _LIMIT_TOKENS

    @property
    def overhead_tokens(self) -> int:
        """None that would count."""
        return 0

    def encode_passages(self, texts: Sequence[str]) -> FloatMatrix:
        """Vectors of texts that are to be found."""
        return self._encode(texts, self._passage_model)

    def encode_queries(self, texts: Sequence[str]) -> FloatMatrix:
        """Vectors of questions."""
        return self._encode(texts, self._query_model)

    def token_offsets(self, text: str) -> IntMatrix:
        """An estimate on the high side of where tokens lie."""
        spans = [match.span() for match in _TOKEN.finditer(text)]
        return np.array(spans, dtype=np.int32).reshape(len(spans), 2)

    def _encode(self, texts: Sequence[str], model: str) -> FloatMatrix:
        dim = self._fingerprint.dim
        vectors = np.empty((len(texts), dim), dtype=np.float32)
        for first in range(0, len(texts), self._batch_rows):
            batch = texts[first : first + self._batch_rows]
            vectors[first : first + len(batch)] = self._request(batch, model, dim=dim)
        return vectors

    def _request(self, texts: Sequence[str], model: str, *, dim: int | None) -> FloatMatrix:
        # Services refuse an empty string and lone surrogates.
        inputs = [text.encode("utf-8", "replace").decode() or " " for text in texts]
        body = {"model": model, "input": inputs, "encoding_format": "float"}
        return self._parse(self._post(body), row_count=len(inputs), dim=dim)

    def _post(self, body: dict[str, Any]) -> Any:
        deadline = time.monotonic() + self._timeout_s
        for attempt in range(1 << 30):
            answer, failure, asked_s = self._post_once(body, timeout_s=max(0.05, deadline - time.monotonic()))
            if failure is None:
                return answer
            jitter = random.uniform(0.5, 1.0)  # noqa: S311 - it spreads clients, it guards nothing
            wait_s = max(asked_s, min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2**attempt) * jitter)
            if not failure.retryable or time.monotonic() + wait_s >= deadline:
                raise failure
            self._sleep(wait_s)
        raise AssertionError("a deadline ends the attempts")

    def _post_once(self, body: dict[str, Any], *, timeout_s: float) -> tuple[Any, MilvusLabError | None, float]:
        """The answer, or what went wrong and how long the service asks to wait."""
        import httpx

        headers = {"Authorization": f"Bearer {self._key.reveal()}"} if self._key else {}
        try:
            answer = self._client.post(
                f"{self._address}/embeddings", json=body, headers=headers, timeout=httpx.Timeout(timeout_s)
            )
        except httpx.TimeoutException:
            return None, self._failure(TimedOutError, f"did not answer within {self._timeout_s:g} s"), 0.0
        except httpx.TransportError as error:
            return None, self._failure(UnreachableError, f"cannot be reached: {error}"), 0.0
        if answer.status_code == 200:
            return answer, None, 0.0
        return None, self._explain(answer), _seconds(answer.headers.get("retry-after", ""))

    def _explain(self, answer: httpx.Response) -> MilvusLabError:
        status = answer.status_code
        said = f"answered {status}: {_message_of(answer)}"
        if status in (401, 403):
            return self._failure(ConfigError, said, hint="check MILVUSLAB_OPENAI_API_KEY")
        if status == 404:
            return self._failure(
                NotFoundError, said, hint="check MILVUSLAB_OPENAI_BASE_URL (it ends in /v1) and MILVUSLAB_OPENAI_MODEL"
            )
        if status == 429:
            return self._failure(RateLimitedError, said, hint="wait, or ask for a higher limit")
        if status in _TRY_AGAIN:
            return self._failure(UnreachableError, said, hint="try again later")
        return self._failure(RejectedError, said, hint="check MILVUSLAB_OPENAI_MODEL")

    def _parse(self, answer: httpx.Response, *, row_count: int, dim: int | None) -> FloatMatrix:
        try:
            items = sorted(answer.json()["data"], key=lambda item: int(item["index"]))
            vectors = np.array([item["embedding"] for item in items], dtype=np.float32)
        except (ValueError, KeyError, TypeError) as error:
            raise self._failure(RejectedError, f"answered with something else than embeddings ({error!r})") from error
        if vectors.ndim != 2 or len(vectors) != row_count or not vectors.shape[1]:
            raise self._failure(RejectedError, f"answered with the shape {vectors.shape} for {row_count} texts")
        if dim is not None and vectors.shape[1] != dim:
            raise self._failure(RejectedError, f"answered with {vectors.shape[1]} dimensions, before it was {dim}")
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.isfinite(vectors).all() or not lengths.all():
            raise self._failure(RejectedError, "answered with a vector that has no direction")
        return np.asarray(vectors / lengths, dtype=np.float32)

    def _failure(self, kind: type[MilvusLabError], said: str, *, hint: str = "") -> MilvusLabError:
        message = f"the embedding service at {self._address} {said}"
        key = self._key.reveal()
        return kind(message.replace(key, "***") if key else message, hint=hint)


def _message_of(answer: httpx.Response) -> str:
    try:
        body = answer.json()
        text = body["error"]["message"] if isinstance(body.get("error"), dict) else body.get("detail", answer.text)
    except (ValueError, KeyError, AttributeError):
        text = answer.text
    return " ".join(str(text).split())[:300] or "no message"


def _seconds(header: str) -> float:
    return float(header) if header.strip().isdigit() else 0.0
