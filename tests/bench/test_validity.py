"""Which records are refused, and with which cause."""

import dataclasses

import numpy as np
import pytest

from milvuslab.bench.case_file import case_from_dict
from milvuslab.bench.validity import Measured, check_phase, find_idle_parameters, judge_record
from milvuslab.model.errors import CheckFailedError
from tests.bench.records import make_record, make_truth

CASE = case_from_dict(
    {
        "name": "small",
        "dataset": {"row_count": 10_000, "dim": 8},
        "index": {"type": "HNSW", "params": {"M": 8, "efConstruction": 60}},
        "search": {"k": 4, "params": [{"ef": 16}, {"ef": 64}]},
    }
)
SETTING = CASE.settings()[0]
TRUTH = make_truth(query_count=200)


def causes(record, truth=TRUTH, case=CASE):
    return [(one.level, one.cause) for one in judge_record(case, SETTING, record, truth=truth)]


def test_a_good_record_has_no_finding():
    assert causes(make_record(TRUTH)) == []
    check_phase(CASE, SETTING, make_record(TRUTH), truth=TRUTH)


def doubled():
    record = make_record(TRUTH)
    ids = record.ids.copy()
    ids[7, 1] = ids[7, 0]
    return dataclasses.replace(record, ids=ids)


def elsewhere():
    record = make_record(TRUTH)
    return dataclasses.replace(record, ids=record.ids + 50_000, distances=record.distances + 500)


@pytest.mark.parametrize(
    "make, cause",
    [
        pytest.param(lambda: make_record(TRUTH, failed=range(0, 200, 3)), "errors", id="errors"),
        pytest.param(lambda: make_record(TRUTH, failed=range(200), code="timed_out"), "timeout", id="all time out"),
        pytest.param(doubled, "duplicate keys", id="a row twice"),
        pytest.param(elsewhere, "zero recall", id="rows of other data"),
        pytest.param(
            lambda: dataclasses.replace(make_record(TRUTH), distances=make_record(TRUTH).distances * -0.5),
            "wrong metric",
            id="other distances to the same rows",
        ),
        pytest.param(lambda: make_record(TRUTH, client_ratio=0.97), "client-bound", id="client"),
        pytest.param(lambda: make_record(TRUTH, late_ms=60), "lateness", id="late"),
    ],
)
def test_what_proves_nothing_is_refused_with_its_cause(make, cause):
    record = make()
    assert ("refused", cause) in causes(record)
    with pytest.raises(CheckFailedError, match=f"^{cause}: ") as caught:
        check_phase(CASE, SETTING, record, truth=TRUTH)
    assert caught.value.exit_code == 1


def test_without_truth_a_record_is_refused():
    assert causes(make_record(TRUTH), truth=None) == [("refused", "empty truth")]


def test_a_limit_of_the_case_decides():
    record = make_record(TRUTH, failed=[3])
    lenient = dataclasses.replace(CASE, limits=dataclasses.replace(CASE.limits, error_ratio_max=0.01))
    assert causes(record)[0] == ("refused", "errors")
    assert causes(record, case=lenient)[0] == ("marked", "errors")
    strict = dataclasses.replace(CASE, limits=dataclasses.replace(CASE.limits, recall_min=0.99))
    assert causes(make_record(TRUTH), case=strict) == [("refused", "low recall")]


def test_somewhat_late_and_few_requests_are_marked():
    assert causes(make_record(TRUTH, late_ms=8)) == [("marked", "lateness")]
    short = make_truth(query_count=20)
    assert causes(make_record(short), truth=short) == [("marked", "few requests")]


def test_distances_to_compressed_rows_may_differ_some():
    record = dataclasses.replace(make_record(TRUTH), distances=make_record(TRUTH).distances * 1.2)
    lossy = case_from_dict(
        {
            **CASE.as_dict(),
            "index": {"type": "IVF_SQ8", "params": {"nlist": 16}},
            "search": {"k": 4, "params": {"nprobe": 4}},
        }
    )
    assert ("refused", "wrong metric") in causes(record)
    assert ("refused", "wrong metric") not in causes(record, case=lossy)


def ladder(*, answers, recall, latencies):
    return [
        Measured(setting=setting, recall=recall, latency_ms_p50=latency, answers=answer)
        for setting, latency, answer in zip(CASE.settings(), latencies, answers, strict=True)
    ]


IDS = TRUTH.ids
SHUFFLED = IDS[:, ::-1]
OTHER = np.where(np.arange(len(IDS))[:, None] == 5, IDS + 1_000, IDS)


@pytest.mark.parametrize(
    "answers, recall, latencies, level",
    [
        pytest.param([IDS, IDS], 0.8, [(2.0, 2.1), (2.05, 2.0)], "refused", id="nothing moves"),
        pytest.param([IDS, SHUFFLED], 0.8, [(2.0, 2.1), (2.05, 2.0)], "refused", id="only ties swap places"),
        pytest.param([IDS, IDS[:150]], 0.8, [(2.0, 2.1), (2.05, 2.0)], "refused", id="fewer queries were reached"),
        pytest.param([IDS, OTHER], 0.8, [(2.0, 2.1), (2.05, 2.0)], None, id="one answer differs"),
        pytest.param([IDS, IDS], 0.8, [(2.0, 2.1), (3.0, 3.2)], None, id="latency moves"),
        pytest.param([IDS, IDS], 1.0, [(2.0, 2.1), (2.05, 2.0)], "marked", id="full recall cannot tell"),
    ],
)
def test_parameters_that_change_nothing_are_found(answers, recall, latencies, level):
    found = find_idle_parameters(ladder(answers=answers, recall=recall, latencies=latencies))
    assert [one.level for one in found] == ([level] if level else [])
    if level == "refused":
        assert found[0].cause == "parameters never reach the server"


def test_one_step_is_no_ladder():
    assert find_idle_parameters(ladder(answers=[IDS, IDS], recall=0.8, latencies=[(2.0,), (2.0,)])[:1]) == []
