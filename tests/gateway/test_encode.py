"""Columns to messages and back, against protobuf's own slow way, and chunks that never exceed their limit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymilvus.grpc_gen import schema_pb2

from milvuslab.gateway.wire.decode import decode_columns, decode_ids, empty_columns, packed_floats
from milvuslab.gateway.wire.encode import chunks_of, encode_fields, packed_vectors
from milvuslab.gateway.wire.protos import varint
from milvuslab.gateway.wire.sparse import sparse_from_bytes, sparse_rows, sparse_to_bytes
from milvuslab.gateway.wire.validate import checked_batch
from milvuslab.model.collection import CollectionSpec, DataType, FieldSpec

finite = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(st.lists(finite, max_size=300))
def test_packed_floats_are_what_protobuf_would_write(values):
    array = np.array(values, dtype="<f4")
    slow = schema_pb2.FloatArray(data=array.tolist())
    fast = schema_pb2.FloatArray()
    fast.MergeFromString(packed_vectors(array))
    assert fast == slow
    np.testing.assert_array_equal(packed_floats(slow, dtype="<f4"), array)


@given(st.integers(0, 2**40))
def test_varint_is_protobufs(value):
    message = schema_pb2.VectorField(dim=value)
    assert message.SerializeToString() == (b"\x08" + varint(value) if value else b"")


@given(st.lists(st.integers(1, 50), max_size=200), st.integers(1, 120))
def test_chunks_cover_every_row_once_and_stay_small(sizes, limit):
    row_bytes = np.array(sizes, dtype=np.int64)
    ranges = chunks_of(row_bytes, chunk_bytes=limit)
    assert [row for begin, end in ranges for row in range(begin, end)] == list(range(len(sizes)))
    for begin, end in ranges:
        assert end - begin == 1 or row_bytes[begin:end].sum() <= limit


@given(st.lists(st.dictionaries(st.integers(0, 2**32 - 2), finite, max_size=8), max_size=20))
def test_sparse_vectors_come_back(rows):
    assert sparse_from_bytes(sparse_to_bytes(sparse_rows(rows, where="v"))) == rows


def test_sparse_triples_are_the_same_vectors():
    rows = [{1: 0.5, 7: 2.0}, {}, {3: 1.0}]
    triple = (np.array([1, 7, 3]), np.array([0.5, 2.0, 1.0]), np.array([0, 2, 2, 3]))
    assert sparse_to_bytes(sparse_rows(triple, where="v")) == sparse_to_bytes(sparse_rows(rows, where="v"))


FIELDS = (
    FieldSpec(name="id", data_type=DataType.INT64, is_primary=True),
    FieldSpec(name="floats", data_type=DataType.FLOAT_VECTOR, dim=3),
    FieldSpec(name="bits", data_type=DataType.BINARY_VECTOR, dim=16),
    FieldSpec(name="sparse", data_type=DataType.SPARSE_FLOAT_VECTOR),
    FieldSpec(name="tiny", data_type=DataType.INT8),
    FieldSpec(name="flag", data_type=DataType.BOOL),
    FieldSpec(name="single", data_type=DataType.FLOAT),
    FieldSpec(name="double", data_type=DataType.DOUBLE),
    FieldSpec(name="text", data_type=DataType.VARCHAR, max_length_bytes=50),
    FieldSpec(name="json", data_type=DataType.JSON),
    FieldSpec(
        name="words", data_type=DataType.ARRAY, element_type=DataType.VARCHAR, max_capacity=3, max_length_bytes=9
    ),
)
SPEC = CollectionSpec(name="docs", fields=FIELDS, has_dynamic_field=True)
ROWS = 6
COLUMNS = {
    "id": np.arange(ROWS),
    "floats": np.arange(ROWS * 3, dtype=np.float32).reshape(ROWS, 3),
    "bits": np.arange(ROWS * 2, dtype=np.uint8).reshape(ROWS, 2),
    "sparse": [{row: 1.5} for row in range(ROWS)],
    "tiny": np.arange(ROWS) - 3,
    "flag": [row % 2 == 0 for row in range(ROWS)],
    "single": np.arange(ROWS) / 2,
    "double": np.arange(ROWS) / 3,
    "text": [f"글 {row}" for row in range(ROWS)],
    "json": [{"a": [row]} for row in range(ROWS)],
    "words": [["a"] * (row % 3) for row in range(ROWS)],
    "extra": [row if row % 2 else None for row in range(ROWS)],
}


@pytest.mark.parametrize(("begin", "end"), [(0, ROWS), (2, 5), (5, 6)])
def test_a_slice_of_every_type_comes_back(begin, end):
    batch = checked_batch(SPEC, COLUMNS)
    messages = encode_fields(SPEC, batch, begin=begin, end=end)
    wire = [schema_pb2.FieldData.FromString(message.SerializeToString()) for message in messages]
    columns = decode_columns(wire, wanted=list(COLUMNS), spec=SPEC)
    for name, column in COLUMNS.items():
        found = columns[name].tolist() if isinstance(columns[name], np.ndarray) else columns[name]
        wanted = batch.columns.get(name, column)
        wanted = column if not isinstance(wanted, np.ndarray) else wanted.tolist()
        assert found == list(wanted)[begin:end], name


def test_answers_without_rows_keep_their_shapes():
    columns = empty_columns(SPEC, list(COLUMNS))
    assert columns["floats"].shape == (0, 3)
    assert columns["bits"].shape == (0, 2)
    assert columns["tiny"].dtype == np.int8
    assert columns["text"] == columns["extra"] == []


def test_keys_of_both_kinds():
    numbers = schema_pb2.IDs(int_id=schema_pb2.LongArray(data=[3, -(2**63)]))
    words = schema_pb2.IDs(str_id=schema_pb2.StringArray(data=["a", "b"]))
    assert decode_ids(numbers).tolist() == [3, -(2**63)]
    assert decode_ids(words).tolist() == ["a", "b"]
