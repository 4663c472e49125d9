"""Equal rows have equal digests, different ones do not, and order does not matter."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvuslab.journal.digest import MultisetDigest, compute_row_digests
from milvuslab.model.collection import CollectionSpec, DataType, FieldSpec
from milvuslab.model.errors import SchemaError

SPEC = CollectionSpec(
    name="all_types",
    has_dynamic_field=True,
    fields=(
        FieldSpec(name="id", data_type=DataType.INT64, is_primary=True),
        FieldSpec(name="flag", data_type=DataType.BOOL),
        FieldSpec(name="small", data_type=DataType.INT8),
        FieldSpec(name="ratio", data_type=DataType.FLOAT),
        FieldSpec(name="exact", data_type=DataType.DOUBLE),
        FieldSpec(name="name", data_type=DataType.VARCHAR, max_length_bytes=100),
        FieldSpec(name="meta", data_type=DataType.JSON),
        FieldSpec(
            name="tags", data_type=DataType.ARRAY, element_type=DataType.VARCHAR, max_capacity=5, max_length_bytes=9
        ),
        FieldSpec(name="vector", data_type=DataType.FLOAT_VECTOR, dim=2),
        FieldSpec(name="bits", data_type=DataType.BINARY_VECTOR, dim=16),
        FieldSpec(name="sparse", data_type=DataType.SPARSE_FLOAT_VECTOR),
    ),
)
ROW: dict[str, Any] = {
    "id": 1, "flag": True, "small": -3, "ratio": 0.5, "exact": 0.1, "name": "한글", "meta": {"b": 1, "a": [None, 2.5]},
    "tags": ["x", "yz"], "vector": [0.25, -0.0], "bits": b"\x01\xff", "sparse": {7: 0.5, 2: 1.0}, "extra": "dynamic",
}  # fmt: skip


def digest(row: dict[str, Any], *, partition: str = "") -> bytes:
    return compute_row_digests(SPEC, {name: [value] for name, value in row.items()}, partition=partition)[0]


def test_the_encoding_is_the_one_that_was_published() -> None:
    # A stored digest must mean the same for ever; this value is only to be changed together with a new format.
    assert digest(ROW).hex() == "b7e0626d9569dcebdab047ea6987738d132218a55c09f747e23e93f592149b98"


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("id", 2), ("flag", False), ("small", 3), ("ratio", 0.5000001), ("exact", 0.1000000001),
        ("name", "\u1112\u1161\u11ab\u1100\u1173\u11af"),
        ("meta", {"b": 1, "a": [None, 2]}), ("tags", ["xy", "z"]), ("vector", [0.25, 0.0]), ("bits", b"\x01\xfe"),
        ("sparse", {7: 0.5, 3: 1.0}), ("extra", "Dynamic"), ("extra", None), ("name", ""),
    ],
)  # fmt: skip
def test_a_change_of_any_value_changes_the_digest(name: str, other: Any) -> None:
    assert digest({**ROW, name: other}) != digest(ROW)


def test_a_missing_field_another_name_and_the_partition_count() -> None:
    less = {name: value for name, value in ROW.items() if name != "extra"}
    assert digest(less) != digest(ROW)
    assert digest({**less, "extra2": "dynamic"}) != digest(ROW)
    assert digest(ROW, partition="p") != digest(ROW)


def test_the_form_in_which_a_server_hands_values_back_does_not_matter() -> None:
    numpy_row = {
        **ROW, "id": np.int64(1), "flag": np.bool_(True), "small": np.int8(-3), "ratio": np.float32(0.5),
        "vector": np.array([0.25, -0.0], dtype=np.float32), "bits": np.array([1, 255], dtype=np.uint8),
        "meta": b'{"a": [null, 2.5], "b": 1}', "sparse": {2: 1.0, 7: 0.5},
    }  # fmt: skip
    assert digest(numpy_row) == digest(ROW)


def test_a_json_string_is_not_the_number_it_spells() -> None:
    assert digest({**ROW, "extra": "5"}) != digest({**ROW, "extra": 5})


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=30), st.randoms(use_true_random=False))
def test_order_does_not_matter_and_every_row_counts(rows: list[bytes], shuffle: random.Random) -> None:
    shuffled = list(rows)
    shuffle.shuffle(shuffled)
    whole = MultisetDigest().add(rows)
    assert MultisetDigest().add(shuffled) == whole
    assert whole.remove(rows) == MultisetDigest()
    if rows:
        assert whole.add(rows[:1]) != whole
        assert MultisetDigest().add(rows[:-1]).add(rows[-1:]) == whole


def test_columns_that_do_not_fit_are_refused() -> None:
    with pytest.raises(SchemaError, match="differ in length"):
        compute_row_digests(SPEC, {"id": [1, 2], "flag": [True]})
    strict = CollectionSpec(name="s", fields=SPEC.fields)
    with pytest.raises(SchemaError, match="no field extra"):
        compute_row_digests(strict, {"id": [1], "extra": [1]})
    assert compute_row_digests(SPEC, {}) == []
