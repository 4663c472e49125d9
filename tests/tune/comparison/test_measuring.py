"""A comparison on a real Lite: planned by what it builds, measured, taken up again without a server."""

import contextlib
import dataclasses
from types import SimpleNamespace

import pytest

from milvuslab.bench.measured_server import MeasuredServer, ServerSource, list_index_files
from milvuslab.bench.record import read_record
from milvuslab.bench.server_side import ServerWatch
from milvuslab.data.vectors import make_binary, make_clustered
from milvuslab.gateway import connect
from milvuslab.model.errors import NotFoundError, RejectedError, UnreachableError, UnsupportedError, UsageError
from milvuslab.model.metric import Metric
from milvuslab.model.server import Capabilities
from milvuslab.tune.comparison import Budget, CompareTask, compare_indexes, read_comparison
from milvuslab.tune.comparison.measuring import plan_types
from milvuslab.tune.comparison.one_type import TypeBench

pytest.importorskip("faiss")
QUICK = Budget(
    single_count=120, single_s=10.0, throughput_s=0.2, repeat_count=1, curve_steps=(-4, 0, 4), curve_query_count=200
)


@pytest.fixture(scope="module")
def vectors():
    return make_clustered(row_count=2_000, dim=16, query_count=800, intrinsic_dim=8, seed=5)


@pytest.fixture
def task(vectors):
    return CompareTask(vectors=vectors, k=5, recall_target=0.9, types=("IVF_FLAT", "HNSW_SQ", "FLAT"), budget=QUICK)


@pytest.fixture
def lite(lite_endpoint, server_settings):
    """Lite as a source, and how often it was opened."""
    opened = []

    @contextlib.contextmanager
    def open_lite():
        opened.append("lite")
        with connect(lite_endpoint, call_timeout_s=60) as gateway:
            data_dir = server_settings.home_dir / "servers" / "lite" / "data"
            yield MeasuredServer(gateway=gateway, watch=ServerWatch(reason="not watched"), data_dir=data_dir)

    return ServerSource(name="lite", open=open_lite), opened


def gone():
    return ServerSource(name="lite", open=lambda: pytest.fail("a finished comparison opens no server"))


def test_types_are_built_tuned_and_measured(task, lite, tmp_path):
    source, _ = lite
    found = compare_indexes(task, [source], folder=tmp_path / "run")
    assert found.is_complete
    assert [one.index_type for one in found.results] == ["IVF_FLAT", "HNSW_SQ", "FLAT"]
    for one in found.results:
        assert (one.state, one.server, one.detail) == ("tuned", "lite", "")
        assert "lite-3" in one.server_version
        assert one.chosen.recall >= 0.9 and one.recall_lower >= 0.9
        assert one.chosen.qps > 0 and one.chosen.latency_ms_p50 <= one.chosen.latency_ms_p99
        assert one.build_s > 0 and one.wall_s >= one.build_s
        assert one.memory_bytes is None, "its processes were not watched"
        assert all(point.error_ratio == 0 for point in one.curve)
    ivf, _, flat = found.results
    recalls = [point.recall for point in ivf.curve]
    assert len(recalls) == 3 and recalls == sorted(recalls) and recalls[0] < recalls[-1]
    assert ivf.build_params["nlist"] > 1 and ivf.disk_bytes > 2_000 * 16 * 4
    assert (flat.chosen.recall, flat.tuning_search_count, len(flat.curve)) == (1.0, 0, 1)
    record = read_record(tmp_path / "run" / "records" / "lite-IVF_FLAT" / "single-0")
    assert len(record.intended_ns) > 50
    assert compare_indexes(task, [gone()], folder=tmp_path / "run").results == found.results


def test_it_goes_on_with_the_type_that_was_interrupted(task, lite, tmp_path, monkeypatch):
    source, opened = lite
    measure, measured = TypeBench.measure, []

    def counted(bench, about, **named):
        measured.append(about["index_type"])
        if measured == ["IVF_FLAT", "HNSW_SQ"]:
            raise KeyboardInterrupt
        return measure(bench, about, **named)

    monkeypatch.setattr(TypeBench, "measure", counted)
    with pytest.raises(KeyboardInterrupt):
        compare_indexes(task, [source], folder=tmp_path / "run")
    half = read_comparison(tmp_path / "run")
    assert ([one.index_type for one in half.results], half.is_complete) == (["IVF_FLAT"], False)
    whole = compare_indexes(task, [source], folder=tmp_path / "run")
    assert measured == ["IVF_FLAT", "HNSW_SQ", "HNSW_SQ", "FLAT"]
    assert whole.results[0] == half.results[0] and len(whole.results) == 3
    assert opened == ["lite", "lite"]


def test_a_type_that_fails_costs_only_itself(task, lite, tmp_path, monkeypatch):
    source, _ = lite
    build = TypeBench._build

    def broken(bench, candidate):
        if candidate.build.index_type == "IVF_FLAT":
            raise RejectedError("no room for clusters", hint="make room")
        return build(bench, candidate)

    monkeypatch.setattr(TypeBench, "_build", broken)
    task = dataclasses.replace(task, types=("IVF_FLAT", "FLAT"))
    found = compare_indexes(task, [source], folder=tmp_path / "run")
    assert [(one.state, one.detail) for one in found.results] == [
        ("failed", "no room for clusters; make room"), ("tuned", ""),
    ]  # fmt: skip
    monkeypatch.setattr(TypeBench, "_build", build)
    again = compare_indexes(task, [source], folder=tmp_path / "run")
    assert [one.state for one in again.results] == ["tuned", "tuned"], "what failed is tried again"
    assert again.results[1] == found.results[1]


def test_a_server_that_is_gone_ends_it(task, lite, tmp_path, monkeypatch):
    source, _ = lite

    def away(bench, candidate):
        raise UnreachableError("nobody answers")

    monkeypatch.setattr(TypeBench, "_build", away)
    with pytest.raises(UnreachableError):
        compare_indexes(task, [source], folder=tmp_path / "run")
    assert read_comparison(tmp_path / "run").results == ()


def test_types_that_no_server_builds_are_refused(vectors, lite, tmp_path):
    source, _ = lite
    with pytest.raises(UnsupportedError, match="ANNOY with L2"):
        compare_indexes(CompareTask(vectors=vectors, types=("ANNOY",)), [source], folder=tmp_path / "a")
    binary = make_binary(row_count=1_000, dim=64, query_count=100)
    with pytest.raises(UnsupportedError, match="BINARY_VECTOR"):
        compare_indexes(CompareTask(vectors=binary, metric=Metric.HAMMING), [source], folder=tmp_path / "b")


def seen(types, *, metrics=("L2",)):
    known = Capabilities(
        server_version="1", index_types={"FLOAT_VECTOR": frozenset(types)}, metrics={"FLOAT_VECTOR": frozenset(metrics)}
    )
    return SimpleNamespace(gateway=SimpleNamespace(capabilities=known))


def planned(task, server, *, taken=()):
    return {one.index_type for one in plan_types(task, server, name="it", taken=set(taken))}


def test_a_type_is_measured_on_the_first_server_that_has_it(vectors):
    task = CompareTask(vectors=vectors)
    assert planned(task, seen(["HNSW", "FLAT", "AUTOINDEX"])) == {"HNSW", "FLAT"}
    assert planned(task, seen(["HNSW", "ANNOY"]), taken=["HNSW"]) == {"ANNOY"}
    everywhere = dataclasses.replace(task, is_everywhere=True)
    assert planned(everywhere, seen(["HNSW", "ANNOY"]), taken=["HNSW"]) == {"HNSW", "ANNOY"}
    named = dataclasses.replace(task, types=("autoindex", "hnsw"))
    assert planned(named, seen(["HNSW", "FLAT", "AUTOINDEX"])) == {"HNSW", "AUTOINDEX"}


def test_a_metric_decides_with(vectors):
    cosine = CompareTask(vectors=vectors, metric=Metric.COSINE)
    assert planned(cosine, seen(["HNSW", "ANNOY"], metrics=["L2", "COSINE"])) == {"HNSW"}
    assert planned(cosine, seen(["HNSW", "ANNOY"])) == set()


@pytest.mark.parametrize(
    ("changes", "error"),
    [({"recall_target": 1.0}, UsageError), ({"k": 0}, UsageError), ({"k": 3_000}, UsageError),
     ({"types": ("HNWS",)}, NotFoundError)],
)  # fmt: skip
def test_a_wrong_task_is_refused(vectors, changes, error):
    with pytest.raises(error):
        CompareTask(vectors=vectors, **changes)


def test_index_files_are_told_from_others(tmp_path):
    for name in ("data/index_files/7/1/a", "collections/c/x.idx", "data/insert_log/b", "wal/c.arrow"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")
    found = list_index_files(tmp_path)
    assert {path.name for path in found} == {"a", "x.idx"}
    assert set(found.values()) == {5}
    assert list_index_files(None) == list_index_files(tmp_path / "none") == {}
