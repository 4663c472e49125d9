"""Specs accept what Milvus accepts and refuse, with a word of help, what it does not."""

import dataclasses

import pytest

from milvuslab.model.collection import CollectionSpec, Consistency, DataType, FieldSpec, FunctionSpec, check_name
from milvuslab.model.errors import NotFoundError, SchemaError

ID = FieldSpec(name="id", data_type=DataType.INT64, is_primary=True)
VECTOR = FieldSpec(name="vector", data_type=DataType.FLOAT_VECTOR, dim=8)
LANGUAGE = FieldSpec(name="language", data_type=DataType.VARCHAR, max_length_bytes=8)


def test_a_collection_knows_its_fields():
    key = dataclasses.replace(LANGUAGE, is_partition_key=True)
    spec = CollectionSpec(name="books", fields=(ID, VECTOR, key))
    assert spec.primary == ID
    assert spec.partition_key == key
    assert spec.vector_fields == (VECTOR,)
    assert spec.field("language") == key
    assert spec.consistency is Consistency.BOUNDED
    with pytest.raises(NotFoundError, match="books has no field languag") as caught:
        spec.field("languag")
    assert caught.value.hint == "did you mean language?"


def test_specs_are_values():
    assert CollectionSpec(name="a", fields=(ID, VECTOR)) == CollectionSpec(name="a", fields=(ID, VECTOR))
    assert len({CollectionSpec(name="a", fields=(ID, VECTOR)), CollectionSpec(name="a", fields=(ID, VECTOR))}) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        ID.name = "other"


@pytest.mark.parametrize(
    "change, message",
    [
        pytest.param({"fields": (ID, VECTOR, VECTOR)}, "names a field twice: vector", id="field twice"),
        pytest.param({"fields": (VECTOR,)}, "exactly one primary", id="no key"),
        pytest.param(
            {"fields": (ID, dataclasses.replace(ID, name="id2"), VECTOR)}, "exactly one primary", id="two keys"
        ),
        pytest.param({"fields": (ID, LANGUAGE)}, "no vector field", id="no vector"),
        pytest.param({"fields": (dataclasses.replace(ID, is_partition_key=True), VECTOR)}, "at once", id="both keys"),
        pytest.param({"shard_count": 0}, "0 shards", id="no shard"),
        pytest.param({"shard_count": 17}, "17 shards", id="too many shards"),
        pytest.param({"partition_count": 8}, "no partition key", id="partitions without key"),
        pytest.param({"name": "my books"}, "no collection name", id="name"),
    ],
)
def test_collections_that_milvus_refuses(change, message):
    with pytest.raises(SchemaError, match=message):
        dataclasses.replace(CollectionSpec(name="books", fields=(ID, VECTOR)), **change)


def test_two_partition_keys_are_refused():
    keys = tuple(dataclasses.replace(LANGUAGE, name=name, is_partition_key=True) for name in ("a", "b"))
    with pytest.raises(SchemaError, match="more than one partition key"):
        CollectionSpec(name="books", fields=(ID, VECTOR, *keys))


@pytest.mark.parametrize("partition_count, is_fine", [(0, False), (1, True), (4_096, True), (4_097, False)])
def test_the_number_of_partitions_has_limits(partition_count, is_fine):
    fields = (ID, VECTOR, dataclasses.replace(LANGUAGE, is_partition_key=True))
    if is_fine:
        CollectionSpec(name="books", fields=fields, partition_count=partition_count)
    else:
        with pytest.raises(SchemaError, match="partitions"):
            CollectionSpec(name="books", fields=fields, partition_count=partition_count)


@pytest.mark.parametrize("data_type", DataType)
def test_every_type_can_be_a_field(data_type):
    values = {
        DataType.VARCHAR: {"max_length_bytes": 100},
        DataType.ARRAY: {"element_type": DataType.INT64, "max_capacity": 10},
        DataType.FLOAT_VECTOR: {"dim": 8},
        DataType.BINARY_VECTOR: {"dim": 16},
    }.get(data_type, {})
    field = FieldSpec(name="x", data_type=data_type, **values)
    assert field.data_type.is_vector == ("VECTOR" in str(data_type))
    assert field.data_type.has_dim == ("dim" in values)


@pytest.mark.parametrize(
    "values, message",
    [
        pytest.param({"data_type": DataType.FLOAT_VECTOR}, "dim None", id="vector without dim"),
        pytest.param({"data_type": DataType.FLOAT_VECTOR, "dim": 0}, "dim 0", id="dim too small"),
        pytest.param({"data_type": DataType.FLOAT_VECTOR, "dim": 32_769}, "dim 32769", id="dim too large"),
        pytest.param({"data_type": DataType.BINARY_VECTOR, "dim": 12}, "dim 12", id="bits not in bytes"),
        pytest.param({"data_type": DataType.SPARSE_FLOAT_VECTOR, "dim": 8}, "takes no dim", id="sparse with dim"),
        pytest.param({"data_type": DataType.INT64, "dim": 8}, "takes no dim", id="number with dim"),
        pytest.param({"data_type": DataType.VARCHAR}, "max_length_bytes None", id="text without length"),
        pytest.param({"data_type": DataType.VARCHAR, "max_length_bytes": 65_536}, "65536", id="text too long"),
        pytest.param({"data_type": DataType.INT64, "max_length_bytes": 8}, "takes no max_length", id="number of length"),
        pytest.param({"data_type": DataType.JSON, "is_primary": True}, "a key is INT64", id="JSON key"),
        pytest.param({"data_type": DataType.FLOAT, "is_partition_key": True}, "a key is INT64", id="float key"),
        pytest.param({"data_type": DataType.ARRAY, "max_capacity": 8}, "ARRAY of None", id="array of nothing"),
        pytest.param(
            {"data_type": DataType.ARRAY, "max_capacity": 8, "element_type": DataType.JSON}, "not nest", id="array of JSON"
        ),
        pytest.param(
            {"data_type": DataType.ARRAY, "max_capacity": 0, "element_type": DataType.INT8}, "capacity 0", id="no capacity"
        ),
        pytest.param(
            {"data_type": DataType.ARRAY, "max_capacity": 8, "element_type": DataType.VARCHAR},
            "max_length_bytes None",
            id="array of endless text",
        ),
        pytest.param({"data_type": DataType.INT64, "max_capacity": 8}, "only ARRAY", id="number with capacity"),
        pytest.param({"data_type": DataType.INT64, "analyzer": {}}, "only a VARCHAR", id="number cut into words"),
    ],
)  # fmt: skip
def test_fields_that_milvus_refuses(values, message):
    with pytest.raises(SchemaError, match=message):
        FieldSpec(name="x", **values)


@pytest.mark.parametrize("name", ["a", "_a", "A1", "a" * 255])
def test_names_that_milvus_takes(name):
    assert check_name(name, what="collection") == name


@pytest.mark.parametrize("name", ["", "1a", "a-b", "a b", "책", "a\n", "a" * 256, "$meta", "RowID", "a;drop"])
def test_names_that_milvus_refuses(name):
    with pytest.raises(SchemaError, match="no collection name"):
        check_name(name, what="collection")


WORDS = FieldSpec(name="words", data_type=DataType.VARCHAR, max_length_bytes=100, analyzer={})
SPARSE = FieldSpec(name="sparse", data_type=DataType.SPARSE_FLOAT_VECTOR)
BM25 = FunctionSpec(name="bm25", input_field="words", output_field="sparse")


def test_a_function_fills_a_field():
    spec = CollectionSpec(name="books", fields=(ID, VECTOR, WORDS, SPARSE), functions=(BM25,))
    assert spec.computed_names == {"sparse"}
    assert hash(spec) == hash(dataclasses.replace(spec)), "an analyzer is a mapping"
    assert CollectionSpec(name="books", fields=(ID, VECTOR)).computed_names == frozenset()


@pytest.mark.parametrize(
    "functions, message",
    [
        pytest.param([dataclasses.replace(BM25, input_field="language")], "no analyzer", id="reads text that is not cut"),
        pytest.param([dataclasses.replace(BM25, output_field="vector")], "FLOAT_VECTOR", id="writes a dense vector"),
        pytest.param([BM25, dataclasses.replace(BM25, name="other")], "the same field", id="two write one field"),
    ],
)  # fmt: skip
def test_functions_that_milvus_refuses(functions, message):
    with pytest.raises(SchemaError, match=message):
        CollectionSpec(name="books", fields=(ID, VECTOR, LANGUAGE, WORDS, SPARSE), functions=tuple(functions))


def test_a_function_names_fields_that_are_there():
    with pytest.raises(NotFoundError, match="no field sparse"):
        CollectionSpec(name="books", fields=(ID, VECTOR, WORDS), functions=(BM25,))
