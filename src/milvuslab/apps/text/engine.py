"""Where passages of a load are embedded: in this process, or in the workers of a Ray cluster. The rows are the same."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal, get_args

from milvuslab.embed.cache import open_embedding_cache
from milvuslab.model.errors import UsageError, suggest

if TYPE_CHECKING:
    from milvuslab.embed.encoder import Fingerprint, FloatMatrix, TextEncoder
    from milvuslab.model.settings import Settings

__all__ = ["BATCH_CHARS", "ENGINES", "EngineName", "LoadEngine", "check_engine", "open_engine"]

EngineName = Literal["local", "ray"]
ENGINES: tuple[EngineName, ...] = get_args(EngineName)
BATCH_CHARS = 40_000
"""Text of one batch: about 100 passages, which a machine of two cores embeds within seconds."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LoadEngine:
    """How a load embeds.

    Attributes:
        encode: gives the vectors of passages.
        batch_documents: most documents of a batch.
        batch_chars: about how much text.
    """

    encode: Callable[[TextEncoder, Sequence[str]], FloatMatrix]
    batch_documents: int = 128
    batch_chars: int = BATCH_CHARS


def check_engine(name: str) -> EngineName:
    """The name, when it is one.

    Raises:
        UsageError: there is no such engine.
    """
    for known in ENGINES:
        if name == known:
            return known
    raise UsageError(f"there is no engine {name!r}", hint=suggest(name, ENGINES))


@contextlib.contextmanager
def open_engine(name: EngineName, *, fingerprint: Fingerprint, settings: Settings) -> Iterator[LoadEngine]:
    """The engine, with the cache of embeddings before it; workers end with the block.

    Raises:
        UnsupportedError: the extra `ray` is not installed.
        UnreachableError: no Ray cluster at `ray_address`.
    """
    cache = open_embedding_cache(settings)
    if name == "local":
        yield LoadEngine(encode=cache.encode_passages)
        return
    from milvuslab.embed.ray_workers import RayWorkers

    with RayWorkers(fingerprint, settings=settings) as workers:
        # Batches grow with the workers, so that each has as much to do as the threads of one machine.
        factor = max(1, workers.worker_count // 2)
        yield LoadEngine(
            encode=lambda _, texts: cache.encode_passages(workers, texts),
            batch_documents=128 * factor,
            batch_chars=BATCH_CHARS * factor,
        )
