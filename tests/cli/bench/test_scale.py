"""The whole command on a real 2.3.5 of its own, killed half-way and gone on with."""

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from milvuslab.bench.scale.server import SERVER_NAME
from milvuslab.journal.job import list_jobs
from milvuslab.model.errors import UnsupportedError
from milvuslab.runtime import choose_build, list_profiles, read_machine
from tests.servers import skip_or_fail

SMALL = ("--rows", "20000", "--dim", "32", "--part-rows", "5000", "--queries", "100", "--duration", "2")


@pytest.fixture
def on_disk(run, server_settings, monkeypatch):
    """Commands with a home of their own, and the server builds of the run."""
    try:
        choose_build(read_machine())
    except UnsupportedError as error:
        skip_or_fail(error.message)
    monkeypatch.setenv("MILVUSLAB_CACHE_DIR", str(server_settings.cache_dir))
    yield run
    run("server", "stop", SERVER_NAME)


def kill_at(line_start, *arguments):
    """Runs the command and kills it without mercy when it says so; returns what it said."""
    said = []
    with subprocess.Popen(
        [sys.executable, "-m", "milvuslab.cli", *arguments],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    ) as process:
        for line in process.stderr:
            said.append(line)
            if line.startswith(line_start):
                os.kill(process.pid, signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL, "".join(said)
    return said


def test_a_run_killed_half_way_goes_on_where_it_was_and_loads_every_row_once(on_disk, home):
    kill_at("bulk load part 3 of 4", "bench", "scale", *SMALL)
    (job,) = list_jobs(home / "jobs")
    assert job.state == "interrupted"
    assert len(job.report["parts"]) == 2
    peak_before_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    ran = on_disk("bench", "scale", *SMALL, "--recall", "0.95", "--drop", "--json")
    assert ran.code == 0, ran.err
    assert "generate part 4 of 4" in ran.err and "generate part 2 of 4" not in ran.err
    assert "left" in ran.err
    metrics = ran.value["metrics"]
    # Rows that were loaded twice would push true neighbours out, and the count of the index would be off.
    assert metrics["recall"] >= 0.95
    assert (metrics["segment_count"], metrics["index_build_count"]) == (4, 4)
    assert ran.value["run_count"] == 2 and metrics["total_s"] is None
    # The command runs in the process of the tests, which was at its own peak before.
    assert metrics["client_memory_bytes"] < peak_before_bytes + 2**29
    result = json.loads(Path(ran.value["result"]).read_text(encoding="utf-8"))
    assert "2.3.5" in result["manifest"]["server"]["version"]
    assert result["manifest"]["index"]["indexed_row_count"] == 20_000
    assert [part["row_count"] for part in result["raw"]["state"]["parts"]] == [5_000] * 4
    assert not list((home / "scale").glob("*/staged"))
    assert list_profiles(home) == [], "--drop removes the server with its data"


def test_what_does_not_fit_is_refused_with_the_numbers_before_anything_is_made(run, home):
    ran = run("bench", "scale", "--rows", "100000000000", "--json")
    assert ran.code == 2
    assert "disk" in ran.error["message"] and ran.error["context"]["disk_needed_bytes"] > 5e13
    assert not home.exists()


def test_a_prediction_makes_nothing(run, home):
    ran = run("bench", "scale", "--rows", "10000", "--predict", "--json")
    assert ran.code == 0, ran.err
    assert ran.value["prediction"]["total_s"] > 0
    assert not home.exists()


def test_a_server_of_other_segments_is_refused(run):
    ran = run("bench", "scale", "--rows", "10000", "--server", "standalone")
    assert ran.code == 2 and "--server" in ran.err
