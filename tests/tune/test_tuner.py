"""The choice among candidates: objectives, budgets, what is not built, what is kept, and what is said."""

import dataclasses

import numpy as np
import pytest

from milvuslab.model.errors import CheckFailedError, RejectedError, UsageError
from milvuslab.model.index import IndexSpec
from milvuslab.model.metric import Metric
from milvuslab.tune.explanation import SENTENCES
from milvuslab.tune.kept import KeptOutcomes
from milvuslab.tune.measurer import Latency
from milvuslab.tune.outcome import Budget, Objective, Outcome
from milvuslab.tune.space import Candidate
from milvuslab.tune.tuner import tune


def candidate(name, *, rungs=4, memory_bytes=None, is_exact=False):
    build = IndexSpec(field_name="vector", index_type=name, metric=Metric.L2, params={"n": 1})
    ladder = ({},) if is_exact else tuple({"step": rung} for rung in range(rungs))
    return Candidate(build=build, ladder=ladder, is_exact=is_exact, memory_bytes=memory_bytes)


class Scripted:
    """Answers from a table: recall and milliseconds of each step by index type."""

    def __init__(self, recalls, *, ms=None, memory=None, refused=()):
        self.recalls, self.ms, self.memory, self.refused = recalls, ms or {}, memory or {}, refused
        self.built = []

    def _build(self, build):
        if build.index_type in self.refused:
            raise RejectedError("no such index here")
        if self.built[-1:] != [build.index_type]:
            self.built.append(build.index_type)

    def measure_recall(self, build, params, query_rows):
        self._build(build)
        assert build.index_type in self.recalls, "an exact index is not asked for recall"
        return np.full(len(query_rows), self.recalls[build.index_type][params["step"]])

    def measure_latency(self, build, params):
        self._build(build)
        ms = self.ms.get(build.index_type, [1.0] * 9)[params.get("step", 0)]
        return Latency(p50_ms=ms, p95_ms=2 * ms, p99_ms=3 * ms, qps=1000 / ms)

    def measure_memory_bytes(self, build):
        self._build(build)
        return self.memory.get(build.index_type)


FAST, SMALL, EXACT = candidate("FAST", memory_bytes=900), candidate("SMALL", memory_bytes=300), candidate(
    "EXACT", memory_bytes=600, is_exact=True
)  # fmt: skip
RECALLS = {"FAST": [0.5, 0.9, 0.98, 1.0], "SMALL": [0.4, 0.7, 0.9, 0.97]}
MS = {"FAST": [1, 2, 3, 4], "SMALL": [2, 4, 6, 8], "EXACT": [40]}


def run(measurer=None, *, builds=(FAST, SMALL, EXACT), recall_target=0.95, query_count=5_000, **asked):
    measurer = measurer or Scripted(RECALLS, ms=MS)
    return tune(measurer, builds=builds, recall_target=recall_target, query_count=query_count, **asked)


@pytest.mark.parametrize(
    "objective, chosen",
    [
        (Objective.LATENCY_MS_P99, "FAST n=1 step=2"),
        (Objective.QPS, "FAST n=1 step=2"),
        (Objective.MEMORY_BYTES, "SMALL n=1 step=3"),
    ],
)
def test_the_objective_decides(objective, chosen):
    assert run(objective=objective).chosen.label == chosen


def test_the_front_holds_what_is_not_beaten_in_speed_and_memory():
    assert [trial.candidate.build.index_type for trial in run().front] == ["FAST", "SMALL"]


def test_each_index_is_built_once():
    measurer = Scripted(RECALLS, ms=MS)
    run(measurer)
    assert measurer.built == ["FAST", "SMALL", "EXACT"]


def test_what_is_exact_is_not_measured_for_recall():
    trial = run().trials[2]
    assert (trial.recall, trial.recall_lower, trial.search_count, trial.state) == (1.0, 1.0, 0, "qualified")


def test_what_the_formula_puts_over_the_memory_budget_is_never_built():
    measurer = Scripted(RECALLS, ms=MS)
    result = run(measurer, budget=Budget(memory_bytes=700))
    assert measurer.built == ["SMALL", "EXACT"]
    assert result.trials[0].state == "too_large" and "by formula" in result.trials[0].detail
    assert result.chosen.candidate is SMALL


def test_what_turns_out_larger_than_the_formula_is_not_chosen():
    measurer = Scripted(RECALLS, ms=MS, memory={"FAST": 2_000})
    result = run(measurer, budget=Budget(memory_bytes=1_000))
    assert result.trials[0].state == "too_large" and "as measured" in result.trials[0].detail
    assert result.trials[0].search_count == 0
    assert result.chosen.candidate is SMALL


@pytest.mark.parametrize("budget", [Budget(latency_ms_p99=10), Budget(latency_ms_p50=3.5), Budget(qps=200)])
def test_a_budget_of_time_shuts_out_the_slow(budget):
    result = run(budget=budget, objective=Objective.MEMORY_BYTES)
    assert [trial.state for trial in result.trials] == ["qualified", "too_slow", "too_slow"]
    assert result.chosen.candidate is FAST


def test_the_error_is_shared_among_those_that_are_measured():
    alone = run(builds=[FAST]).chosen.rungs
    crowd = run(builds=[FAST, *[candidate("SMALL") for _ in range(7)]]).chosen.rungs
    chosen = [next(one for one in rungs if one.rung == 2) for rungs in (alone, crowd)]
    assert chosen[0].is_shown and chosen[1].is_shown
    assert chosen[1].query_count > chosen[0].query_count


def test_an_index_that_the_server_refuses_does_not_end_the_tuning():
    result = run(Scripted(RECALLS, ms=MS, refused=["FAST"]))
    assert [trial.state for trial in result.trials] == ["failed", "qualified", "qualified"]
    assert "no such index here" in result.trials[0].detail


def test_a_target_out_of_reach_says_the_best_and_what_to_change():
    with pytest.raises(CheckFailedError, match=r"recall of 0.99 .* the best is SMALL n=1 with 0.9700") as caught:
        run(builds=[SMALL], recall_target=0.99)
    assert "ask for a recall below 0.970" in caught.value.hint
    assert caught.value.context["recall_best"] == pytest.approx(0.97)
    assert len(caught.value.findings) == 1


def test_a_target_out_of_budget_says_what_to_change():
    with pytest.raises(CheckFailedError) as caught:
        run(budget=Budget(latency_ms_p99=0.1))
    assert "allow more time" in caught.value.hint


def test_too_few_queries_are_refused_before_anything_is_built():
    measurer = Scripted(RECALLS, ms=MS)
    with pytest.raises(UsageError, match="cannot be shown with 50 queries") as caught:
        run(measurer, builds=[FAST], query_count=50)
    assert "give at least" in caught.value.hint
    assert measurer.built == []
    result = run(measurer, query_count=50)
    assert (result.chosen.candidate, measurer.built) == (EXACT, ["EXACT"])


@pytest.mark.parametrize(
    "wrong", [{"recall_target": 1.0}, {"recall_target": 0}, {"confidence": 1.0}, {"builds": []}, {"query_count": 0}]
)
def test_wrong_questions_are_refused(wrong):
    with pytest.raises(UsageError) as caught:
        run(**wrong)
    assert caught.value.hint


def test_the_reasons_say_what_and_why():
    explanation = run().explanation
    assert [reason.code for reason in explanation.reasons] == [
        "chosen", "recall_shown", "rung_below", "runner_up", "less_memory",
    ]  # fmt: skip
    assert explanation.text.startswith("FAST n=1 step=2 was chosen: latency_ms_p99 9.00 ms. Its recall is 0.9800")
    assert "SMALL n=1 step=3 with 24.00 ms" in explanation.text
    assert "{" not in explanation.text
    assert {reason.code for reason in explanation.reasons} <= set(SENTENCES)


class Stop(KeyboardInterrupt):
    """Ctrl-C."""


def test_an_interrupted_tuning_goes_on_with_the_next_build(tmp_path):
    keeper = KeptOutcomes(tmp_path, question={"data": "a"})
    measurer = Scripted(RECALLS, ms=MS)

    def stop_at_the_second(progress):
        if progress.message == SMALL.label:
            raise Stop

    with pytest.raises(Stop):
        run(measurer, keeper=keeper, observer=stop_at_the_second)
    assert measurer.built == ["FAST"]
    result = run(measurer, keeper=keeper)
    assert measurer.built == ["FAST", "SMALL", "EXACT"]
    assert result.as_dict() == run().as_dict()


def test_another_question_is_not_answered_from_what_was_kept(tmp_path):
    run(keeper=KeptOutcomes(tmp_path, question={"data": "a"}))
    for keeper, changed in (
        (KeptOutcomes(tmp_path, question={"data": "b"}), {}),
        (KeptOutcomes(tmp_path, question={"data": "a"}), {"recall_target": 0.9}),
    ):
        measurer = Scripted(RECALLS, ms=MS)
        run(measurer, keeper=keeper, **changed)
        assert measurer.built == ["FAST", "SMALL", "EXACT"]


def test_a_damaged_file_is_an_outcome_that_was_not_kept(tmp_path):
    keeper = KeptOutcomes(tmp_path, question={})
    run(keeper=keeper)
    for path, text in zip(sorted(tmp_path.glob("*.json")), ["", "{}", '{"format": 1, "outcome": {}}'], strict=True):
        path.write_text(text)
    measurer = Scripted(RECALLS, ms=MS)
    run(measurer, keeper=keeper)
    assert measurer.built == ["FAST", "SMALL", "EXACT"]


def test_an_outcome_survives_its_form_for_json():
    for trial in run(budget=Budget(memory_bytes=700)).trials:
        assert Outcome.from_dict(trial.as_dict()) == dataclasses.replace(trial)
