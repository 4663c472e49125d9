"""Rows written are the rows read, whatever their types."""

import contextlib

import numpy as np
import pytest

from milvuslab.gateway import RetryPolicy, connect
from milvuslab.model.collection import CollectionSpec, Consistency, DataType, FieldSpec
from milvuslab.model.errors import LimitError, PartialError, RejectedError, SchemaError, UnsupportedError, UsageError
from milvuslab.model.filter import where
from tests.contract.conftest import FLAT, KEY, TITLE, VECTOR, YEAR, book_columns, vectors

STRONG = Consistency.STRONG
ROWS = 7
SCALARS = {
    "BOOL": [True, False, True, True, False, False, True],
    "INT8": [-128, 127, 0, 1, -1, 5, 6],
    "INT16": [-(2**15), 2**15 - 1, 0, 1, -1, 5, 6],
    "INT32": [-(2**31), 2**31 - 1, 0, 1, -1, 5, 6],
    "INT64": [-(2**63), 2**63 - 1, 0, 1, -1, 5, 6],
    "FLOAT": [0.0, -1.5, 3.4e38, 1e-38, 16777216.0, 0.1, 7.0],
    "DOUBLE": [0.0, -1.5, 1.7e308, 5e-324, 0.1, 1 / 3, 7.0],
    "VARCHAR": ["", "plain", "한국어", "🦆", 'q"\\', "nul\x00", "new\nline"],
    "JSON": [{}, {"a": [1, 2.5, None]}, {"한": "글"}, {"deep": {"er": True}}, {"n": 2**53 + 1}, {"e": ""}, {"l": []}],
}
ARRAY_VALUES = [[1, 2], [], [-3], [2**62], [0] * 4, [5], [6]]


@pytest.fixture
def every_type(capabilities):
    """Fields of every scalar type that the server takes, with values that lie at the edges."""
    fields, columns = [], {}
    for kind, values in SCALARS.items():
        if kind in capabilities.data_types:
            length = 100 if kind == "VARCHAR" else None
            fields.append(FieldSpec(name=f"a_{kind.lower()}", data_type=DataType(kind), max_length_bytes=length))
            columns[fields[-1].name] = values
    if "ARRAY" in capabilities.data_types:
        fields.append(FieldSpec(name="an_array", data_type=DataType.ARRAY, element_type=DataType.INT64, max_capacity=4))
        columns["an_array"] = ARRAY_VALUES
    return fields, columns


def test_every_scalar_type_comes_back_as_it_went(gateway, filled, every_type, capabilities):
    fields, columns = every_type
    dynamic = {"color": ["red", 5, None, [1], {"a": 1}, True, 2.5]} if capabilities.has("dynamic_field") else {}
    keys = [10, 11, 12, 13, 14, 15, 16]
    name = filled(
        KEY, VECTOR, *fields,
        columns={"id": keys, "vector": vectors(ROWS), **columns, **dynamic}, has_dynamic_field=bool(dynamic),
    )  # fmt: skip
    found = gateway.rows.get(name, keys, ["vector", *columns, *dynamic], consistency=STRONG)
    assert found["id"].tolist() == keys
    assert found["vector"].dtype == np.float32
    np.testing.assert_array_equal(found["vector"], vectors(ROWS))
    for field, values in columns.items():
        column = found[field].tolist() if isinstance(found[field], np.ndarray) else found[field]
        wanted = np.float32(values).tolist() if field == "a_float" else values
        assert column == wanted, field
    assert [found.get(field) for field in dynamic] == list(dynamic.values())


def test_rows_are_read_by_key_page_and_filter(gateway, library):
    titles = gateway.rows.get(library, [42, 7, 10_000, 7], ["title"])
    assert (titles["id"].tolist(), titles["title"]) == ([42, 7], ["book 42", "book 7"])
    page = gateway.rows.query(library, where=where("year") >= 1990, fields=["year"], limit=5)
    assert len(page["id"]) == 5
    assert page["year"].dtype == np.int32
    assert min(page["year"]) >= 1990
    everything = gateway.rows.query(library, fields=["title"])
    assert everything["id"].tolist() == list(range(100))
    pages = list(gateway.rows.iterate(library, where=where("id") < 95, fields=["id"], batch_rows=40))
    assert [len(page["id"]) for page in pages] == [40, 40, 15]
    nothing = gateway.rows.query(library, where=where("year") < 0, fields=["year", "title"], limit=5)
    assert (len(nothing["id"]), len(nothing["year"]), nothing["title"]) == (0, 0, [])


def test_rows_are_counted_exactly(gateway, library):
    assert gateway.rows.count(library) == 100
    assert gateway.rows.count(library, where("year") < 1910) == 10
    assert gateway.rows.count(library, where("title").is_in([])) == 0


def test_windows_beyond_the_server_are_refused_here(gateway, library):
    with pytest.raises(LimitError, match="16,384"):
        gateway.rows.query(library, limit=16_000, offset=1_000)
    with pytest.raises(LimitError, match="16,384"):
        gateway.search(library, vectors(1), limit=20_000)
    with pytest.raises(UsageError, match="offset"):
        gateway.rows.query(library, offset=3)


def test_what_does_not_fit_is_refused_before_anything_is_sent(gateway, library):
    good = book_columns(2, begin=500)
    wrong = [
        ({**good, "titel": good["title"]}, "titel"),
        ({key: column for key, column in good.items() if key != "year"}, "year"),
        ({**good, "title": ["one"]}, "length"),
        ({**good, "title": ["a", "b" * 201]}, "row 1"),
        ({**good, "year": [1, 2**31]}, "row 1"),
        ({**good, "year": [1.5, 2.0]}, "year"),
        ({**good, "vector": np.full((2, 8), np.nan, dtype=np.float32)}, "row 0"),
        ({**good, "vector": vectors(2, dim=7)}, "8"),
        ({**good, "title": ["ok", None]}, "row 1"),
    ]
    for columns, words in wrong:
        with pytest.raises(SchemaError, match=words):
            gateway.rows.insert(library, columns)
    assert gateway.rows.count(library, consistency=STRONG) == 100


def test_writing_deleting_and_replacing(gateway, name, filled, capabilities):
    filled(KEY, VECTOR, TITLE, YEAR, columns=book_columns(30))
    report = gateway.rows.delete(name, ids=[0, 1, 2])
    assert (report.count, report.ids.tolist()) == (3, [0, 1, 2])
    assert gateway.rows.delete(name, where=where("title").is_in(["book 5", "book 6", "nowhere"])).count == 2
    assert gateway.rows.delete(name, where=where("year").is_in([])).count == 0
    assert gateway.rows.count(name, consistency=STRONG) == 25
    with pytest.raises(UsageError):
        gateway.rows.delete(name)
    changed = {**book_columns(1, begin=9), "title": ["changed"]}
    if not capabilities.has("upsert"):
        with pytest.raises(UnsupportedError):
            gateway.rows.upsert(name, changed)
        return
    assert gateway.rows.upsert(name, changed).count == 1
    assert gateway.rows.get(name, [9], ["title"], consistency=STRONG)["title"] == ["changed"]
    assert gateway.rows.count(name, consistency=STRONG) == 25


def test_keys_that_the_server_makes(gateway, name):
    spec = CollectionSpec(name=name, fields=(KEY, VECTOR), is_auto_id=True)
    gateway.collections.create(spec, [FLAT])
    assert gateway.collections.describe(name).is_auto_id
    report = gateway.rows.insert(name, {"vector": vectors(5)})
    assert (report.count, len(set(report.ids.tolist()))) == (5, 5)
    with pytest.raises(SchemaError, match="makes its own"):
        gateway.rows.insert(name, {"id": [1], "vector": vectors(1)})
    gateway.collections.load(name)
    found = gateway.rows.get(name, report.ids, ["vector"], consistency=STRONG)
    np.testing.assert_array_equal(found["vector"], vectors(5))


def test_keys_of_text_and_many_chunks(gateway, endpoint, name):
    key = FieldSpec(name="name", data_type=DataType.VARCHAR, max_length_bytes=60, is_primary=True)
    gateway.collections.create(CollectionSpec(name=name, fields=(key, VECTOR)), [FLAT])
    names = [f'이름 "{number:03}"' for number in range(200)]
    with connect(endpoint, retry=RetryPolicy.never(), chunk_bytes=1_000) as small:
        report = small.rows.insert(name, {"name": names, "vector": vectors(200)})
    assert (report.count, report.ids.tolist()) == (200, names)
    gateway.collections.load(name)
    found = gateway.rows.query(name, fields=["vector"], consistency=STRONG)
    assert found["name"] == sorted(names)
    hits = gateway.search(name, vectors(200)[17], limit=1, consistency=STRONG)
    assert hits.ids.tolist() == [names[17]]
    assert gateway.rows.delete(name, ids=names[:10]).count == 10
    assert gateway.rows.count(name, consistency=STRONG) == 190


def test_a_write_that_breaks_off_says_how_far_it_came(gateway, endpoint, name, needs):
    needs("json")
    fields = (KEY, VECTOR, FieldSpec(name="meta", data_type=DataType.JSON))
    gateway.collections.create(CollectionSpec(name=name, fields=fields, has_dynamic_field=True), [FLAT])
    # Lite and 2.3.5 refuse a number as a JSON value, 2.2.16 takes it.
    documents = [{"row": row} if row != 5 else 5 for row in range(10)]
    columns = {"id": np.arange(10), "vector": vectors(10), "meta": documents}
    with connect(endpoint, retry=RetryPolicy.never(), chunk_bytes=1) as small:
        broken = None
        try:
            done_count = small.rows.insert(name, columns).count
        except PartialError as error:
            broken, done_count = error, error.done_count
        if broken is not None:
            assert (done_count, broken.failed_ids) == (5, (5, 6, 7, 8, 9))
            assert "5 of 10 rows" in broken.message
        with pytest.raises((SchemaError, RejectedError)) if done_count == 5 else contextlib.nullcontext():
            small.rows.insert(name, {"id": [20], "vector": vectors(1), "meta": [5]})
    gateway.collections.load(name)
    keys = gateway.rows.query(name, fields=["id"], consistency=STRONG)["id"].tolist()
    assert keys == list(range(done_count)) + ([20] if done_count == 10 else [])


def test_binary_vectors(gateway, filled, needs):
    needs("binary")
    from milvuslab.model.index import IndexSpec
    from milvuslab.model.metric import Metric

    field = FieldSpec(name="vector", data_type=DataType.BINARY_VECTOR, dim=16)
    bits = np.random.default_rng(0).integers(0, 2, (50, 16), dtype=np.uint8)
    packed = np.packbits(bits, axis=1)
    index = IndexSpec(field_name="vector", index_type="BIN_FLAT", metric=Metric.HAMMING)
    name = filled(KEY, field, columns={"id": np.arange(50), "vector": packed}, indexes=(index,))
    hits = gateway.search(name, packed[:3], limit=5, output_fields=["vector"], consistency=STRONG)
    differing = (bits[:3, None, :] != bits[None, :, :]).sum(axis=2)
    for query in range(3):
        rows = hits.of_query(query)
        assert hits.scores[rows].tolist() == np.sort(differing[query])[:5].tolist()
        assert differing[query][hits.ids[rows]].tolist() == hits.scores[rows].tolist()
    np.testing.assert_array_equal(hits.columns["vector"], packed[hits.ids])


def test_sparse_vectors(gateway, filled, needs):
    needs("sparse")
    from milvuslab.model.index import IndexSpec
    from milvuslab.model.metric import Metric

    field = FieldSpec(name="vector", data_type=DataType.SPARSE_FLOAT_VECTOR)
    rows = [{row: 1.0, 1000: 0.5 * row} for row in range(1, 21)]
    index = IndexSpec(field_name="vector", index_type="SPARSE_INVERTED_INDEX", metric=Metric.IP)
    name = filled(KEY, field, columns={"id": np.arange(1, 21), "vector": rows}, indexes=(index,))
    hits = gateway.search(name, [{7: 2.0}, {1000: 1.0}], limit=3, consistency=STRONG)
    assert hits.ids[hits.of_query(0)][0] == 7
    assert hits.scores[hits.of_query(0)][0] == pytest.approx(2.0)
    assert hits.ids[hits.of_query(1)].tolist() == [20, 19, 18]
    found = gateway.rows.get(name, [3], ["vector"], consistency=STRONG)
    assert found["vector"] == [{3: 1.0, 1000: 1.5}]
