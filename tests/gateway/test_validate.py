"""Columns are checked whole, and a fault is named by field and row."""

import numpy as np
import pytest

from milvuslab.gateway.wire.validate import checked_batch, checked_queries
from milvuslab.model.collection import CollectionSpec, DataType, FieldSpec
from milvuslab.model.errors import SchemaError

KEY = FieldSpec(name="id", data_type=DataType.INT64, is_primary=True)
VECTOR = FieldSpec(name="vector", data_type=DataType.FLOAT_VECTOR, dim=2)


def check(field, column, **properties):
    spec = CollectionSpec(name="docs", fields=(KEY, VECTOR, field), **properties)
    count = len(column[2]) - 1 if isinstance(column, tuple) else len(column)
    return checked_batch(spec, {"id": np.arange(count), "vector": np.zeros((count, 2)), field.name: column})


def scalar(kind, **params):
    return FieldSpec(name="value", data_type=DataType(kind), **params)


@pytest.mark.parametrize(
    ("field", "column", "words"),
    [
        (scalar("INT8"), [0, 128], "row 1 is 128, outside -128 to 127"),
        (scalar("INT8"), np.array([0, -129]), "row 1 is -129"),
        (scalar("INT64"), np.array([2**63], dtype=np.uint64), "row 0"),
        (scalar("INT64"), [2**63], "64 bits"),
        (scalar("INT32"), [1, 2.0], r"row 1 is 2\.0"),
        (scalar("INT32"), [1, True], "row 1 is True"),
        (scalar("INT32"), np.array([1.0]), "float64"),
        (scalar("INT32"), ["1"], "row 0 is '1'"),
        (scalar("BOOL"), [True, 1], "row 1 is 1"),
        (scalar("BOOL"), np.array([0, 1]), "int64"),
        (scalar("FLOAT"), [0.5, float("nan")], "row 1 holds NaN"),
        (scalar("FLOAT"), [1e39], "row 0 holds NaN, an infinity or a number too large"),
        (scalar("DOUBLE"), [float("inf")], "row 0"),
        (scalar("DOUBLE"), [None], "row 0 is None"),
        (scalar("VARCHAR", max_length_bytes=3), ["abc", "가나"], "row 1 has 6 bytes, more than 3"),
        (scalar("VARCHAR", max_length_bytes=3), ["a", b"b"], "row 1"),
        (scalar("VARCHAR", max_length_bytes=9), ["a", "\ud800"], "row 1 holds half a surrogate pair"),
        (scalar("JSON"), [{"a": float("nan")}], "row 0 is no JSON"),
        (scalar("JSON"), [{}, {"a": {1, 2}}], "row 1 is no JSON"),
        (scalar("JSON"), ["x" * 70_000], "70,002 bytes"),
        (scalar("ARRAY", element_type=DataType.INT8, max_capacity=2), [[1], [1, 2, 3]], "row 1 has 3 elements"),
        (scalar("ARRAY", element_type=DataType.INT8, max_capacity=2), [[1], [300]], "row 1 element row 0 is 300"),
        (scalar("ARRAY", element_type=DataType.INT8, max_capacity=2), [[1], 5], "row 1 is 5; it takes a list"),
        (scalar("FLOAT_VECTOR", dim=3), [[1, 2, 3], [1, 2]], "row 1 has 2, not 3"),
        (scalar("FLOAT_VECTOR", dim=3), np.zeros((2, 4)), r"\(rows, 3\)"),
        (scalar("FLOAT_VECTOR", dim=3), np.array([[1, 2, np.inf]]), "row 0"),
        (scalar("FLOAT_VECTOR", dim=3), np.full((1, 3), 1e39), "row 0"),
        (scalar("BINARY_VECTOR", dim=16), np.zeros((1, 16), dtype=np.uint8), r"\(rows, 2\)"),
        (scalar("BINARY_VECTOR", dim=16), np.zeros((1, 2)), "uint8"),
        (scalar("SPARSE_FLOAT_VECTOR"), [{-1: 1.0}], "dimension -1"),
        (scalar("SPARSE_FLOAT_VECTOR"), [{1: 1.0}, {2: float("nan")}], "row 1 holds NaN"),
        (scalar("SPARSE_FLOAT_VECTOR"), [{1: "x"}], "weight 'x'"),
        (scalar("SPARSE_FLOAT_VECTOR"), [3], "row 0 is 3"),
        (
            scalar("SPARSE_FLOAT_VECTOR"),
            (np.array([2, 1]), np.array([1.0, 1.0]), np.array([0, 2])),
            "do not ascend",
        ),
    ],
)
def test_what_does_not_fit_is_named(field, column, words):
    with pytest.raises(SchemaError, match=words) as caught:
        check(field, column)
    assert "docs.value" in caught.value.message


def test_large_but_finite_vectors_pass_though_their_sum_does_not():
    vectors = np.full((4, 2), 3e38, dtype=np.float32)
    spec = CollectionSpec(name="docs", fields=(KEY, VECTOR))
    batch = checked_batch(spec, {"id": np.arange(4), "vector": vectors})
    np.testing.assert_array_equal(batch.columns["vector"], vectors)


def test_nothing_is_cast_that_could_lose_something():
    batch = check(scalar("INT16"), np.array([1, 2], dtype=np.uint64))
    assert batch.columns["value"].dtype == np.int16
    batch = check(scalar("FLOAT"), [1, 2])
    assert batch.columns["value"].dtype == np.float32


def test_missing_unknown_and_uneven_columns():
    spec = CollectionSpec(name="docs", fields=(KEY, VECTOR))
    good = {"id": [1], "vector": [[0.0, 0.0]]}
    for columns, words in (
        ({"id": [1]}, "lack vector"),
        ({**good, "vectr": [1]}, "no field vectr"),
        ({**good, "id": [1, 2]}, "id 2, vector 1"),
    ):
        with pytest.raises(SchemaError, match=words):
            checked_batch(spec, columns)
    assert checked_batch(spec, {"id": [], "vector": []}).row_count == 0


def test_dynamic_fields_travel_as_json():
    spec = CollectionSpec(name="docs", fields=(KEY, VECTOR), has_dynamic_field=True)
    columns = {"id": [1, 2], "vector": np.zeros((2, 2)), "color": np.array([5, 6]), "tags": [["a"], None]}
    batch = checked_batch(spec, columns)
    assert batch.dynamic == [b'{"color":5,"tags":["a"]}', b'{"color":6,"tags":null}']
    with pytest.raises(SchemaError, match="dynamic fields row 1"):
        checked_batch(spec, {**columns, "tags": [1, {1}]})
    with pytest.raises(SchemaError, match=r"\$meta"):
        checked_batch(spec, {**columns, "$meta": [1, 2]})


def test_a_single_query_is_a_table_of_one():
    assert checked_queries(VECTOR, [1.0, 2.0], where="q").shape == (1, 2)
    with pytest.raises(SchemaError, match="empty"):
        checked_queries(VECTOR, np.empty((0, 2)), where="q")
