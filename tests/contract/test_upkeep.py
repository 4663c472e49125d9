"""Flush, settle, compaction, readiness and probing: what keeps a server in order."""

import numpy as np
import pytest

from milvuslab.gateway import RetryPolicy, connect
from milvuslab.gateway.capability_file import read_capabilities
from milvuslab.gateway.catalog import HIDDEN_PREFIX
from milvuslab.gateway.readiness import READY_COLLECTION, check_ready
from milvuslab.model.collection import Consistency
from tests.contract.conftest import KEY, VECTOR, vectors


def test_a_settled_collection_holds_the_same_rows(gateway, name, filled):
    stored, shuffled = vectors(900), np.random.default_rng(3).permutation(900)
    first, second = shuffled[:500], shuffled[500:]
    filled(KEY, VECTOR, columns={"id": first, "vector": stored[first]})
    seen = []
    gateway.collections.settle(name, observer=seen.append)
    assert {progress.step.split()[0] for progress in seen} >= {"flush", "index", "load"}
    assert gateway.collections.load_state(name) == "loaded"
    assert gateway.collections.row_count(name) >= 500

    # Half of the rows are sealed now and half are not: pages by key must merge both.
    gateway.rows.insert(name, {"id": second, "vector": stored[second]})
    gateway.rows.delete(name, ids=list(range(0, 900, 10)))
    left = [key for key in range(900) if key % 10]
    assert gateway.rows.count(name, consistency=Consistency.STRONG) == len(left)
    for batch_rows in (7, 300):
        pages = gateway.rows.iterate(name, fields=["id"], batch_rows=batch_rows)
        assert [key for page in pages for key in page["id"].tolist()] == left
    assert gateway.search(name, stored[21], limit=1).ids.tolist() == [21]
    pages = list(gateway.search_iterator(name, stored[21], batch_rows=200))
    assert sorted(key for page in pages for key in page.ids.tolist()) == left


def test_a_compaction_ends(gateway, name, needs, filled):
    needs("compaction")
    filled(KEY, VECTOR, columns={"id": np.arange(50), "vector": vectors(50)})
    gateway.collections.compact(name, timeout_s=60)
    assert gateway.rows.count(name, consistency=Consistency.STRONG) == 50


def test_a_ready_server_says_so_twice_and_hides_its_probe(gateway, endpoint):
    check_ready(endpoint, 60)
    check_ready(endpoint, 10)
    assert READY_COLLECTION not in gateway.collections.list()
    assert READY_COLLECTION in gateway.collections.list(with_hidden=True)


def test_a_probe_leaves_nothing_behind_and_is_kept(gateway, endpoint, capabilities, tmp_path):
    left = [one for one in gateway.collections.list(with_hidden=True) if one.startswith(HIDDEN_PREFIX)]
    assert set(left) <= {READY_COLLECTION}
    assert capabilities.server_version == gateway.server_version
    assert {"FLAT", "IVF_FLAT", "HNSW"} <= capabilities.index_types["FLOAT_VECTOR"]
    assert {"L2", "IP"} <= capabilities.metrics["FLOAT_VECTOR"]
    assert {"BOOL", "INT8", "INT64", "FLOAT", "DOUBLE", "VARCHAR", "FLOAT_VECTOR"} <= capabilities.data_types
    assert {"iterator", "aliases"} <= capabilities.features


def test_capabilities_are_read_from_the_cache_when_they_are_there(endpoint, capabilities, tmp_path):
    from milvuslab.gateway.capability_file import write_capabilities

    write_capabilities(tmp_path, capabilities)
    kept = read_capabilities(tmp_path, version=capabilities.server_version, build=capabilities.server_build)
    assert kept == capabilities
    with connect(endpoint, retry=RetryPolicy.never(), cache_dir=tmp_path) as gateway:
        before = gateway.collections.list(with_hidden=True)
        assert gateway.capabilities == capabilities
        assert gateway.collections.list(with_hidden=True) == before


@pytest.mark.parametrize("has_rows", [False, True])
def test_two_connections_see_one_anothers_writes(gateway, endpoint, name, filled, has_rows):
    filled(KEY, VECTOR, columns={"id": np.arange(5), "vector": vectors(5)})
    with connect(endpoint, retry=RetryPolicy.never()) as other:
        if has_rows:
            other.rows.insert(name, {"id": [9], "vector": vectors(1, seed=7)})
        assert gateway.rows.count(name, consistency=Consistency.STRONG) == 5 + has_rows
