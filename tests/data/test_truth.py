"""Exact neighbours against the slow obvious way, and a cache that never serves another answer."""

import dataclasses
import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milvuslab.data.nearest import Nearest
from milvuslab.data.truth import find_truth
from milvuslab.data.vectors import VectorSet, make_binary, make_clustered
from milvuslab.model.errors import UsageError
from milvuslab.model.metric import Metric

FLOATS = [Metric.L2, Metric.IP, Metric.COSINE]
BITS = [Metric.HAMMING, Metric.JACCARD]


@dataclasses.dataclass(frozen=True)
class Rows:
    """Rows of an array as a set's source."""

    rows: np.ndarray

    def read_rows(self, start, stop):
        return self.rows[start:stop]

    def compute_checksum(self):
        return str(hash(self.rows.tobytes()))


def make_set(rows, queries):
    is_binary = rows.dtype == np.uint8
    dim = rows.shape[1] * (8 if is_binary else 1)
    return VectorSet(name="own", row_count=len(rows), dim=dim, queries=queries, source=Rows(rows), is_binary=is_binary)


def slow_distances(query, rows, metric):
    """One query against every row, in float64, as the definition says."""
    if metric.is_binary:
        q, x = np.unpackbits(query).astype(bool), np.unpackbits(rows, axis=1).astype(bool)
        if metric is Metric.HAMMING:
            return (q ^ x).sum(axis=1).astype(float)
        common, united = (q & x).sum(axis=1), (q | x).sum(axis=1)
        return np.array([1 - c / u if u else 0.0 for c, u in zip(common, united, strict=True)])
    q, x = query.astype(np.float64), rows.astype(np.float64)
    if metric is Metric.L2:
        return ((x - q) ** 2).sum(axis=1)
    if metric is Metric.IP:
        return -(x @ q)
    sizes = np.linalg.norm(x, axis=1) * np.linalg.norm(q)
    return 1 - np.divide(x @ q, sizes, out=np.zeros(len(x)), where=sizes > 0)


def slow_truth(queries, rows, k, metric, ids=None):
    ids = np.arange(len(rows)) if ids is None else ids
    table = [slow_distances(query, rows[ids], metric) for query in queries]
    order = [np.lexsort((ids, distances))[:k] for distances in table]
    return np.array([ids[o] for o in order]), np.array([d[o] for d, o in zip(table, order, strict=True)])


@pytest.mark.parametrize("metric", [*FLOATS, *BITS], ids=str)
@pytest.mark.parametrize("k", [1, 10, 150])
def test_it_is_the_slow_way(metric, k):
    make = make_binary if metric.is_binary else make_clustered
    vectors = make(row_count=23_000, dim=32, query_count=25)
    truth = find_truth(vectors, metric=metric, k=k, cache_dir=None)
    ids, distances = slow_truth(vectors.queries, vectors.read_rows(0, 23_000), k, metric)
    assert np.array_equal(truth.ids, ids)
    assert truth.ids.dtype == np.int64 and truth.distances.dtype == np.float32
    np.testing.assert_allclose(truth.distances, distances, rtol=1e-6, atol=1e-7)
    assert (np.diff(truth.distances, axis=1) >= 0).all()


@pytest.mark.parametrize("metric", [*FLOATS, *BITS], ids=str)
def test_many_equal_rows_come_in_order_of_id(metric):
    """Whole numbers, so that equal rows are equal in every arithmetic: only the order of ids is left to decide."""
    rng = np.random.default_rng(2)
    kinds = rng.integers(0, 256, (4, 8)).astype(np.uint8)
    rows = kinds[rng.integers(0, 4, 18_000)]
    rows = rows if metric.is_binary else rows.astype(np.float32)
    queries = rows[:40].copy()
    truth = find_truth(make_set(rows, queries), metric=metric, k=20, cache_dir=None)
    ids, _ = slow_truth(queries[:12], rows, 20, metric)
    assert np.array_equal(truth.ids[:12], ids)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_small_tables_full_of_ties(data):
    metric = data.draw(st.sampled_from([Metric.L2, Metric.IP, *BITS]))
    seed, row_count = data.draw(st.integers(0, 10_000)), data.draw(st.integers(1, 60))
    k, cut = data.draw(st.integers(1, row_count)), data.draw(st.integers(0, row_count))
    rng = np.random.default_rng(seed)
    kind = np.uint8 if metric.is_binary else np.float32
    rows, queries = rng.integers(0, 3, (row_count, 2)).astype(kind), rng.integers(0, 3, (5, 2)).astype(kind)
    nearest = Nearest(queries, k=k, metric=metric)
    for start, stop in ((0, cut), (cut, row_count)):
        nearest.add(np.arange(start, stop), rows[start:stop])
    ids, distances = slow_truth(queries, rows, k, metric)
    assert np.array_equal(nearest.ids, ids) and np.array_equal(nearest.distances, distances)


@pytest.mark.parametrize("metric", FLOATS, ids=str)
def test_near_ties_far_from_the_origin_are_decided_in_float64(metric):
    """Rows differ by a few units in the last place at 1,000: the float32 expansion of L2 sees only noise there."""
    rng = np.random.default_rng(4)
    rows = (1_000 + rng.integers(-40, 40, (9_000, 16)) * 2.0**-13).astype(np.float32)
    queries = (1_000 + rng.integers(-40, 40, (20, 16)) * 2.0**-13).astype(np.float32)
    truth = find_truth(make_set(rows, queries), metric=metric, k=30, cache_dir=None)
    ids, distances = slow_truth(queries, rows, 30, metric)
    if metric is Metric.L2:
        assert np.array_equal(truth.ids, ids)
    picked = np.stack([slow_distances(q, rows[i], metric) for q, i in zip(queries, truth.ids, strict=True)])
    np.testing.assert_allclose(picked, distances, rtol=1e-12, atol=1e-14)


def test_a_vector_of_zeros_has_a_cosine():
    rows = np.array([[0, 0], [1, 0], [-1, 0]], dtype=np.float32)
    truth = find_truth(make_set(rows, rows[1:2]), metric=Metric.COSINE, k=3, cache_dir=None)
    assert truth.ids.tolist() == [[1, 0, 2]] and truth.distances.tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("metric", [Metric.L2, Metric.JACCARD], ids=str)
def test_a_filter_leaves_only_the_rows_that_pass(metric):
    make = make_binary if metric.is_binary else make_clustered
    vectors = make(row_count=12_000, dim=16, query_count=10)
    truth = find_truth(vectors, metric=metric, k=7, bucket_below=300, cache_dir=None)
    passing = np.flatnonzero(vectors.buckets(0, 12_000) < 300)
    ids, _ = slow_truth(vectors.queries, vectors.read_rows(0, 12_000), 7, metric, ids=passing)
    assert np.array_equal(truth.ids, ids)


def test_own_queries_are_asked_instead():
    vectors = make_clustered(row_count=3_000, dim=16)
    rows = vectors.read_rows(0, 3_000)
    truth = find_truth(vectors, metric=Metric.L2, k=1, queries=rows[100:110], cache_dir=None)
    assert truth.ids[:, 0].tolist() == list(range(100, 110)) and not truth.distances.any()


def test_progress_ends_with_every_row():
    seen = []
    vectors = make_clustered(row_count=9_000, dim=8, query_count=2)
    find_truth(vectors, metric=Metric.L2, k=1, cache_dir=None, observer=seen.append)
    assert seen[-1].done_count == seen[-1].total_count == 9_000


@pytest.mark.parametrize(
    "change, message",
    [
        pytest.param({"metric": Metric.HAMMING}, "metric HAMMING for the float", id="metric of bits"),
        pytest.param({"metric": Metric.BM25}, "metric BM25", id="metric of texts"),
        pytest.param({"k": 0}, "k is 0", id="no depth"),
        pytest.param({"k": 501}, "k is 501", id="more than rows"),
        pytest.param({"bucket_below": 1, "k": 400}, "rows of .* pass the filter", id="few rows pass"),
        pytest.param({"queries": np.zeros((1, 5), np.float32)}, r"queries of shape \(1, 5\)", id="width"),
        pytest.param({"queries": np.zeros((1, 8))}, "queries of type float64", id="type"),
        pytest.param({"queries": np.zeros((0, 8), np.float32)}, "queries of shape", id="no query"),
        pytest.param({"queries": np.full((2, 8), np.nan, np.float32)}, "query 0 has a value", id="NaN"),
    ],
)
def test_questions_that_have_no_answer(change, message):
    vectors = make_clustered(row_count=500, dim=8, query_count=3)
    with pytest.raises(UsageError, match=message):
        find_truth(vectors, **{"metric": Metric.L2, "k": 5, "cache_dir": None, **change})


class Asked:
    """One question with its cache, and whether the rows were read for it."""

    def __init__(self, cache_dir):
        self.vectors = make_clustered(row_count=600, dim=8, query_count=4)
        self.cache_dir = cache_dir

    def ask(self, vectors=None, **change):
        """(truth, whether it was worked out)."""
        events = []
        question = {"metric": Metric.L2, "k": 3, "cache_dir": self.cache_dir, **change}
        return find_truth(vectors or self.vectors, observer=events.append, **question), bool(events)

    @property
    def files(self):
        return sorted(self.cache_dir.rglob("*"), key=str)

    @property
    def path(self):
        (path,) = (file for file in self.files if file.is_file())
        return path


@pytest.fixture
def asked(tmp_path):
    return Asked(tmp_path)


def test_the_second_time_nothing_is_worked_out(asked):
    first, was_computed = asked.ask()
    again, is_computed = asked.ask()
    assert was_computed and not is_computed
    assert np.array_equal(first.ids, again.ids) and np.array_equal(first.distances, again.distances)
    assert first.checksum == again.checksum and len(asked.files) == 2


def test_every_part_of_the_question_counts(asked):
    first, _ = asked.ask()
    other_rows = make_clustered(row_count=601, dim=8, query_count=4)
    other_seed = make_clustered(row_count=600, dim=8, query_count=4, seed=8)
    other_queries = asked.vectors.queries + np.float32(1)
    answers = [
        asked.ask(metric=Metric.IP),
        asked.ask(k=4),
        asked.ask(bucket_below=5_000),
        asked.ask(bucket_below=5_001),
        asked.ask(queries=other_queries),
        asked.ask(other_rows),
        asked.ask(other_seed),
    ]
    assert all(is_computed for _, is_computed in answers)
    assert len({first.checksum, *(truth.checksum for truth, _ in answers)}) == 8


def damage_by_cutting(path):
    path.write_bytes(path.read_bytes()[:-30])


def damage_by_one_bit(path):
    content = bytearray(path.read_bytes())
    place = len(content) // 2
    content[place] ^= 1
    path.write_bytes(bytes(content))


def damage_by_emptying(path):
    path.write_bytes(b"")


def damage_by_other_ids(path):
    """A whole file with a right checksum of its archive, but other ids than the header was written for."""
    with np.load(path) as file:
        header, ids, distances = file["header"], file["ids"], file["distances"]
    with path.open("wb") as stream:
        np.savez(stream, header=header, ids=ids[::-1], distances=distances)


def damage_by_text(path):
    path.write_text("not an archive", encoding="utf-8")


def damage_by_missing_table(path):
    with path.open("wb") as stream:
        np.savez(stream, ids=np.zeros((4, 3)))


@pytest.mark.parametrize(
    "damage",
    [
        damage_by_cutting,
        damage_by_one_bit,
        damage_by_emptying,
        damage_by_other_ids,
        damage_by_text,
        damage_by_missing_table,
    ],
)
def test_a_damaged_answer_is_worked_out_again(asked, damage, caplog):
    first, _ = asked.ask()
    damage(asked.path)
    with caplog.at_level(logging.WARNING, logger="milvuslab.data"):
        again, is_computed = asked.ask()
    assert is_computed and np.array_equal(first.ids, again.ids)
    assert "worked out again" in caplog.text
    assert not asked.ask()[1]


def test_an_answer_under_the_name_of_another_is_not_served(asked):
    asked.ask()
    stale = asked.path.read_bytes()
    wanted, _ = asked.ask(k=4, cache_dir=None)
    (asked.cache_dir / "truth" / f"{wanted.checksum}.npz").write_bytes(stale)
    found, is_computed = asked.ask(k=4)
    assert is_computed and np.array_equal(found.ids, wanted.ids)


def test_a_write_that_fails_leaves_nothing(asked, monkeypatch):
    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="No space"):
        asked.ask()
    assert [path.name for path in asked.files] == ["truth"]
