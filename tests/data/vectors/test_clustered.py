"""Synthetic sets: every block stands alone, is the same everywhere, and is hard enough to search."""

import hashlib
import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milvuslab.data.truth import find_truth
from milvuslab.data.vectors import make_binary, make_clustered
from milvuslab.model.errors import UsageError
from milvuslab.model.metric import Metric

SMALL = make_clustered(row_count=9_000, dim=24, query_count=40)
BITS = make_binary(row_count=9_000, dim=64, query_count=40)
WHOLE = {SMALL.name: SMALL.read_rows(0, 9_000), BITS.name: BITS.read_rows(0, 9_000)}


@pytest.mark.parametrize("vectors", [SMALL, BITS], ids=lambda each: each.name)
def test_shape_and_type(vectors):
    rows = WHOLE[vectors.name]
    assert rows.shape == (9_000, 8 if vectors.is_binary else 24)
    assert rows.dtype == vectors.queries.dtype == (np.uint8 if vectors.is_binary else np.float32)
    assert vectors.queries.shape == (40, rows.shape[1])
    assert rows.flags.c_contiguous and (vectors.is_binary or np.isfinite(rows).all())


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([SMALL, BITS]), st.integers(0, 9_000), st.integers(0, 9_000))
def test_any_block_alone_is_what_it_is_in_the_whole(vectors, one, other):
    start, stop = sorted((one, other))
    assert np.array_equal(vectors.read_rows(start, stop), WHOLE[vectors.name][start:stop])


@pytest.mark.parametrize("block_rows", [1_000, 2_048, 9_000, 50_000])
def test_blocks_cover_every_row_once(block_rows):
    blocks = list(SMALL.iter_blocks(block_rows))
    assert [start for start, _ in blocks] == list(range(0, 9_000, block_rows))
    assert np.array_equal(np.concatenate([rows for _, rows in blocks]), WHOLE[SMALL.name])


def test_the_bytes_are_these_on_every_machine():
    """Truth and results are kept by the recipe, so the bytes of a recipe may only change with its version."""
    float_rows = make_clustered(row_count=5_000, dim=128).read_rows(4_000, 5_000)
    odd_rows = make_clustered(row_count=100, dim=7, intrinsic_dim=3, cluster_count=5, seed=11).read_rows(0, 100)
    bit_rows = make_binary(row_count=5_000, dim=256).read_rows(4_000, 5_000)
    digests = [hashlib.sha256(rows.tobytes()).hexdigest()[:16] for rows in (float_rows, odd_rows, bit_rows)]
    assert digests == ["1a7222657aa0391f", "cb768188f338c60b", "112c0c16b405a9c8"]


@pytest.mark.parametrize("intrinsic_dim", [1, 16, 200])
def test_sums_are_exact_in_any_order(intrinsic_dim):
    """In float64 nothing is rounded below 2^53: the same numbers come out, so float32 has not rounded either."""
    from milvuslab.data.vectors import clustered

    rows = clustered.ClusteredRows(dim=200, intrinsic_dim=intrinsic_dim, cluster_count=40, seed=3)
    parts = clustered._parts_of(rows)
    latent_limit = float(clustered._quantiles().max())
    reach = np.abs(parts.shapes).sum(axis=1).max() * latent_limit + np.abs(parts.centres).max() + 128 * parts.noise_unit
    assert reach < 2**24
    for numbers in (parts.shapes, parts.centres, clustered._quantiles()):
        assert (numbers == np.rint(numbers)).all()


def test_a_smaller_set_is_the_beginning_of_a_larger_one():
    larger = make_clustered(row_count=1_000_000_000, dim=24, query_count=40)
    assert np.array_equal(larger.read_rows(0, 9_000), WHOLE[SMALL.name])
    assert np.array_equal(larger.queries, SMALL.queries)
    assert larger.checksum != SMALL.checksum


def test_the_checksum_follows_the_recipe():
    recipe = {"row_count": 500, "dim": 16, "query_count": 5, "intrinsic_dim": 4, "cluster_count": 9, "seed": 1}
    sets = [make_clustered(**{**recipe, name: value + 1}) for name, value in recipe.items()]
    checksums = {each.checksum for each in sets}
    checksums |= {make_clustered(**recipe).checksum, make_clustered(**recipe).checksum}
    assert len(checksums) == len(recipe) + 1
    assert make_binary(row_count=500, dim=16).checksum != make_clustered(row_count=500, dim=16).checksum


def test_a_set_reads_the_same_in_another_process():
    copy = pickle.loads(pickle.dumps(SMALL))
    assert copy.checksum == SMALL.checksum
    assert np.array_equal(copy.read_rows(5, 99), SMALL.read_rows(5, 99))


def test_far_blocks_of_a_huge_set_take_little_memory():
    huge = make_clustered(row_count=30_000_000, dim=128, query_count=1)
    huge.read_rows(0, 1)
    tracemalloc.start()
    rows = huge.read_rows(29_900_000, 29_910_000)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < rows.nbytes + (8 << 20)


def test_clusters_differ_in_weight():
    """Rows are assigned to the nearest of the true centres: some have many times the rows of others."""
    from milvuslab.data.vectors import clustered

    counts = np.bincount(clustered._cut_weights(256), minlength=256)
    assert counts.sum() == 65_536 and counts.min() > 0
    assert 15 < counts.max() / counts.min() < 60


def test_queries_are_like_rows_but_none_is_one():
    gaps = ((SMALL.queries[:, None] - WHOLE[SMALL.name][None]) ** 2).sum(axis=2)
    assert (gaps.min(axis=1) > 0).all()
    assert np.median(gaps.min(axis=1)) < 0.25 * np.median(gaps)


def test_bits_are_neither_rare_nor_common():
    share = np.unpackbits(WHOLE[BITS.name]).mean()
    assert 0.15 < share < 0.5


def test_buckets_select_the_share_asked_for():
    buckets = make_clustered(row_count=1_000_000, dim=8, query_count=1).buckets(0, 1_000_000)
    assert buckets.dtype == np.int32 and buckets.min() == 0 and buckets.max() == 9_999
    for share in (0.01, 0.1, 0.5):
        assert (buckets < share * 10_000).mean() == pytest.approx(share, rel=0.03)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 200_000), st.integers(0, 200_000))
def test_buckets_of_a_block_are_those_of_the_whole(one, other):
    vectors = make_clustered(row_count=200_000, dim=4, query_count=1)
    start, stop = sorted((one, other))
    assert np.array_equal(vectors.buckets(start, stop), vectors.buckets(0, 200_000)[start:stop])


def test_a_graph_has_to_search():
    """HNSW(16, 100) must not reach recall 0.95 at the smallest beam, and must reach it at a moderate one."""
    faiss = pytest.importorskip("faiss")
    vectors = make_clustered(row_count=10_000, dim=128, query_count=200)
    truth = find_truth(vectors, metric=Metric.L2, k=10, cache_dir=None)
    index = faiss.IndexHNSWFlat(128, 16)
    index.hnsw.efConstruction = 100
    index.add(vectors.read_rows(0, 10_000))
    recall = {}
    for beam in (10, 96):
        index.hnsw.efSearch = beam
        found = index.search(vectors.queries, 10)[1]
        recall[beam] = np.mean([len({*a} & {*b}) / 10 for a, b in zip(found, truth.ids, strict=True)])
    assert recall[10] < 0.95 < recall[96]


@pytest.mark.parametrize(
    "change",
    [{"row_count": 0}, {"dim": 1}, {"dim": 40_000}, {"query_count": 0}, {"intrinsic_dim": 17}, {"cluster_count": 0}, {"seed": -1}],
    ids=str,
)  # fmt: skip
def test_arguments_out_of_range_are_named(change):
    with pytest.raises(UsageError, match=next(iter(change))):
        make_clustered(**{"row_count": 10, "dim": 16, **change})


def test_bits_come_in_bytes():
    with pytest.raises(UsageError, match="dim of binary vectors is 100") as caught:
        make_binary(row_count=10, dim=100)
    assert "104" in caught.value.hint
