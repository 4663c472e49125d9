"""Files of every format give the rows that were written, whatever block is asked for; broken ones say where."""

import pickle
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from milvuslab.data.truth import find_truth
from milvuslab.data.vectors import VECTOR_FORMATS, open_vectors
from milvuslab.model.errors import ConflictError, NotFoundError, SchemaError, UnsupportedError, UsageError
from milvuslab.model.metric import Metric

h5py = pytest.importorskip("h5py")
pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

ROWS = np.random.default_rng(3).normal(size=(500, 12)).astype(np.float32)
BYTES = np.random.default_rng(4).integers(0, 256, (500, 12)).astype(np.uint8)


def write_texmex(path, rows):
    width = np.full((len(rows), 1), rows.shape[1], dtype="<i4").view(np.uint8)
    path.write_bytes(np.hstack([width, rows.view(np.uint8).reshape(len(rows), -1)]).tobytes())
    return path


def write_npy(path, rows):
    np.save(path, rows)
    return path


def write_hdf5(path, rows, *, test=None, **tables):
    attributes = {"distance": tables.pop("distance", "euclidean")}
    with h5py.File(path, "w") as file:
        file.attrs.update(attributes)
        file["train"], file["test"] = rows, rows[:50] if test is None else test
        for name, table in tables.items():
            file[name] = table
    return path


def write_parquet(path, rows, *, kind=None, column="embedding", row_group_size=130):
    width = rows.shape[1]
    lists = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), width)
    if kind is not None:
        lists = lists.cast(kind)
    table = pa.table({"id": np.arange(len(rows)), column: lists})
    pq.write_table(table, path, row_group_size=row_group_size)
    return path


WRITERS = {".fvecs": write_texmex, ".bvecs": write_texmex, ".npy": write_npy, ".parquet": write_parquet}
HOLDING = sorted(WRITERS)
"""Endings of files without queries of their own."""


def write(folder, ending):
    return WRITERS[ending](folder / f"rows{ending}", BYTES if ending == ".bvecs" else ROWS)


def rows_of(ending):
    return (BYTES if ending == ".bvecs" else ROWS).astype(np.float32)


def read_all(path, **options):
    """Opens the file and reads every row: where a fault shows depends on the format."""
    vectors = open_vectors(path, **options)
    return vectors.read_rows(0, vectors.row_count)


def as_multiset(rows):
    return sorted(row.tobytes() for row in rows)


def test_every_format_is_tested():
    assert {*WRITERS, ".hdf5"} == {*VECTOR_FORMATS}


@pytest.mark.parametrize("ending", HOLDING)
def test_rows_and_queries_together_are_the_file(tmp_path, ending):
    vectors = open_vectors(write(tmp_path, ending), query_count=30)
    rows = vectors.read_rows(0, vectors.row_count)
    assert (vectors.row_count, vectors.dim, vectors.is_binary) == (470, 12, False)
    assert rows.dtype == vectors.queries.dtype == np.float32
    assert as_multiset(np.concatenate([rows, vectors.queries])) == as_multiset(rows_of(ending))


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vectors")
    return {ending: open_vectors(write(folder, ending), query_count=40) for ending in HOLDING}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(HOLDING), st.lists(st.integers(0, 460), min_size=2, max_size=2))
def test_any_block_is_what_it_is_in_the_whole(opened, ending, places):
    vectors, (start, stop) = opened[ending], sorted(places)
    assert np.array_equal(vectors.read_rows(start, stop), vectors.read_rows(0, vectors.row_count)[start:stop])


@pytest.mark.parametrize("ending", HOLDING)
def test_the_rows_kept_stay_in_order(opened, ending):
    rows, source = opened[ending].read_rows(0, 460), rows_of(ending)
    held = set(opened[ending].source.held)
    assert np.array_equal(rows, source[[row for row in range(500) if row not in held]])


@pytest.mark.parametrize("ending", HOLDING)
def test_a_set_of_a_file_reads_the_same_in_another_process(opened, ending):
    copy = pickle.loads(pickle.dumps(opened[ending]))
    assert copy.checksum == opened[ending].checksum
    assert np.array_equal(copy.read_rows(7, 300), opened[ending].read_rows(7, 300))


@pytest.mark.parametrize("ending", HOLDING)
def test_queries_follow_the_seed(tmp_path, ending):
    path = write(tmp_path, ending)
    first, again, other = (open_vectors(path, query_count=20, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.queries, again.queries) and first.checksum == again.checksum
    assert not np.array_equal(first.queries, other.queries) and first.checksum != other.checksum


def test_a_limit_takes_the_first_rows_and_a_tenth_at_most_become_queries(tmp_path):
    vectors = open_vectors(write(tmp_path, ".npy"), row_limit=100, query_count=1000)
    assert (vectors.row_count, len(vectors.queries)) == (100, 50)
    vectors = open_vectors(write(tmp_path, ".npy"), row_limit=100, query_count=5)
    assert (vectors.row_count, len(vectors.queries)) == (100, 5)
    assert as_multiset(np.concatenate([vectors.read_rows(0, 100), vectors.queries])) == as_multiset(ROWS[:105])


def test_queries_beside_the_base_are_taken_with_their_truth(tmp_path):
    path = write_texmex(tmp_path / "sift_base.fvecs", ROWS)
    write_texmex(tmp_path / "sift_query.fvecs", ROWS[:20] + np.float32(0.01))
    write_texmex(tmp_path / "sift_groundtruth.ivecs", np.arange(60, dtype="<i4").reshape(20, 3))
    vectors = open_vectors(path, query_count=10)
    assert vectors.row_count == 500 and np.array_equal(vectors.queries, ROWS[:10] + np.float32(0.01))
    ids, distances = vectors.given_truth
    assert ids.tolist() == np.arange(30).reshape(10, 3).tolist() and distances is None
    assert open_vectors(path, row_limit=50).given_truth is None


def test_neighbours_beside_the_base_that_are_no_rows_are_refused(tmp_path):
    path = write_texmex(tmp_path / "sift_base.fvecs", ROWS)
    write_texmex(tmp_path / "sift_query.fvecs", ROWS[:2])
    write_texmex(tmp_path / "sift_groundtruth.ivecs", np.array([[1, 2], [3, 500]], dtype="<i4"))
    with pytest.raises(SchemaError, match="a neighbour is no row: ids from 1 to 500"):
        open_vectors(path)


@pytest.mark.parametrize(
    "word, metric, of_ours",
    [("euclidean", Metric.L2, np.sqrt), ("angular", Metric.COSINE, np.copy)],
)
def test_an_ann_benchmarks_file_brings_metric_queries_and_truth(tmp_path, word, metric, of_ours):
    base = open_vectors(write_npy(tmp_path / "base.npy", ROWS), query_count=50)
    rows, queries = base.read_rows(0, base.row_count), base.queries
    truth = find_truth(base, metric=metric, k=10, cache_dir=None)
    path = tmp_path / "set.hdf5"
    write_hdf5(
        path, rows, test=queries, distance=word, neighbors=truth.ids.astype("i4"), distances=of_ours(truth.distances)
    )
    vectors = open_vectors(path, query_count=30)
    assert (vectors.metric, vectors.row_count, len(vectors.queries)) == (metric, 450, 30)
    assert np.array_equal(vectors.read_rows(100, 200), rows[100:200])
    ids, distances = vectors.given_truth
    assert np.array_equal(ids, truth.ids[:30])
    np.testing.assert_allclose(distances, truth.distances[:30], rtol=1e-5)
    assert open_vectors(path, row_limit=100).given_truth is None


def test_bits_of_an_ann_benchmarks_file_are_packed(tmp_path):
    bits = np.random.default_rng(5).random((300, 20)) < 0.4
    share = (bits[:4, None] ^ bits[None, :3]).mean(axis=2)
    tables = {"neighbors": np.tile(np.arange(3), (4, 1)), "distances": share.astype("f4")}
    vectors = open_vectors(write_hdf5(tmp_path / "bits.hdf5", bits, test=bits[:4], distance="hamming", **tables))
    assert (vectors.metric, vectors.dim, vectors.is_binary) == (Metric.HAMMING, 24, True)
    assert np.array_equal(np.unpackbits(vectors.read_rows(0, 300), axis=1)[:, :20], bits)
    assert np.array_equal(vectors.given_truth[1], (bits[:4, None] ^ bits[None, :3]).sum(axis=2))


@pytest.mark.parametrize("ending", [".npy", ".parquet"])
def test_bytes_are_bits_when_asked(tmp_path, ending):
    path = WRITERS[ending](tmp_path / f"bits{ending}", BYTES)
    bits, numbers = open_vectors(path, is_binary=True), open_vectors(path)
    assert (bits.dim, bits.is_binary, bits.queries.dtype) == (96, True, np.uint8)
    assert (numbers.dim, numbers.is_binary, numbers.queries.dtype) == (12, False, np.float32)
    assert np.array_equal(bits.read_rows(0, 400).astype(np.float32), numbers.read_rows(0, 400))
    assert bits.checksum != numbers.checksum


@pytest.mark.parametrize("kind", [np.float16, np.float64, np.int8, np.int64], ids=lambda kind: kind.__name__)
def test_numbers_of_any_type_become_float32(tmp_path, kind):
    rows = np.arange(-60, 60).reshape(20, 6).astype(kind)
    vectors = open_vectors(write_npy(tmp_path / "rows.npy", rows), query_count=1)
    assert as_multiset(np.concatenate([vectors.read_rows(0, 19), vectors.queries])) == as_multiset(rows.astype("f4"))


def test_rows_in_column_order_are_read_as_rows(tmp_path):
    vectors = open_vectors(write_npy(tmp_path / "rows.npy", np.asfortranarray(ROWS)), query_count=1)
    assert vectors.read_rows(3, 9).flags.c_contiguous
    assert as_multiset(np.concatenate([vectors.read_rows(0, 499), vectors.queries])) == as_multiset(ROWS)


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.large_list(pa.float64()), pa.list_(pa.float16())], ids=str)
def test_lists_of_any_kind_are_vectors(tmp_path, kind):
    rows = ROWS.astype(np.float16).astype(np.float32)
    vectors = open_vectors(write_parquet(tmp_path / "rows.parquet", rows, kind=kind), query_count=10)
    assert as_multiset(np.concatenate([vectors.read_rows(0, 490), vectors.queries])) == as_multiset(rows)


def test_columns_are_chosen_by_name_where_there_are_two(tmp_path):
    path = tmp_path / "two.parquet"
    pq.write_table(pa.table({"title": ["a", "b"], "one": [[1.0], [2.0]], "two": [[3.0, 4.0], [5.0, 6.0]]}), path)
    assert open_vectors(path, column="two").dim == 2
    with pytest.raises(UsageError, match="2 columns of vectors") as caught:
        open_vectors(path)
    assert caught.value.hint == "name one: one, two"
    with pytest.raises(NotFoundError) as caught:
        open_vectors(path, column="tow")
    assert caught.value.hint == "did you mean two?"
    with pytest.raises(UsageError, match="holds string, no lists of numbers"):
        open_vectors(path, column="title")


def put_in(rows, value):
    changed = rows.copy()
    changed[137, 5] = value
    return changed


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf], ids=str)
@pytest.mark.parametrize("ending", [".fvecs", ".npy", ".parquet", ".hdf5"])
def test_a_value_that_is_no_number_is_named(tmp_path, ending, value):
    path = {**WRITERS, ".hdf5": write_hdf5}[ending](tmp_path / f"rows{ending}", put_in(ROWS, value))
    with pytest.raises(SchemaError, match=f"row 137 has {value} at place 5"):
        read_all(path)


def test_a_number_too_large_for_float32_is_named(tmp_path):
    path = write_npy(tmp_path / "rows.npy", put_in(ROWS.astype(np.float64), 1e300))
    with pytest.raises(SchemaError, match="row 137 has 1e\\+300 at place 5"):
        open_vectors(path).read_rows(0, 400)


def test_large_numbers_of_both_signs_are_fine(tmp_path):
    path = write_npy(tmp_path / "rows.npy", np.full((40, 4), np.float32(3e38)))
    assert open_vectors(path).read_rows(0, 20)[0, 0] == np.float32(3e38)


@pytest.mark.parametrize("ending", sorted(VECTOR_FORMATS))
def test_an_empty_file_says_so(tmp_path, ending):
    path = tmp_path / f"rows{ending}"
    path.touch()
    with pytest.raises(SchemaError, match="the file is empty"):
        open_vectors(path)


@pytest.mark.parametrize("ending", [".npy", ".parquet", ".hdf5"])
def test_a_table_without_rows_says_so(tmp_path, ending):
    path = {**WRITERS, ".hdf5": write_hdf5}[ending](tmp_path / f"rows{ending}", ROWS[:0])
    with pytest.raises(SchemaError, match="there is no row"):
        open_vectors(path)


@pytest.mark.parametrize("ending", sorted(VECTOR_FORMATS))
@pytest.mark.parametrize("share", [0.01, 0.6, 0.999])
def test_a_file_cut_off_is_refused(tmp_path, ending, share):
    rows = BYTES if ending == ".bvecs" else ROWS
    path = {**WRITERS, ".hdf5": write_hdf5}[ending](tmp_path / f"rows{ending}", rows)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share) // 7 * 7])
    with pytest.raises(SchemaError, match=str(path)):
        read_all(path)


def test_a_texmex_file_cut_off_names_the_row(tmp_path):
    path = write_texmex(tmp_path / "rows.fvecs", ROWS)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(SchemaError, match="ends inside row 499: 42 of 52 bytes"):
        open_vectors(path)


@pytest.mark.parametrize("others", [13, 11, 25])
def test_rows_of_other_width_are_named(tmp_path, others):
    path = write_texmex(tmp_path / "rows.fvecs", ROWS[:60])
    rest = write_texmex(tmp_path / "rest.fvecs", np.zeros((52, others), dtype="<f4"))
    path.write_bytes(path.read_bytes() + rest.read_bytes())
    with pytest.raises(SchemaError, match=f"row 60 says it has {others} numbers, row 0 has 12"):
        read_all(path)


@pytest.mark.parametrize("bad, found", [([1.0], "1 numbers"), (None, "nothing"), ([1.0, None], "nan at place 1")])
def test_a_list_that_does_not_fit_is_named(tmp_path, bad, found):
    lists = [[1.0, 2.0]] * 40 + [bad] + [[3.0, 4.0]] * 40
    pq.write_table(pa.table({"v": pa.array(lists, pa.list_(pa.float32()))}), tmp_path / "rows.parquet")
    with pytest.raises(SchemaError, match=f"row 40 .*{found}"):
        read_all(tmp_path / "rows.parquet", query_count=1)


def test_a_file_written_to_while_in_use_is_noticed(tmp_path):
    path = write_npy(tmp_path / "rows.npy", ROWS)
    vectors = open_vectors(path)
    write_npy(path, ROWS[:400])
    with pytest.raises(ConflictError, match="has changed since it was opened"):
        vectors.read_rows(0, 10)
    with pytest.raises(ConflictError):
        _ = vectors.checksum


def test_the_checksum_is_of_the_bytes_not_of_the_place(tmp_path):
    path = write_npy(tmp_path / "rows.npy", ROWS)
    copy = shutil.copy(path, tmp_path / "copy.npy")
    other = write_npy(tmp_path / "other.npy", put_in(ROWS, 0))
    assert open_vectors(path).checksum == open_vectors(copy).checksum != open_vectors(other).checksum


@pytest.mark.parametrize(
    "tables, message",
    [
        pytest.param({"train": ROWS}, "no table 'test'; there are: train", id="no queries"),
        pytest.param({"train": ROWS, "test": ROWS[:, :5]}, "train has shape", id="widths"),
        pytest.param({"train": ROWS, "test": ROWS[:0]}, "test has no query", id="no query"),
        pytest.param({"train": ROWS, "test": ROWS, "neighbors": np.zeros((3, 2), int)}, "fit together", id="rows"),
        pytest.param({"train": ROWS, "test": ROWS, "neighbors": np.full((500, 2), 500)}, "is no row", id="ids"),
    ],
)
def test_tables_that_do_not_fit_are_refused(tmp_path, tables, message):
    with h5py.File(tmp_path / "set.hdf5", "w") as file:
        file.attrs["distance"] = "euclidean"
        for name, table in tables.items():
            file[name] = table
    with pytest.raises(SchemaError, match=message):
        open_vectors(tmp_path / "set.hdf5")


def test_an_unknown_distance_and_lists_of_unequal_size_are_refused(tmp_path):
    with pytest.raises(SchemaError, match="distance 'manhattan' is unknown"):
        open_vectors(write_hdf5(tmp_path / "a.hdf5", ROWS, distance="manhattan"))
    with pytest.raises(UnsupportedError, match="sets of unequal size"):
        open_vectors(write_hdf5(tmp_path / "b.hdf5", np.arange(100), distance="jaccard"))


@pytest.mark.parametrize(
    "name, options, error",
    [
        pytest.param("gone.npy", {}, NotFoundError, id="no file"),
        pytest.param("rows.txt", {}, UnsupportedError, id="unknown ending"),
        pytest.param("rows.ivecs", {}, UsageError, id="ids"),
        pytest.param("rows.npy", {"column": "v"}, UsageError, id="column of an array"),
        pytest.param("rows.npy", {"is_binary": True}, UsageError, id="bits of floats"),
        pytest.param("rows.npy", {"query_count": 0}, UsageError, id="no query"),
        pytest.param("rows.npy", {"row_limit": 0}, UsageError, id="no row"),
        pytest.param("one.npy", {}, UsageError, id="one row"),
        pytest.param("flat.npy", {}, SchemaError, id="one dimension"),
        pytest.param("words.npy", {}, SchemaError, id="words"),
        pytest.param("archive.npy", {}, SchemaError, id="archive"),
    ],
)
def test_what_cannot_be_opened_says_why(tmp_path, name, options, error):
    write_npy(tmp_path / "rows.npy", ROWS)
    write_npy(tmp_path / "one.npy", ROWS[:1])
    write_npy(tmp_path / "flat.npy", ROWS[0])
    write_npy(tmp_path / "words.npy", np.array([["a", "b"]]))
    np.savez(tmp_path / "archive.npz", rows=ROWS)
    (tmp_path / "archive.npz").rename(tmp_path / "archive.npy")
    for other in ("rows.txt", "rows.ivecs"):
        shutil.copy(tmp_path / "rows.npy", tmp_path / other)
    with pytest.raises(error) as caught:
        open_vectors(tmp_path / name, **options)
    assert name in str(caught.value) or options
