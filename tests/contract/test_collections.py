"""Collections, partitions and aliases: what is asked for is what is there."""

import dataclasses

import numpy as np
import pytest

from milvuslab.model.collection import CollectionSpec, Consistency, DataType, FieldSpec
from milvuslab.model.errors import ConflictError, MilvusLabError, NotFoundError, SchemaError
from milvuslab.model.index import IndexSpec
from milvuslab.model.metric import Metric
from tests.contract.conftest import FLAT, KEY, TITLE, VECTOR, YEAR, book_columns, vectors

SPEC = CollectionSpec(
    name="replaced", fields=(KEY, VECTOR, TITLE, YEAR), description="책 - books", consistency=Consistency.BOUNDED
)


def test_a_collection_is_described_as_it_was_made(gateway, name, is_lite):
    spec = dataclasses.replace(SPEC, name=name)
    gateway.collections.create(spec, [FLAT])
    described = gateway.collections.describe(name)
    if is_lite:  # Lite reads its own writes at once and keeps no level
        described = dataclasses.replace(described, consistency=spec.consistency)
    assert described == spec
    assert name in gateway.collections.list()
    assert gateway.collections.exists(name)
    assert gateway.indexes.describe(name, "vector").spec.metric is Metric.L2


def test_a_second_collection_of_the_name_is_a_conflict(gateway, name):
    spec = dataclasses.replace(SPEC, name=name)
    gateway.collections.create(spec)
    with pytest.raises(ConflictError, match=name):
        gateway.collections.create(spec)


def test_a_refused_index_leaves_no_collection_behind(gateway, name):
    spec = dataclasses.replace(SPEC, name=name)
    wrong = IndexSpec(field_name="vector", index_type="HNSW", metric=Metric.HAMMING)
    with pytest.raises(MilvusLabError):
        gateway.collections.create(spec, [wrong])
    assert not gateway.collections.exists(name)


def test_dropping_what_is_not_there_is_no_error(gateway, name):
    gateway.collections.drop(name)
    assert not gateway.collections.exists(name)


def test_what_is_not_there_is_not_found(gateway, name):
    calls = [
        lambda: gateway.collections.describe(name),
        lambda: gateway.collections.load(name),
        lambda: gateway.collections.load_state(name),
        lambda: gateway.rows.insert(name, {"id": [1]}),
        lambda: gateway.rows.delete(name, ids=[1]),
        lambda: gateway.rows.query(name, limit=1),
        lambda: gateway.search(name, [[0.0] * 8], limit=1),
        lambda: gateway.indexes.list(name),
        lambda: gateway.indexes.build(name, FLAT),
    ]
    for call in calls:
        with pytest.raises(NotFoundError, match=name):
            call()


def test_a_name_that_milvus_does_not_take_is_refused_before_it_is_asked(gateway):
    with pytest.raises(SchemaError):
        gateway.collections.exists("no spaces")


def test_renaming(gateway, name, needs):
    needs("rename")
    gateway.collections.create(dataclasses.replace(SPEC, name=name))
    gateway.collections.rename(name, f"{name}_moved")
    assert not gateway.collections.exists(name)
    assert gateway.collections.describe(f"{name}_moved").field("year") == YEAR


def test_an_alias_leads_to_its_collection_and_can_be_moved(gateway, name, needs):
    needs("aliases")
    blue, green, alias = f"{name}_blue", f"{name}_green", f"{name}_alias"
    for color in (blue, green):
        gateway.collections.create(dataclasses.replace(SPEC, name=color))
    gateway.collections.aliases.create(blue, alias)
    assert gateway.collections.describe(alias).name == blue
    assert gateway.collections.aliases.list(blue) == [alias]
    with pytest.raises(ConflictError):
        gateway.collections.aliases.create(blue, alias)
    gateway.collections.aliases.alter(green, alias)
    assert gateway.collections.describe(alias).name == green
    gateway.collections.aliases.drop(alias)
    assert not gateway.collections.exists(alias)


def test_partitions(gateway, name):
    gateway.collections.create(dataclasses.replace(SPEC, name=name), [FLAT])
    partitions = gateway.collections.partitions
    partitions.create(name, "spring")
    partitions.create(name, "autumn")
    assert set(partitions.list(name)) == {"_default", "spring", "autumn"}
    with pytest.raises(ConflictError):
        partitions.create(name, "spring")
    gateway.rows.insert(name, book_columns(10), partition="spring")
    gateway.rows.insert(name, book_columns(5, begin=10), partition="autumn")
    with pytest.raises(NotFoundError):
        gateway.rows.insert(name, book_columns(1), partition="winter")
    gateway.collections.load(name)
    keys = gateway.rows.query(name, fields=["id"], partitions=["autumn"], consistency=Consistency.STRONG)["id"]
    assert sorted(keys) == [10, 11, 12, 13, 14]
    hits = gateway.search(name, vectors(1), limit=20, partitions=["spring"], consistency=Consistency.STRONG)
    assert sorted(hits.ids) == list(range(10))
    gateway.collections.release(name)
    partitions.drop(name, "autumn")
    assert not partitions.exists(name, "autumn")


def test_a_partition_key_spreads_rows_and_filters_still_find_them(gateway, name, needs, filled):
    needs("partition_key")
    city = FieldSpec(name="city", data_type=DataType.VARCHAR, max_length_bytes=30, is_partition_key=True)
    cities = [["Seoul", "Busan", "Jeju"][row % 3] for row in range(30)]
    filled(
        KEY, VECTOR, city,
        columns={"id": np.arange(30), "vector": vectors(30), "city": cities}, partition_count=4,
    )  # fmt: skip
    from milvuslab.model.filter import where

    assert gateway.collections.describe(name).partition_key == city
    keys = gateway.rows.query(name, where=where("city") == "Busan", fields=["id"])["id"]
    assert sorted(keys) == list(range(1, 30, 3))


def test_loading_releasing_and_searching_what_is_not_loaded(gateway, name):
    gateway.collections.create(dataclasses.replace(SPEC, name=name), [FLAT])
    gateway.rows.insert(name, book_columns(3))
    assert gateway.collections.load_state(name) in ("not_loaded", "loaded")
    gateway.collections.load(name)
    assert gateway.collections.load_state(name) == "loaded"
    gateway.collections.release(name)
    assert gateway.collections.load_state(name) == "not_loaded"
    with pytest.raises(ConflictError, match="load"):
        gateway.search(name, vectors(1), limit=1)
