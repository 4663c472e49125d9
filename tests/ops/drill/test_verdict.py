import dataclasses

import pytest

from milvuslab.journal.checker import CheckReport, Finding
from milvuslab.ops.drill.advice import advise
from milvuslab.ops.drill.drills import DRILLS
from milvuslab.ops.drill.faults import FAULTS, Evidence
from milvuslab.ops.drill.report import render_verdict
from milvuslab.ops.drill.timeline import OPERATIONS, OperationReport, Probe
from milvuslab.ops.drill.verdict import Limits, Round, Verdict, compute_p95, judge

CLEAN = CheckReport(findings=(), key_count=10, row_count=10, acknowledged_count=10, failed_count=0, unknown_count=0)
LOST = dataclasses.replace(CLEAN, findings=(Finding(kind="lost", key=7, message="lost: key 7 <is> not there"),))


def report(operation, *, gap_s=0.1, recovery_s=0.0, ok_count=100, wrong_count=0):
    return OperationReport(
        operation=operation, probe_count=100, ok_count=ok_count, wrong_count=wrong_count, availability_ratio=ok_count / 100, gap_s=gap_s,
        gap_begin_s=0.0, recovery_s=recovery_s, errors={},
    )  # fmt: skip


def make_round(*, happened=True, is_healed=True, **changed):
    return Round(
        begin_s=0.0, end_s=30.0, evidence=Evidence(struck_at_s=5.0, ended_at_s=6.0, happened=happened, notes=["seen"]),
        is_healed=is_healed, heal_s=1.0,
        operations={name: changed.get(name) or report(name) for name in OPERATIONS},
    )  # fmt: skip


def make_verdict(*, rounds=None, data=CLEAN, control=""):
    rounds = rounds or [make_round()]
    return Verdict(
        drill="kill", title="the server is <killed>", server="drill", server_version="2.3.5", control=control,
        started_at="2026-01-01T00:00:00+00:00", duration_s=30.0, rate_per_s=10.0, timeout_s=1.0, rounds=tuple(rounds),
        data=data, findings=judge(rounds, data, limits=Limits(), control=control), advice=(),
    )  # fmt: skip


def test_nothing_speaks_against_a_clean_round():
    assert judge([make_round()], CLEAN, limits=Limits(search_gap_s=1.0), control="") == ()


@pytest.mark.parametrize(
    "rounds, data, said",
    [
        ([make_round(happened=False)], CLEAN, "the fault was not seen to happen"),
        ([make_round(is_healed=False)], CLEAN, "the server was not healed"),
        ([make_round(query=report("query", recovery_s=None))], CLEAN, "query did not come back"),
        ([make_round()], LOST, "data: 1 lost"),
        ([make_round()], dataclasses.replace(CLEAN, acknowledged_count=0), "nothing is proven"),
        ([make_round(search=report("search", gap_s=9.0))], CLEAN, "search was away for 9.0 s"),
        ([make_round(delete=report("delete", recovery_s=9.0))], CLEAN, "delete was back after 9.0 s"),
        ([make_round(search=report("search", ok_count=90))], CLEAN, "90.00% of searches succeeded"),
        ([make_round(search=report("search", wrong_count=3))], CLEAN, "3 calls of search were answered, but not"),
        ([make_round(), make_round(happened=False)], CLEAN, "round 2: the fault"),
    ],
)
def test_each_defect_is_a_finding(rounds, data, said):
    limits = Limits(search_gap_s=5.0, write_recovery_s=5.0, search_availability_ratio=0.95)
    findings = judge(rounds, data, limits=limits, control="")
    assert len(findings) == 1
    assert said in findings[0]


def test_a_control_allows_no_failure_at_all():
    rounds = [make_round(search=report("search", ok_count=99))]
    assert judge(rounds, CLEAN, limits=Limits(), control="") == ()
    (finding,) = judge(rounds, CLEAN, limits=Limits(), control="no-fault")
    assert "1 of 100 calls of search failed" in finding


def test_a_control_with_a_defect_is_right_only_when_it_does_not_pass():
    assert make_verdict(data=LOST, control="defect").is_right
    assert not make_verdict(data=CLEAN, control="defect").is_right
    assert make_verdict(control="no-fault").is_right
    assert not make_verdict(data=LOST).is_right


def test_the_95th_percentile_is_one_of_the_values_and_no_return_is_none():
    assert compute_p95([float(value) for value in range(1, 21)]) == 19.0
    assert compute_p95([1.0, None]) is None
    assert compute_p95([]) is None


def test_the_page_shows_the_timeline_and_escapes_what_it_shows():
    probes = [
        Probe("search", second + 0.5, second + 0.6, second != 6, "" if second != 6 else "away") for second in range(30)
    ]
    page = render_verdict(make_verdict(data=LOST), probes)
    assert page.count("0 of 1</title>") == 1
    assert page.count("1 of 1</title>") == 29
    assert "the server is &lt;killed&gt;" in page
    assert "key 7 &lt;is&gt; not there" in page
    assert "Not passed" in page


def test_advice_names_what_would_have_helped():
    rounds = [make_round(search=report("search", gap_s=60.0, recovery_s=60.0))]
    told = " ".join(advise(rounds, drill=DRILLS["kill"]))
    assert "session_ttl_s" in told
    assert "replica 2" in told
    assert advise([make_round()], drill=DRILLS["kill"]) == ()


def test_every_drill_names_a_fault_that_there_is_and_says_it_in_both_languages():
    assert {drill.fault for drill in DRILLS.values()} <= set(FAULTS)
    assert all(drill.title and any("가" <= letter <= "힣" for letter in drill.title_ko) for drill in DRILLS.values())
    assert all(drill.name == name for name, drill in DRILLS.items())
