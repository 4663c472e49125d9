"""Vectors of passages kept on disk, so that the same text is embedded once, whatever it is loaded into.

A vector is kept under the encoder's fingerprint and the SHA-256 of its text: another encoder, or another letter, is
another entry. The bound holds: when the file has grown to it, the oldest tenth goes.

Several threads and processes may use one cache: SQLite in WAL mode, a connection for each call, every write one
transaction. A process killed at any moment leaves a cache without its last entries. A file that is damaged is thrown
away and begun anew; one that cannot be used (disk full, no right to write, locked for long) costs the embedding, never the load.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from milvuslab.embed.encoder import Fingerprint, FloatMatrix

if TYPE_CHECKING:
    from milvuslab.model.settings import Settings

__all__ = ["EmbeddingCache", "FloatVector", "PassageEncoder", "open_embedding_cache"]

FloatVector = npt.NDArray[np.float32]
_T = TypeVar("_T")

_log = logging.getLogger("milvuslab.embed")

_BUSY_TIMEOUT_S = 10.0
_ASKED_KEYS = 500
"""Keys of one question to SQLite, whose own limit was 999 until 3.32 (sqlite.org, Limits)."""
_KEPT_SHARE = 0.9
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS vectors (place INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, vector BLOB NOT NULL)"
)


class PassageEncoder(Protocol):
    """What the cache asks for vectors: any `TextEncoder`, or what stands in for one."""

    @property
    def fingerprint(self) -> Fingerprint:
        """Under which vectors are kept."""
        ...

    def encode_passages(self, texts: Sequence[str]) -> FloatMatrix:
        """Vectors of texts that are to be found."""
        ...


class EmbeddingCache:
    """Vectors by encoder and text.

    Args:
        path: of the file; its folder is made at the first write.
        limit_bytes: how large the file may grow, give or take one call; 0 keeps nothing.
    """

    def __init__(self, path: Path, *, limit_bytes: int) -> None:
        self._path = path
        self._limit_bytes = limit_bytes

    def encode_passages(self, encoder: PassageEncoder, texts: Sequence[str]) -> FloatMatrix:
        """As `encoder.encode_passages`, bit for bit; only texts that were never seen are computed, each once."""
        if self._limit_bytes == 0 or not texts:
            return encoder.encode_passages(texts)
        keys = [_key(encoder.fingerprint, text) for text in texts]
        found = self._read(keys, dim=encoder.fingerprint.dim)
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        if missing:
            fresh = dict(zip(missing, encoder.encode_passages(list(missing.values())), strict=True))
            self._write(fresh)
            found.update(fresh)
        return np.stack([found[key] for key in keys])

    def _read(self, keys: Sequence[bytes], *, dim: int) -> dict[bytes, FloatVector]:
        wanted = list(dict.fromkeys(keys))

        def read(database: sqlite3.Connection) -> dict[bytes, FloatVector]:
            found: dict[bytes, FloatVector] = {}
            for first in range(0, len(wanted), _ASKED_KEYS):
                some = wanted[first : first + _ASKED_KEYS]
                marks = ",".join("?" * len(some))
                rows = database.execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", some)  # noqa: S608
                found.update((key, np.frombuffer(vector, dtype=np.float32)) for key, vector in rows)
            return found

        nothing: dict[bytes, FloatVector] = {}
        return {key: vector for key, vector in self._use(read, otherwise=nothing).items() if vector.shape == (dim,)}

    def _write(self, vectors: dict[bytes, FloatVector]) -> None:
        def write(database: sqlite3.Connection) -> None:
            with database:
                database.executemany(
                    "INSERT OR REPLACE INTO vectors (key, vector) VALUES (?, ?)",
                    [(key, vector.tobytes()) for key, vector in vectors.items()],
                )
                self._keep_bound(database)

        self._use(write, otherwise=None)

    def _keep_bound(self, database: sqlite3.Connection) -> None:
        (pages,), (free,), (page_bytes,) = (
            database.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "freelist_count", "page_size")
        )
        used_bytes = (pages - free) * page_bytes
        if used_bytes <= self._limit_bytes:
            return
        first, last = database.execute("SELECT min(place), max(place) FROM vectors").fetchone()
        # Places are given in order, so a share of them is about that share of the bytes; freed pages are used again.
        dropped_count = int((last - first + 1) * (1 - _KEPT_SHARE * self._limit_bytes / used_bytes)) + 1
        database.execute("DELETE FROM vectors WHERE place < ?", (first + dropped_count,))

    def _use(self, action: Callable[[sqlite3.Connection], _T], *, otherwise: _T) -> _T:
        """What the action gives; `otherwise` where the file cannot be used, which is logged and harms nobody."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.closing(sqlite3.connect(self._path, timeout=_BUSY_TIMEOUT_S)) as database:
                database.execute("PRAGMA journal_mode=WAL")
                database.execute("PRAGMA synchronous=NORMAL")
                database.execute(_SCHEMA)
                return action(database)
        except (OSError, sqlite3.OperationalError) as error:  # locked, full, read-only: it may pass
            _log.warning("the embedding cache %s cannot be used now: %s", self._path, error)
        except sqlite3.DatabaseError as error:
            _log.warning("the embedding cache %s is damaged and begun anew: %s", self._path, error)
            self._remove()
        return otherwise

    def _remove(self) -> None:
        for ending in ("", "-wal", "-shm"):
            with contextlib.suppress(OSError):
                self._path.with_name(self._path.name + ending).unlink()


def open_embedding_cache(settings: Settings) -> EmbeddingCache:
    """The cache of this person: one file for all encoders, below `cache_dir`, bounded by `embed_cache_bytes`."""
    return EmbeddingCache(
        settings.cache_dir / "embeddings" / "passages.sqlite", limit_bytes=int(settings.embed_cache_bytes)
    )


def _key(fingerprint: Fingerprint, text: str) -> bytes:
    about = f"{fingerprint.name}\0{fingerprint.dim}\0{fingerprint.sha256}\0"
    digest = hashlib.sha256(about.encode())
    digest.update(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
    return digest.digest()
