"""One suite for every backend. Each test asks the server's capabilities before it asks for more than the basics."""

import contextlib
import secrets

import numpy as np
import pytest

from milvuslab.gateway import RetryPolicy, connect
from milvuslab.model.collection import CollectionSpec, Consistency, DataType, FieldSpec
from milvuslab.model.errors import MilvusLabError
from milvuslab.model.index import IndexSpec
from milvuslab.model.metric import Metric

PREFIX = "milvuslab_test_"
DIM = 8
BACKENDS = ("lite", "standalone", "legacy", "cluster", "remote")
ON_CLUSTER = {
    "test_a_collection_is_described_as_it_was_made",
    "test_partitions",
    "test_rows_are_read_by_key_page_and_filter",
    "test_rows_are_counted_exactly",
    "test_keys_that_the_server_makes",
    "test_the_nearest_rows_of_many_queries",
    "test_a_filter_is_kept_by_every_hit",
    "test_pages_of_a_search_hold_every_row_once",
    "test_one_gateway_serves_many_threads",
    "test_an_index_is_described_and_dropped",
}
"""One of each kind of call: the cluster is the binary of `standalone`, and its calls take several roles and longer."""

KEY = FieldSpec(name="id", data_type=DataType.INT64, is_primary=True)
VECTOR = FieldSpec(name="vector", data_type=DataType.FLOAT_VECTOR, dim=DIM)
TITLE = FieldSpec(name="title", data_type=DataType.VARCHAR, max_length_bytes=200)
YEAR = FieldSpec(name="year", data_type=DataType.INT32)
FLAT = IndexSpec(field_name="vector", index_type="FLAT", metric=Metric.L2)


def pytest_collection_modifyitems(items):
    """Leaves out what the cluster need not repeat."""
    items[:] = [
        item
        for item in items
        if getattr(item, "callspec", None) is None
        or item.callspec.params.get("backend") != "cluster"
        or item.originalname in ON_CLUSTER
    ]


@pytest.fixture(scope="session", params=BACKENDS)
def backend(request):
    """Name of the backend under test."""
    return request.param


@pytest.fixture(scope="session")
def endpoint(backend, request):
    """Its endpoint; the server starts here."""
    return request.getfixturevalue(f"{backend}_endpoint")


@pytest.fixture(scope="session")
def gateway(endpoint):
    """A connection to the backend that hides no failure."""
    with connect(endpoint, call_timeout_s=30, retry=RetryPolicy.never()) as opened:
        yield opened


@pytest.fixture(scope="session")
def capabilities(gateway):
    """What the backend was seen to do, probed in this run."""
    return gateway.capabilities


@pytest.fixture(scope="session")
def is_lite(gateway):
    """Whether it is Lite, for the few places where it silently does something else and no probe can tell."""
    return "lite-" in gateway.server_version


@pytest.fixture
def needs(capabilities):
    """Skips the test where the server was seen not to have a feature: `needs("upsert")`."""

    def check(*features):
        for feature in features:
            if not capabilities.has(feature):
                pytest.skip(f"{capabilities.server_version} has no {feature}: {capabilities.notes.get(feature, '')}")

    return check


@pytest.fixture
def name(gateway):
    """A collection name of this test; whatever bears it is dropped afterwards."""
    chosen = f"{PREFIX}{secrets.token_hex(6)}"
    yield chosen
    drop_all(gateway, chosen)


@pytest.fixture
def filled(gateway, name):
    """A function that makes a loaded collection of the given fields and rows and returns its name."""

    def make(*fields, columns, indexes=(FLAT,), **properties):
        return make_filled(gateway, name, fields, columns, indexes, **properties)

    return make


@pytest.fixture(scope="session")
def library(gateway):
    """A loaded collection that no test changes: 100 books, ids 0 to 99, year 1900 + id, title `book ID`."""
    chosen = f"{PREFIX}{secrets.token_hex(6)}"
    make_filled(gateway, chosen, (KEY, VECTOR, TITLE, YEAR), book_columns(100), (FLAT,))
    yield chosen
    drop_all(gateway, chosen)


def make_filled(gateway, name, fields, columns, indexes, **properties):
    spec = CollectionSpec(name=name, fields=fields, consistency=Consistency.STRONG, **properties)
    gateway.collections.create(spec, indexes)
    gateway.rows.insert(name, columns)
    gateway.collections.load(name)
    return name


def book_columns(count, *, begin=0):
    ids = np.arange(begin, begin + count)
    return {
        "id": ids,
        "vector": vectors(count, seed=begin),
        "title": [f"book {number}" for number in ids],
        "year": (1900 + ids).astype(np.int32),
    }


def vectors(count, *, dim=DIM, seed=0):
    return np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)


def drop_all(gateway, name):
    """Drops the collections whose names begin so, and their aliases."""
    for found in gateway.collections.list():
        if found.startswith(name):
            for alias in gateway.collections.aliases.list(found):
                with contextlib.suppress(MilvusLabError):
                    gateway.collections.aliases.drop(alias)
            gateway.collections.drop(found)
