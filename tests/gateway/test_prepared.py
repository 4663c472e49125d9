"""Prepared searches ask what `search` asks and find what it finds; failures are the same errors."""

import grpc
import numpy as np
import pytest

from milvuslab.gateway import RetryPolicy, connect
from milvuslab.model.collection import CollectionSpec, Consistency, DataType, FieldSpec
from milvuslab.model.errors import (
    ConflictError,
    FilterError,
    LimitError,
    NotFoundError,
    RateLimitedError,
    RejectedError,
    SchemaError,
    TimedOutError,
    UnreachableError,
    UsageError,
)
from milvuslab.model.filter import where
from milvuslab.model.server import Endpoint
from tests.scripted_server import Reply, serve

VECTORS = np.random.default_rng(5).normal(size=(60, 4)).astype(np.float32)
BOOKS = CollectionSpec(
    name="books",
    fields=(
        FieldSpec(name="id", data_type=DataType.INT64, is_primary=True),
        FieldSpec(name="vector", data_type=DataType.FLOAT_VECTOR, dim=4),
        FieldSpec(name="year", data_type=DataType.INT32),
    ),
    consistency=Consistency.STRONG,
)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """Sixty rows in a Lite file."""
    with connect(Endpoint(uri=str(tmp_path_factory.mktemp("prepared") / "books.db"))) as gateway:
        gateway.collections.create(BOOKS)
        gateway.rows.insert("books", {"id": np.arange(60), "vector": VECTORS, "year": 1900 + np.arange(60)})
        gateway.collections.load("books")
        yield gateway


@pytest.mark.parametrize("batch_rows", [1, 3])
def test_they_find_what_search_finds(library, batch_rows):
    condition, fields = where("year") >= 1930, ["year"]
    prepared = library.prepare_searches(
        "books", VECTORS[:9], limit=5, batch_rows=batch_rows, where=condition, output_fields=fields
    )
    assert prepared.request_count == 9 // batch_rows and prepared.batch_rows == batch_rows
    for index in range(prepared.request_count):
        found = prepared.parse(prepared.send(index, timeout_s=10).result_bytes())
        rows = prepared.query_rows(index)
        expected = library.search("books", VECTORS[rows], limit=5, where=condition, output_fields=fields)
        assert found.ids.tolist() == expected.ids.tolist() and found.offsets.tolist() == expected.offsets.tolist()
        assert found.scores.tolist() == expected.scores.tolist() and found.metric is expected.metric
        assert found.columns["year"].tolist() == expected.columns["year"].tolist()
        assert found.columns["year"].min() >= 1930


def test_queries_that_fill_no_request_are_left_out(library):
    prepared = library.prepare_searches("books", VECTORS[:10], limit=5, batch_rows=4)
    assert prepared.request_count == 2 and prepared.query_rows(1) == slice(4, 8)
    with pytest.raises(UsageError, match="10 queries make no request of 11"):
        library.prepare_searches("books", VECTORS[:10], limit=5, batch_rows=11)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"name": "missing"}, NotFoundError),
        ({"limit": 0}, LimitError),
        ({"limit": 16_385}, LimitError),
        ({"queries": VECTORS[:, :3]}, SchemaError),
        ({"queries": VECTORS * np.nan}, SchemaError),
        ({"where": where("pages") > 3}, NotFoundError),
        ({"where": where("year").is_in([])}, FilterError),
        ({"output_fields": ["pages"]}, NotFoundError),
        ({"field": "year"}, SchemaError),
    ],
)
def test_mistakes_are_found_before_anything_is_sent(library, change, expected):
    values = {"name": "books", "queries": VECTORS, "limit": 5, **change}
    with pytest.raises(expected):
        library.prepare_searches(values.pop("name"), values.pop("queries"), **values)


def test_requests_hold_what_was_asked():
    with serve(lambda number: Reply()) as (milvus, endpoint), connect(endpoint) as gateway:
        prepared = gateway.prepare_searches(
            "scripted", VECTORS[:2], limit=7, params={"ef": 64}, consistency=Consistency.BOUNDED, partitions=["old"]
        )
        gateway.search(
            "scripted", VECTORS[1], limit=7, params={"ef": 64}, consistency=Consistency.BOUNDED, partitions=["old"]
        )
        assert prepared.send(1, timeout_s=5).code() == "ok"
        by_search, by_prepared = milvus.requests
    assert by_prepared == by_search
    assert {pair.key: pair.value for pair in by_prepared.search_params}["params"] == '{"ef": 64}'


FAILURES = {
    0: Reply(status=grpc.StatusCode.UNAVAILABLE, reason="no room"),
    1: Reply(after_s=5),
    2: Reply(error_code=101, reason="collection not loaded"),
    3: Reply(error_code=8, reason="rate limit"),
    4: Reply(status=grpc.StatusCode.INTERNAL, reason="broken"),
}


@pytest.mark.parametrize(
    ("number", "expected", "code"),
    [
        (0, UnreachableError, "unreachable"),
        (1, TimedOutError, "timed_out"),
        (2, ConflictError, "ok"),
        (3, RateLimitedError, "ok"),
        (4, RejectedError, "rejected"),
    ],
)
def test_failures_are_the_errors_of_search(number, expected, code):
    with (
        serve(lambda _: FAILURES[number], worker_count=2) as (_, endpoint),
        connect(endpoint, retry=RetryPolicy.never(), call_timeout_s=0.3) as gateway,
    ):
        prepared = gateway.prepare_searches("scripted", VECTORS[:1], limit=3)
        sent = prepared.send(0, timeout_s=0.3)
        with pytest.raises(expected) as caught:
            prepared.parse(sent.result_bytes())
        assert sent.code() == code  # a failure inside an answer shows only when it is parsed
        with pytest.raises(expected) as by_search:
            gateway.search("scripted", VECTORS[:1], limit=3)
    assert caught.value.context["server_code"] == by_search.value.context["server_code"]


def test_an_answer_reaches_the_callback():
    with serve(lambda number: Reply(ids=(4, 2))) as (_, endpoint), connect(endpoint) as gateway:
        prepared = gateway.prepare_searches("scripted", VECTORS[:1], limit=3)
        seen = []
        sent = prepared.send(0, timeout_s=5)
        answer = sent.result_bytes()
        sent.add_done_callback(seen.append)
        assert seen == [sent] and prepared.parse(answer).ids.tolist() == [4, 2]
    with pytest.raises(RejectedError, match="closed"):
        prepared.send(0, timeout_s=5)
