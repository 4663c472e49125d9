"""One encoder in many processes, on this machine or on several: actors of a Ray cluster; needs the extra `ray`.

The vectors are those of the encoder here, in the same order: each worker opens the encoder of that name with the settings
of its own machine and is refused when its fingerprint is another. A worker that dies is started anew and its texts are
encoded again, three times; then the call fails and nothing is written.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from milvuslab.embed.encoder import Fingerprint, FloatMatrix, check_fingerprint
from milvuslab.model.errors import UnreachableError, missing_extra

if TYPE_CHECKING:
    from milvuslab.model.settings import Settings

__all__ = ["RayWorkers"]

_RESTARTS = 3
_PIECE_TEXTS = 16
"""Texts of one call to a worker: a fraction of a second's work, so that none waits long for the last one."""


class RayWorkers:
    """Stands in for an encoder: `fingerprint` and `encode_passages`. Close it, or use it in a `with`.

    Args:
        fingerprint: of the encoder wanted.
        settings: `ray_address` (empty starts a cluster on this machine, which ends with `close`), `ray_workers`, `cache_dir`.

    Raises:
        UnsupportedError: Ray is not installed.
        UnreachableError: no cluster at that address.
        ConflictError: a worker has another encoder under that name.
    """

    def __init__(self, fingerprint: Fingerprint, *, settings: Settings) -> None:
        ray = self._ray = _import_ray()
        self.fingerprint = fingerprint
        address = str(settings.ray_address)
        self._started_here = not ray.is_initialized()
        if self._started_here:
            # Ray reports its use to its makers unless told otherwise (docs.ray.io, usage-stats).
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            place: dict[str, Any] = (
                {"address": address} if address else {"address": "local", "include_dashboard": False}
            )
            try:
                ray.init(**place, log_to_driver=False, logging_level="ERROR")
            except (ConnectionError, RuntimeError) as error:
                raise UnreachableError(
                    f"no Ray cluster answers at {address or 'this machine'}: {error}",
                    hint="check MILVUSLAB_RAY_ADDRESS",
                ) from error
        self.worker_count = int(settings.ray_workers) or max(1, int(ray.cluster_resources().get("CPU", 1)))
        # Elsewhere the folder may not be there; then it is made, and the model fetched and checked as it was here.
        flags = {
            "cache_dir": str(settings.cache_dir),
            "embed_threads": "1",
            "offline": str(bool(settings.offline)).lower(),
        }
        actor = ray.remote(num_cpus=1, max_restarts=_RESTARTS, max_task_retries=_RESTARTS)(_Worker)
        self._workers = [actor.remote(fingerprint.name, flags) for _ in range(self.worker_count)]
        for theirs in self._get([worker.describe.remote() for worker in self._workers]):
            check_fingerprint(fingerprint, Fingerprint.from_dict(theirs))

    def encode_passages(self, texts: Sequence[str]) -> FloatMatrix:
        """Vectors of texts that are to be found, in their order.

        Raises:
            UnreachableError: a worker died again and again.
        """
        vectors = np.empty((len(texts), self.fingerprint.dim), dtype=np.float32)
        # Sorted by length, pieces take about as long as their neighbours, and the longest come first.
        order = sorted(range(len(texts)), key=lambda row: -len(texts[row]))
        pieces = [order[first : first + _PIECE_TEXTS] for first in range(0, len(order), _PIECE_TEXTS)]
        pool = self._ray.util.ActorPool(self._workers)
        calls = pool.map(lambda worker, piece: worker.encode.remote([texts[row] for row in piece]), pieces)
        try:
            for piece, found in zip(pieces, calls, strict=True):
                vectors[piece] = found
        except self._ray.exceptions.RayError as error:
            raise _lost(error) from error
        return vectors

    def close(self) -> None:
        """Lets the workers go; a cluster that was started here ends."""
        for worker in self._workers:
            self._ray.kill(worker)
        if self._started_here:
            self._ray.shutdown()

    def __enter__(self) -> RayWorkers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _get(self, calls: list[Any]) -> list[Any]:
        try:
            return list(self._ray.get(calls))
        except self._ray.exceptions.RayError as error:
            raise _lost(error) from error


class _Worker:
    """What runs in each process."""

    def __init__(self, name: str, flags: dict[str, str]) -> None:
        from milvuslab.embed.catalog import open_encoder
        from milvuslab.model.settings import resolve

        self._encoder = open_encoder(name, settings=resolve(environment=dict(os.environ), flags=flags))

    def describe(self) -> dict[str, Any]:
        """The fingerprint of its encoder."""
        return self._encoder.fingerprint.as_dict()

    def encode(self, texts: list[str]) -> FloatMatrix:
        """Vectors of the texts."""
        return self._encoder.encode_passages(texts)


def _lost(error: Exception) -> UnreachableError:
    first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return UnreachableError(
        f"a Ray worker failed: {first}", hint="look at the log of that machine; the same command goes on"
    )


def _import_ray() -> Any:
    try:
        import ray
        import ray.util
    except ImportError:
        raise missing_extra("ray", "ray") from None
    return ray
