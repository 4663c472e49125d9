"""Drills on a real server: what they must find is what was really done to it. Times are not judged here."""

import signal

import psutil
import pytest

from milvuslab.model.errors import UnsupportedError
from milvuslab.ops.drill import OPERATIONS, list_reports, read_report, run_named
from milvuslab.ops.servers import report_server
from tests.ops.conftest import make_place, wait_until


@pytest.fixture(scope="module")
def place(tmp_path_factory, server_settings):
    for place in make_place(tmp_path_factory.mktemp("drills"), server_settings.cache_dir):
        place.run("server", "start", "standalone")
        yield place
        place.run("server", "stop", "standalone")


@pytest.fixture(scope="module")
def workspace(place):
    return place.workspace()


def test_a_killed_server_loses_nothing_and_every_operation_comes_back(workspace):
    before = report_server(workspace, "standalone").pid
    verdict = run_named(workspace, "kill", server="standalone")
    (one,) = verdict.rounds
    assert one.evidence.happened and str(before) in one.evidence.notes[0]
    assert one.is_healed and report_server(workspace, "standalone").pid != before
    assert verdict.data.is_clean and verdict.data.acknowledged_count > 100
    for operation in OPERATIONS:
        report = one.operations[operation]
        assert report.ok_count < report.probe_count, f"{operation} must have been away while there was no server"
        assert report.recovery_s is not None and report.recovery_s >= report.gap_s / 2 > 0.5, operation
    folder = next(one for one in list_reports(workspace) if one.name.endswith("-kill"))
    assert read_report(workspace, folder.name)["data"]["is_clean"]
    assert {path.name for path in folder.iterdir()} >= {"ledger.jsonl", "probes.csv", "report.html", "verdict.json"}


def test_data_that_were_damaged_behind_the_ledger_are_found(workspace, place):
    verdict = run_named(workspace, "kill", server="standalone", control="defect")
    assert verdict.data.counts["lost"] == 1 and verdict.data.counts["stale"] == 1
    assert not verdict.is_passed and verdict.is_right
    assert all(report.availability_ratio == 1.0 for report in verdict.rounds[0].operations.values())
    shown = place.run("drill", "reports", "--json")["reports"]
    assert shown[-1]["is_passed"] is False


def test_what_a_killed_drill_left_frozen_is_healed(workspace, place):
    pid = report_server(workspace, "standalone").pid
    drill = place.start("drill", "run", "freeze", "--server", "standalone")
    wait_until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED, what="the server standing still")
    drill.send_signal(signal.SIGKILL)
    drill.communicate()
    assert psutil.Process(pid).status() == psutil.STATUS_STOPPED
    assert "answers" in place.run("drill", "heal", "standalone")


def test_a_drill_refuses_what_it_cannot_break(workspace):
    with pytest.raises(UnsupportedError, match="a small disk of its own"):
        run_named(workspace, "disk-full", server="standalone")
