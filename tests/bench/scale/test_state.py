import dataclasses
import json

import pytest

from milvuslab.bench.scale.case import ScaleCase
from milvuslab.bench.scale.prediction import predict
from milvuslab.bench.scale.state import PartTimes, ScaleState, estimate_left_s

CASE = ScaleCase(row_count=10_000_000)
PREDICTION = predict(CASE)
PART = PartTimes(row_count=2_500_000, generate_s=20.0, bulk_load_s=25.0)
BEGUN = ScaleState(parts=(PART, PART), run_count=1, server_memory_bytes={"index": 7})


def test_a_state_survives_its_file():
    assert ScaleState.from_dict(json.loads(json.dumps(BEGUN.as_dict()))) == BEGUN
    assert ScaleState.from_dict({}) == ScaleState()


def test_the_load_rate_is_over_what_was_timed():
    assert BEGUN.bulk_load_rows_per_s == 100_000
    cut = dataclasses.replace(BEGUN, parts=(PART, dataclasses.replace(PART, bulk_load_s=None)))
    assert cut.bulk_load_rows_per_s == 100_000
    assert cut.bulk_load_s is None
    assert ScaleState().bulk_load_rows_per_s is None


def left_s(state, *, doing="generate", spent_s=0.0, prediction=PREDICTION):
    return estimate_left_s(state, CASE, prediction, doing=doing, spent_s=spent_s)


def test_at_the_beginning_the_prediction_is_what_is_left():
    assert left_s(ScaleState()) == pytest.approx(PREDICTION.total_s - PREDICTION.start_s)


def test_what_took_twice_as_long_as_predicted_goes_on_so():
    slow = PartTimes(row_count=2_500_000, generate_s=PREDICTION.generate_s / 2, bulk_load_s=PREDICTION.bulk_load_s / 2)
    state = ScaleState(parts=(slow, slow))
    expected_s = PREDICTION.generate_s + PREDICTION.bulk_load_s
    expected_s += 2 * (PREDICTION.index_s + PREDICTION.load_s + PREDICTION.measure_s)
    assert left_s(state) == pytest.approx(expected_s)


def test_work_under_way_counts_down_but_never_to_nothing():
    assert left_s(BEGUN, spent_s=5) == pytest.approx(left_s(BEGUN) - 5)
    assert left_s(BEGUN, spent_s=10_000) > 0


def test_finished_steps_are_not_left():
    state = dataclasses.replace(BEGUN, parts=(PART,) * 4, done=("index", "load"), index_s=PREDICTION.index_s)
    assert left_s(state, doing="measure") == pytest.approx(PREDICTION.measure_s, rel=0.5)
