import pytest

from milvuslab.ops.drill.timeline import Probe, count_by_second, measure_operation


def probes(*, outage=(5.0, 8.0), rate=10, end=20, operation="search"):
    made = []
    for number in range(int(end * rate)):
        due = number / rate
        is_ok = not outage[0] <= due < outage[1]
        made.append(Probe(operation, due, due + 0.01, is_ok, "" if is_ok else "unreachable"))
    return made


def test_an_outage_is_measured_in_every_way():
    report = measure_operation(probes(), "search", begin_s=0.0, end_s=20.0, fault_s=5.0)
    assert (report.probe_count, report.ok_count) == (200, 170)
    assert report.availability_ratio == 0.85
    assert report.gap_s == pytest.approx(3.1)
    assert report.gap_begin_s == pytest.approx(4.91)
    assert report.recovery_s == pytest.approx(3.01)
    assert report.errors == {"unreachable": 30}


def test_without_a_failure_nothing_was_away():
    report = measure_operation(probes(outage=(99, 99)), "search", begin_s=0.0, end_s=20.0, fault_s=5.0)
    assert report.availability_ratio == 1.0
    assert report.recovery_s == 0.0
    assert report.gap_s == pytest.approx(0.1, abs=0.02)


def test_a_single_success_between_failures_is_no_recovery():
    flapping = [one for one in probes(outage=(5.0, 9.0)) if one.due_s != 6.0] + [Probe("search", 6.0, 6.01, True)]
    assert measure_operation(flapping, "search", begin_s=0.0, end_s=20.0, fault_s=5.0).recovery_s == pytest.approx(4.01)


def test_what_does_not_come_back_has_no_recovery_time():
    report = measure_operation(probes(outage=(5.0, 99.0)), "search", begin_s=0.0, end_s=20.0, fault_s=5.0)
    assert report.recovery_s is None
    assert report.gap_s == pytest.approx(15.09)


def test_success_too_near_to_the_end_proves_nothing():
    report = measure_operation(probes(outage=(5.0, 18.0)), "search", begin_s=0.0, end_s=20.0, fault_s=5.0)
    assert report.recovery_s is None


def test_an_operation_that_was_never_called_is_not_available():
    report = measure_operation(probes(), "delete", begin_s=0.0, end_s=20.0, fault_s=5.0)
    assert (report.probe_count, report.availability_ratio, report.recovery_s) == (0, 0.0, None)
    assert report.gap_s == 20.0


def test_a_stalled_call_that_succeeds_late_is_a_gap():
    late = [
        Probe("query", due / 10, max(due / 10 + 0.01, 6.0 if 2.0 <= due / 10 < 6 else 0), True) for due in range(100)
    ]
    report = measure_operation(late, "query", begin_s=0.0, end_s=10.0, fault_s=2.0)
    assert report.availability_ratio == 1.0
    assert report.gap_s == pytest.approx(4.09)


def test_seconds_are_counted_by_when_a_probe_was_due():
    counts = count_by_second(probes(outage=(1.0, 2.0), end=3), "search", end_s=3.0)
    assert counts[:3] == [(10, 10), (10, 0), (10, 10)]
