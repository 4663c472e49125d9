"""Searches beside writes, on Milvus Lite."""

import numpy as np
import pytest

from milvuslab.bench.metrics import compute_metrics
from milvuslab.bench.mixed import WriteLoad, delete_load, insert_load, run_mixed, upsert_load
from milvuslab.bench.schedule import constant_schedule
from milvuslab.gateway import RetryPolicy, connect
from milvuslab.model.collection import CollectionSpec, Consistency, DataType, FieldSpec
from milvuslab.model.errors import RateLimitedError, UsageError
from milvuslab.model.server import Endpoint

SPEC = CollectionSpec(
    name="mixed",
    fields=(
        FieldSpec(name="id", data_type=DataType.INT64, is_primary=True),
        FieldSpec(name="vector", data_type=DataType.FLOAT_VECTOR, dim=4),
    ),
    consistency=Consistency.STRONG,
)


def rows(begin, count=5):
    vectors = np.random.default_rng(begin).normal(size=(count, 4)).astype(np.float32)
    return {"id": np.arange(begin, begin + count), "vector": vectors}


@pytest.fixture
def gateway(tmp_path):
    endpoint = Endpoint(uri=str(tmp_path / "mixed.db"))
    with connect(endpoint, retry=RetryPolicy.never(), call_timeout_s=30) as opened:
        opened.collections.create(SPEC)
        opened.rows.insert("mixed", rows(0, 100))
        opened.collections.load("mixed")
        yield opened


def test_every_kind_has_a_record_and_did_its_work(gateway):
    schedule = constant_schedule(rate_per_s=10, duration_s=0.8)
    inserted = [rows(1_000 + 5 * number) for number in range(8)]
    replaced = [rows(5 * number) for number in range(8)]
    records = run_mixed(
        gateway.prepare_searches("mixed", rows(7)["vector"], limit=3),
        constant_schedule(rate_per_s=20, duration_s=0.8),
        [
            # Lite takes one writer of a collection at a time.
            insert_load(gateway, "mixed", lambda number: inserted[number], schedule=schedule, thread_count=1),
            upsert_load(gateway, "mixed", lambda number: replaced[number], schedule=schedule, thread_count=1),
            delete_load(gateway, "mixed", lambda number: [60 + number], schedule=schedule, thread_count=1),
        ],
        warm_up_count=2,
    )
    assert list(records) == ["search", "insert", "upsert", "delete"]
    assert {kind: record.request_count for kind, record in records.items()} == {
        "search": 16, "insert": 8, "upsert": 8, "delete": 8,
    }  # fmt: skip
    assert all(record.error_counts == {} for record in records.values())
    assert records["search"].ids.shape == (16, 3) and records["insert"].ids.shape == (8, 0)
    assert compute_metrics(records["delete"])["latency_ms_p50"] > 0
    assert gateway.rows.count("mixed") == 100 + 40 - 8


def test_failed_writes_are_rows_and_waiting_ones_count_from_their_time(gateway):
    def write(number):
        if number % 2:
            raise RateLimitedError("insert: less, please")
        return gateway.rows.insert("mixed", rows(2_000 + 5 * number))

    prepared = gateway.prepare_searches("mixed", rows(7)["vector"], limit=3)
    schedule = constant_schedule(rate_per_s=20, duration_s=0.3)
    records = run_mixed(prepared, schedule, [WriteLoad(kind="insert", schedule=schedule, write=write)])
    assert records["insert"].error_counts == {"rate_limited": 3}
    assert records["insert"].errors["rate_limited"] == "insert: less, please"


def test_a_write_that_breaks_ends_the_run(gateway):
    def write(number):
        raise ZeroDivisionError

    prepared = gateway.prepare_searches("mixed", rows(7)["vector"], limit=3)
    schedule = constant_schedule(rate_per_s=20, duration_s=0.2)
    with pytest.raises(ZeroDivisionError):
        run_mixed(prepared, schedule, [WriteLoad(kind="insert", schedule=schedule, write=write)], warm_up_count=0)


def test_loads_that_cannot_be_told_apart_are_refused(gateway):
    prepared = gateway.prepare_searches("mixed", rows(7)["vector"], limit=3)
    schedule = constant_schedule(rate_per_s=20, duration_s=0.2)
    load = WriteLoad(kind="insert", schedule=schedule, write=lambda number: None)
    with pytest.raises(UsageError, match="share a name"):
        run_mixed(prepared, schedule, [load, load])
    empty = WriteLoad(kind="insert", schedule=np.array([]), write=lambda number: None)
    with pytest.raises(UsageError, match="schedule"):
        run_mixed(prepared, schedule, [empty])
