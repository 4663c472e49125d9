"""Whole runs on real servers: phases, resume, reports, and the gate."""

import dataclasses
import re
import shutil

import numpy as np
import pytest

from milvuslab.bench.case import DatasetCase
from milvuslab.bench.case_file import find_case, list_cases, read_case
from milvuslab.bench.collection import build_index, collection_name, is_uploaded, upload
from milvuslab.bench.compare import check_comparison, compare_repeats, compare_runs
from milvuslab.bench.record import write_record
from milvuslab.bench.report import write_report
from milvuslab.bench.run import run_case
from milvuslab.bench.run_folder import create_run, open_run
from milvuslab.bench.summary import compute_summary
from milvuslab.data.vectors import make_clustered
from milvuslab.gateway import connect
from milvuslab.model.errors import CheckFailedError, ConfigError, ConflictError, NotFoundError, UsageError
from milvuslab.model.index import IndexSpec
from milvuslab.model.metric import Metric
from tests.bench.cases import write_case

LADDER = [
    ("params = { ef = 20 }", "params = [{ ef = 5 }, { ef = 100 }]"),
    ("repeats = 1", "repeats = 4"),
    ("duration_s = 0.3", "duration_s = 0.25"),
]


@pytest.fixture(scope="module")
def lite(lite_endpoint, server_settings):
    with connect(lite_endpoint, cache_dir=server_settings.cache_dir, probe_timeout_s=20) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def measured(lite, tmp_path_factory):
    """A finished run of a ladder of two, four times; its collection stays until the module is done."""
    folder = tmp_path_factory.mktemp("measured")
    case = read_case(write_case(folder, replaced=LADDER))
    run = run_case(case, gateway=lite, folder=folder / "run", cache_dir=folder / "cache", is_kept=True)
    yield run
    lite.collections.drop(collection_name(make_clustered(row_count=1_200, dim=16, query_count=120)))


@pytest.fixture
def copied(measured, tmp_path):
    """A run that a test may change."""
    shutil.copytree(measured.path, tmp_path / "run")
    return open_run(tmp_path / "run")


def reports_of(seen):
    return [progress.step for progress in seen]


def test_a_run_says_what_it_measured(measured):
    summary = compute_summary(measured)
    fast, slow = summary["settings"]
    assert (fast["label"], slow["label"]) == ("ef=5, 1 in flight", "ef=100, 1 in flight")
    assert fast["median"]["recall"] < slow["median"]["recall"] <= 1.0
    assert len(fast["repeats"]) == 4
    assert fast["low"]["qps"] <= fast["median"]["qps"] <= fast["high"]["qps"]
    assert set(summary["phases"]) == {"truth", "upload", "build and load"}
    assert summary["phases"]["upload"]["row_count"] == 1_200
    assert summary["verdict"] in ("valid", "marked"), summary["findings"]
    assert measured.read_json("metrics")["settings"] == summary["settings"], "worked out of the records alone"


def test_the_manifest_is_what_the_server_reports(measured):
    manifest = measured.read_json("manifest")
    assert manifest["index"]["type"] == "HNSW" and manifest["index"]["metric"] == "L2"
    assert str(manifest["index"]["params"]["M"]) == "8"
    assert manifest["collection"]["row_count"] == manifest["dataset"]["row_count"] == 1_200
    assert "lite" in manifest["server"]["version"]
    assert manifest["server_side"] == "nobody looked at the server"


def test_a_second_run_only_searches(measured, lite, tmp_path):
    case = dataclasses.replace(measured.case, load=dataclasses.replace(measured.case.load, duration_s=0.5))
    cache_dir = measured.path.parent / "cache"
    run = run_case(case, gateway=lite, folder=tmp_path / "again", cache_dir=cache_dir)
    times = compute_summary(run)["times"]
    assert times["is_search_only"]
    assert times["measured_s"] >= 8 * 0.5
    assert 0.3 < times["measured_ratio"] <= 1.0
    assert is_uploaded(lite, make_clustered(row_count=1_200, dim=16, query_count=120)), "not ours to drop"


def test_a_finished_run_is_not_repeated(measured, lite):
    assert run_case(measured.case, gateway=lite, folder=measured.path).phases == measured.phases


def test_a_stopped_run_goes_on_where_it_was(measured, lite, tmp_path):
    def stop_late(progress):
        if progress.step.endswith("3 of 4"):
            raise KeyboardInterrupt

    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        run_case(measured.case, gateway=lite, folder=folder, observer=stop_late)
    half = open_run(folder)
    assert not half.is_finished and 2 <= len(half.search_phases()) < 8
    seen = []
    whole = run_case(measured.case, gateway=lite, folder=folder, observer=seen.append)
    assert whole.is_finished and len(whole.search_phases()) == 8
    assert not any(step.endswith("1 of 4") for step in reports_of(seen)), "what was measured is not measured again"
    for phase in half.search_phases():
        assert whole.phases[phase.name] == half.phases[phase.name]


def test_a_stop_in_the_upload_leaves_no_half_collection(lite, tmp_path):
    vectors = make_clustered(row_count=3_000, dim=8, query_count=10, seed=99)

    def stop_at_once(progress):
        if progress.step.startswith("upload"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upload(lite, vectors, observer=stop_at_once, block_rows=1_000)
    with pytest.raises(NotFoundError):
        lite.collections.describe(collection_name(vectors))


def test_one_upload_serves_many_builds(measured, lite):
    vectors = make_clustered(row_count=1_200, dim=16, query_count=120)
    name = collection_name(vectors)
    assert upload(lite, vectors).insert_s is None
    flat = build_index(lite, name, IndexSpec(field_name="vector", index_type="FLAT", metric=Metric.L2))
    assert flat.build_s is not None and flat.index.spec.index_type == "FLAT"
    assert build_index(lite, name, flat.index.spec).build_s is None
    again = build_index(lite, name, measured.case.index_spec)
    assert again.build_s is not None and again.load_s is not None


def test_a_folder_of_another_run_is_left_alone(measured, tmp_path):
    other = read_case(write_case(tmp_path, replaced=[("k = 5", "k = 4")]))
    with pytest.raises(ConflictError, match="another case"):
        create_run(measured.path, other)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(ConflictError, match="something else"):
        create_run(tmp_path / "mine", other)


def test_the_page_stands_alone(copied):
    page = write_report(copied).read_text(encoding="utf-8")
    outside = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"(src|href)\s*=", outside), "nothing is fetched"
    assert page.count("Plotly.newPlot('") >= 3
    for word in ("HNSW", "ef=100, 1 in flight", "Not measured", "latency under load", "as the server reports it"):
        assert word in outside
    assert outside.index("Machine") < outside.index("<h2>Results</h2>")


def test_truth_that_was_changed_afterwards_is_refused(copied):
    path = copied.path / "truth" / "all.npz"
    with np.load(path) as kept:
        values = dict(kept)
    values["ids"] = values["ids"][::-1]
    np.savez(path, **values)
    with pytest.raises(CheckFailedError, match=r"^stale truth"):
        compute_summary(copied)


def slow_down(run, factor):
    for phase in run.search_phases():
        record = run.read_record(phase.name)
        done = record.intended_ns + ((record.done_ns - record.intended_ns) * factor).astype(np.int64)
        write_record(dataclasses.replace(record, done_ns=done), run.path / "records" / phase.name)


def test_the_gate_lets_the_same_run_pass(measured, copied):
    found = compare_runs(measured, copied)
    assert {change.judgement for change in found.changes} == {"same"}
    assert {change.name for change in found.changes} >= {"latency_ms_p50", "qps", "recall"}
    check_comparison(found)


def test_the_gate_stops_a_slower_run(measured, copied):
    slow_down(copied, 30.0)  # a busy machine alone may make a repeat three times as slow
    found = compare_runs(measured, copied)
    assert {change.name for change in found.regressions} >= {"latency_ms_p50"}
    with pytest.raises(CheckFailedError, match=r"^regression: latency_ms_p50 of ef=5"):
        check_comparison(found)
    assert not compare_runs(copied, measured).regressions


def test_the_gate_refuses_what_cannot_be_compared(measured, copied):
    manifest = copied.read_json("manifest")
    copied.write_json("manifest", {**manifest, "cpu_model": "another one"})
    with pytest.raises(ConflictError, match="two machines"):
        compare_runs(measured, copied)
    assert compare_runs(measured, copied, is_other_machine_fine=True).notes
    copied.write_json("manifest", {**manifest, "dataset": {**manifest["dataset"], "checksum": "other"}})
    with pytest.raises(ConflictError, match="another data set"):
        compare_runs(measured, copied)


def test_the_a_a_check_needs_repeats_and_sees_a_drift(measured, copied, tmp_path):
    with pytest.raises(UsageError, match="at least 4"):
        compare_repeats(create_run(tmp_path / "one", read_case(write_case(tmp_path))))
    for phase in copied.search_phases():
        if phase.repeat % 2:
            record = copied.read_record(phase.name)
            done = record.intended_ns + (record.done_ns - record.intended_ns) * 30
            write_record(dataclasses.replace(record, done_ns=done), copied.path / "records" / phase.name)
    with pytest.raises(CheckFailedError, match="A/A"):
        check_comparison(compare_repeats(copied), what="A/A difference")


def slo_case(folder, limit_ms):
    replaced = [
        ('mode = "closed"', f'mode = "slo"\nlatency_ms_p99_below = {limit_ms}\ntimeout_s = 0.3\nrate_per_s = 100'),
        ("in_flight = 1\n", ""),
        ("duration_s = 0.3", "duration_s = 0.1"),
        ("[run]", "[limits]\nlateness_ms_p99_max = 5000\nerror_ratio_max = 1.0\nclient_bound_ratio_max = 1.0\n\n[run]"),
    ]
    return read_case(write_case(folder, replaced=replaced))


def test_the_highest_rate_under_a_limit(lite, measured, tmp_path):
    run = run_case(slo_case(tmp_path, 280.0), gateway=lite, folder=tmp_path / "run")
    (setting,) = compute_summary(run)["settings"]
    assert setting["label"] == "ef=20, highest rate"
    assert setting["median"]["query_count"] >= 1


def test_a_limit_that_no_rate_meets_is_said(lite, measured, tmp_path):
    with pytest.raises(CheckFailedError, match=r"^limit not met: P99 is not below 0.01 ms even at 100 requests"):
        run_case(slo_case(tmp_path, 0.01), gateway=lite, folder=tmp_path / "run")


@pytest.mark.parametrize("name", sorted(set(list_cases()) - {"bits"}))
def test_every_case_runs_in_its_smoke_size(lite, tmp_path, name):
    case = read_case(find_case(name), is_smoke=True)
    case = dataclasses.replace(case, limits=dataclasses.replace(case.limits, lateness_ms_p99_max=5_000))
    summary = compute_summary(run_case(case, gateway=lite, folder=tmp_path / "run"))
    assert summary["verdict"] != "refused", summary["findings"]
    assert len(summary["settings"]) == len(case.settings())


def test_writes_beside_searches_are_counted_and_leave_the_rows_as_they_were(lite, tmp_path):
    case = read_case(find_case("mixed"), is_smoke=True)
    case = dataclasses.replace(case, limits=dataclasses.replace(case.limits, lateness_ms_p99_max=5_000))
    run = run_case(case, gateway=lite, folder=tmp_path / "run", is_kept=True)
    (measured,) = compute_summary(run)["settings"]
    name = collection_name(make_clustered(row_count=2_000, dim=32, query_count=100))
    try:
        assert lite.rows.count(name) == 2_000
    finally:
        lite.collections.drop(name)
    assert {kind: one["request_count"] for kind, one in measured["writes"].items()} == {
        "insert": 10, "upsert": 5, "delete": 5,
    }  # fmt: skip
    assert all(one["failed_count"] == 0 for one in measured["writes"].values())
    assert measured["median"]["recall_by_distance"] > 0.9
    assert measured["median"]["recall"] is None
    assert "Writes beside the searches" in write_report(run).read_text("utf-8")


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        ({"mode": "closed"}, "beside searches of load.mode"),
        ({"name": "mine"}, "would change the rows of collection mine"),
    ],
)
def test_writes_that_would_mean_nothing_are_refused(changed, cause):
    case = read_case(find_case("mixed"), is_smoke=True)
    part = "load" if "mode" in changed else "collection"
    with pytest.raises(ConfigError, match=cause):
        dataclasses.replace(case, **{part: dataclasses.replace(getattr(case, part), **changed)})


def test_bits_run_on_a_real_server(standalone_endpoint, server_settings, tmp_path):
    case = read_case(find_case("bits"), is_smoke=True)
    case = dataclasses.replace(case, limits=dataclasses.replace(case.limits, lateness_ms_p99_max=5_000))
    with connect(standalone_endpoint, cache_dir=server_settings.cache_dir, probe_timeout_s=20) as gateway:
        summary = compute_summary(run_case(case, gateway=gateway, folder=tmp_path / "run"))
    assert summary["settings"][0]["median"]["recall"] < summary["settings"][1]["median"]["recall"]


def test_the_vectors_of_an_application_are_measured_on_a_copy(lite, tmp_path):
    stored = make_clustered(row_count=600, dim=16, query_count=10)
    upload(lite, stored, name="application")
    build_index(lite, "application", IndexSpec(field_name="vector", index_type="FLAT", metric=Metric.L2))
    replaced = [
        ('kind = "clustered"', 'kind = "collection"\ncollection = "application"'),
        ("row_count = 1200", "row_count = 0"),
        ("dim = 16", "dim = 0"),
        ("query_count = 120", "query_count = 60"),
    ]
    case = read_case(write_case(tmp_path, replaced=replaced))
    try:
        run = run_case(case, gateway=lite, folder=tmp_path / "run")
        assert run.read_json("manifest")["dataset"]["row_count"] == 540, "a tenth of the rows became queries"
        assert lite.rows.count("application") == 600
        assert compute_summary(run)["settings"][0]["median"]["recall"] > 0.9
    finally:
        lite.collections.drop("application")


def test_a_collection_that_is_not_named_is_asked_for():
    with pytest.raises(ConfigError, match=r"dataset\.collection is ''"):
        dataclasses.replace(read_case(find_case("mixed")), dataset=DatasetCase(kind="collection"))
