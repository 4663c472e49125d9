"""Results that VectorDBBench 1.0.20 itself wrote, on Milvus 2.3.5: one that went well, one whose searches all failed."""

import json
from pathlib import Path

import pytest

from milvuslab.bench.vectordbbench import read_result
from milvuslab.model.errors import CheckFailedError, ConfigError, NotFoundError

CASES = Path(__file__).parent / "cases"


def test_a_recorded_result_is_read_with_units_in_its_names():
    found = read_result(CASES / "result_milvus.json", log_path=CASES / "tool.log")
    assert (found.in_flight, found.duration_s, found.k, found.metric) == (8, 10, 10, "L2")
    assert found.qps == 396.0227
    assert found.latency_ms_p99 == 60.674
    assert found.latency_ms_mean == 19.588
    assert found.serial_latency_ms_p99 == 11.1
    assert found.recall == 1.0
    assert found.index_params == {"index": "HNSW", "use_partition_key": False, "M": 16, "efConstruction": 200, "ef": 64}


def test_its_processes_own_rates_leave_out_how_it_starts_and_ends():
    found = read_result(CASES / "result_milvus.json", log_path=CASES / "tool.log")
    assert found.answer_count == 4080
    assert found.qps_inside == pytest.approx(407.4, abs=0.05)
    assert found.best_qps == found.qps_inside
    assert found.failed_count == 0


def test_without_its_log_nothing_is_made_up():
    found = read_result(CASES / "result_milvus.json")
    assert (found.qps_inside, found.answer_count, found.failed_count) == (None, None, None)
    assert found.best_qps == found.qps


def test_a_pass_that_was_left_out_has_no_recall_instead_of_zero(tmp_path):
    content = json.loads((CASES / "result_milvus.json").read_text())
    content["results"][0]["task_config"]["stages"] = ["search_concurrent"]
    path = tmp_path / "result.json"
    path.write_text(json.dumps(content))
    found = read_result(path)
    assert (found.recall, found.serial_latency_ms_p99, found.serial_latency_ms_p95) == (None, None, None)


def test_a_case_that_failed_is_an_error_although_the_tool_says_success():
    with pytest.raises(CheckFailedError) as caught:
        read_result(CASES / "result_failed.json", log_path=CASES / "failed.log")
    assert "'x'" in caught.value.message
    assert "ef(64) should be larger than k(100)" in caught.value.findings[0]


@pytest.mark.parametrize(
    "text",
    ["", "{}", '{"results": []}', '{"results": [{"label": ":)"}]}', "[1]"],
    ids=["empty", "bare", "none", "half", "list"],
)
def test_another_file_is_refused(tmp_path, text):
    path = tmp_path / "result.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match="no result of one VectorDBBench case"):
        read_result(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(NotFoundError, match=r"result\.json"):
        read_result(tmp_path / "result.json")
