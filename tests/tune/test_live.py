"""The tuner on a real server: Lite, with few rows."""

import pytest

from milvuslab.bench.stored import read_collection
from milvuslab.data.vectors import make_clustered
from milvuslab.gateway import connect
from milvuslab.model.collection import CollectionSpec, DataType, FieldSpec
from milvuslab.model.errors import CheckFailedError, ConflictError, UsageError
from milvuslab.model.index import IndexSpec
from milvuslab.model.metric import Metric
from milvuslab.tune.live import LiveMeasurer, tune_vectors
from milvuslab.tune.outcome import Objective

pytest.importorskip("faiss")


@pytest.fixture(scope="module")
def gateway(lite_endpoint):
    with connect(lite_endpoint, call_timeout_s=60) as found:
        yield found


@pytest.fixture(scope="module")
def vectors():
    return make_clustered(row_count=3_000, dim=16, query_count=800, intrinsic_dim=8, seed=3)


def test_a_tuning_from_upload_to_choice(gateway, vectors, tmp_path):
    asked = {
        "metric": Metric.L2, "k": 5, "recall_target": 0.9, "objective": Objective.LATENCY_MS_P50,
        "types": ["IVF_FLAT", "FLAT"], "builds_per_type": 1, "job_dir": tmp_path / "job", "timed_s": 0.5,
    }  # fmt: skip
    before = gateway.collections.list()
    result = tune_vectors(gateway, vectors, **asked)
    assert {trial.state for trial in result.trials} == {"qualified"}
    ivf, flat = result.trials
    assert ivf.params["nprobe"] < 64 and ivf.recall_lower >= 0.9
    assert 0 < ivf.latency.p50_ms <= ivf.latency.p95_ms <= ivf.latency.p99_ms
    assert (flat.recall, flat.search_count, flat.params) == (1.0, 0, {})
    assert result.chosen is min(result.trials, key=lambda trial: trial.latency.p50_ms)
    assert gateway.collections.list() == before
    again = tune_vectors(gateway, vectors, **asked)
    assert again.trials == result.trials  # kept: the latencies are those of the first run, to the last digit


def test_the_knob_reaches_the_server(gateway, vectors):
    from milvuslab.bench.collection import upload
    from milvuslab.data.truth import find_truth

    report = upload(gateway, vectors, name="tune_knob")
    truth = find_truth(vectors, metric=Metric.L2, k=5, cache_dir=None)
    measurer = LiveMeasurer(gateway, report.name, vectors, truth, with_qps=True, timed_s=0.5)
    build = IndexSpec(field_name="vector", index_type="IVF_FLAT", metric=Metric.L2, params={"nlist": 64})
    rows = truth.ids[:150, 0] * 0 + range(150)
    few, all_of_them = (measurer.measure_recall(build, {"nprobe": count}, rows) for count in (1, 64))
    assert few.mean() < all_of_them.mean() == 1.0
    assert few.shape == (150,)
    assert measurer.measure_latency(build, {"nprobe": 1}).qps > 0
    assert measurer.measure_memory_bytes(build) is None
    with pytest.raises(UsageError, match="nprob "):
        measurer.measure_recall(build, {"nprob": 1}, rows)
    gateway.collections.drop(report.name)


def test_a_budget_that_nothing_keeps(gateway, vectors):
    from milvuslab.tune.outcome import Budget

    with pytest.raises(CheckFailedError) as caught:
        tune_vectors(
            gateway, vectors, metric=Metric.L2, k=5, recall_target=0.9, types=["FLAT", "HNSW"], builds_per_type=1,
            budget=Budget(memory_bytes=1_000),
        )  # fmt: skip
    assert all("by formula" in finding for finding in caught.value.findings)
    assert "--max-memory" in caught.value.hint


def test_the_vectors_of_a_collection_are_read_and_some_held_out(gateway, vectors):
    fields = (
        FieldSpec(name="id", data_type=DataType.INT64, is_primary=True),
        FieldSpec(name="embedding", data_type=DataType.FLOAT_VECTOR, dim=16),
    )
    index = IndexSpec(field_name="embedding", index_type="FLAT", metric=Metric.IP)
    gateway.collections.drop("tune_stored")
    gateway.collections.create(CollectionSpec(name="tune_stored", fields=fields), indexes=(index,))
    rows = vectors.read_rows(0, 500)
    gateway.rows.insert("tune_stored", {"id": range(500), "embedding": rows})
    gateway.collections.release("tune_stored")
    with pytest.raises(ConflictError, match="not loaded"):
        read_collection(gateway, "tune_stored")
    gateway.collections.flush("tune_stored")
    gateway.collections.load("tune_stored")
    found, metric = read_collection(gateway, "tune_stored", query_count=40)
    assert (metric, found.row_count, found.dim, found.queries.shape) == (Metric.IP, 460, 16, (40, 16))
    together = {row.tobytes() for row in found.read_rows(0, 460)} | {row.tobytes() for row in found.queries}
    assert together == {row.tobytes() for row in rows}
    again, _ = read_collection(gateway, "tune_stored", query_count=40)
    assert again.checksum == found.checksum
    assert read_collection(gateway, "tune_stored", row_limit=100)[0].row_count == 90
    gateway.collections.drop("tune_stored")
