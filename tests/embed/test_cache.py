"""A text is embedded once, whatever asks for it and however the last asker ended."""

from __future__ import annotations

import multiprocessing
import sqlite3

import numpy as np
import pytest

from milvuslab.embed.cache import EmbeddingCache, open_embedding_cache
from milvuslab.embed.encoder import Fingerprint
from milvuslab.model.settings import resolve

DIM = 8


class CountingEncoder:
    """Vectors that depend on the text alone; remembers what it was asked for."""

    def __init__(self, *, sha256: str = "a" * 64, dim: int = DIM) -> None:
        self.fingerprint = Fingerprint(name="counting", dim=dim, is_normalized=True, sha256=sha256)
        self.asked: list[str] = []

    def encode_passages(self, texts):
        self.asked += texts
        rows = [np.random.default_rng(list(text.encode("utf-8", "surrogatepass")) or [0]) for text in texts]
        vectors = [row.standard_normal(self.fingerprint.dim) for row in rows]
        return np.array(vectors, dtype=np.float32).reshape(len(texts), self.fingerprint.dim)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "kept" / "passages.sqlite"


def test_a_text_is_embedded_once_and_comes_back_bit_for_bit(path) -> None:
    texts = ["하나", "two", "하나", "", "\ud800 half a pair"]
    first, second = CountingEncoder(), CountingEncoder()
    cache = EmbeddingCache(path, limit_bytes=10**6)
    fresh = cache.encode_passages(first, texts)
    assert first.asked == ["하나", "two", "", "\ud800 half a pair"]
    assert np.array_equal(fresh, CountingEncoder().encode_passages(texts))
    again = EmbeddingCache(path, limit_bytes=10**6).encode_passages(second, texts[::-1])
    assert second.asked == []
    assert np.array_equal(again, fresh[::-1])
    cache.encode_passages(second, ["two", "three"])
    assert second.asked == ["three"]


def test_another_encoder_finds_nothing(path) -> None:
    cache = EmbeddingCache(path, limit_bytes=10**6)
    cache.encode_passages(CountingEncoder(), ["text"])
    for other in (CountingEncoder(sha256="b" * 64), CountingEncoder(dim=4)):
        assert cache.encode_passages(other, ["text"]).shape == (1, other.fingerprint.dim)
        assert other.asked == ["text"]


def test_the_file_stays_within_its_bound_and_the_newest_stay(path) -> None:
    limit_bytes = 200_000
    cache, encoder = EmbeddingCache(path, limit_bytes=limit_bytes), CountingEncoder()
    for batch in range(60):
        cache.encode_passages(encoder, [f"{batch}-{row}" for row in range(100)])
    assert sum(file.stat().st_size for file in path.parent.glob("*.sqlite")) < limit_bytes * 1.1
    late, early = CountingEncoder(), CountingEncoder()
    cache.encode_passages(late, [f"59-{row}" for row in range(100)])
    cache.encode_passages(early, [f"0-{row}" for row in range(100)])
    assert (len(late.asked), len(early.asked)) == (0, 100)


def test_without_room_nothing_is_kept(path) -> None:
    encoder = CountingEncoder()
    cache = EmbeddingCache(path, limit_bytes=0)
    assert np.array_equal(cache.encode_passages(encoder, ["a"]), cache.encode_passages(encoder, ["a"]))
    assert encoder.asked == ["a", "a"]
    assert not path.exists()
    assert EmbeddingCache(path, limit_bytes=9).encode_passages(encoder, []).shape == (0, DIM)


def test_a_damaged_file_is_begun_anew(path, caplog) -> None:
    cache, encoder = EmbeddingCache(path, limit_bytes=10**6), CountingEncoder()
    path.parent.mkdir()
    path.write_bytes(b"no database at all" * 1_000)
    expected = CountingEncoder().encode_passages(["a"])
    assert np.array_equal(cache.encode_passages(encoder, ["a"]), expected)
    assert "damaged" in caplog.text
    assert np.array_equal(cache.encode_passages(encoder, ["a"]), expected)
    assert encoder.asked == ["a"]


def test_a_place_that_cannot_be_used_costs_the_embedding_and_no_more(tmp_path, caplog) -> None:
    (tmp_path / "file").write_text("a file where a folder should be")
    encoder = CountingEncoder()
    cache = EmbeddingCache(tmp_path / "file" / "passages.sqlite", limit_bytes=10**6)
    assert cache.encode_passages(encoder, ["a"]).shape == (1, DIM)
    assert "cannot be used now" in caplog.text


def test_processes_write_at_the_same_time_and_lose_nothing(path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=fill, args=(path, first)) for first in (0, 50, 100)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    reader = CountingEncoder()
    EmbeddingCache(path, limit_bytes=10**6).encode_passages(reader, [str(number) for number in range(200)])
    assert reader.asked == []
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()


def fill(path, first) -> None:
    cache, encoder = EmbeddingCache(path, limit_bytes=10**6), CountingEncoder()
    for number in range(first, first + 100):  # neighbours overlap
        cache.encode_passages(encoder, [str(number)])


def test_the_cache_of_a_person_follows_the_settings(tmp_path) -> None:
    encoder = CountingEncoder()
    settings = resolve(flags={"cache_dir": str(tmp_path / "cache")}, environment={"HOME": str(tmp_path)})
    for _ in range(2):
        open_embedding_cache(settings).encode_passages(encoder, ["a"])
    assert encoder.asked == ["a"]
    off = resolve(
        flags={"cache_dir": str(tmp_path / "other"), "embed_cache_bytes": "0"}, environment={"HOME": str(tmp_path)}
    )
    open_embedding_cache(off).encode_passages(encoder, ["a"])
    assert encoder.asked == ["a", "a"]
    assert not (tmp_path / "other").exists()
