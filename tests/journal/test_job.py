"""A job's record tells the truth about its work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from milvuslab.journal.job import JobWriter, list_jobs, read_job
from milvuslab.model.errors import ConfigError, ConflictError
from milvuslab.model.progress import Progress


def test_progress_and_checkpoint_are_seen_by_a_reader(tmp_path: Path) -> None:
    writer = JobWriter(tmp_path, "load-a", title="A into b")
    writer.observe(Progress(step="embed", done_count=5, total_count=20, unit="documents"))
    writer.checkpoint(resume_token="5", report={"added": 5})
    job = read_job(tmp_path, "load-a")
    assert job is not None
    assert (job.state, job.done_ratio, job.resume_token, job.report) == ("running", 0.25, "5", {"added": 5})
    assert job.pid == os.getpid()
    writer.finish(report={"added": 20})
    done = read_job(tmp_path, "load-a")
    assert done is not None
    assert (done.state, done.resume_token, done.report) == ("done", "", {"added": 20})


def test_a_job_has_one_worker_at_a_time(tmp_path: Path) -> None:
    writer = JobWriter(tmp_path, "a", title="the load")
    with pytest.raises(ConflictError, match="the load"):
        JobWriter(tmp_path, "a", title="the load")
    writer.pause()
    JobWriter(tmp_path, "a", title="the load").finish(report={})


def test_a_failed_job_goes_on_from_its_token_and_a_done_one_begins_anew(tmp_path: Path) -> None:
    first = JobWriter(tmp_path, "a", title="t")
    first.checkpoint(resume_token="page 7", report={"n": 7})
    first.fail("the server went away")
    failed = read_job(tmp_path, "a")
    assert failed is not None and (failed.state, failed.failure) == ("failed", "the server went away")
    second = JobWriter(tmp_path, "a", title="t")
    assert (second.job.resume_token, second.job.report, second.job.failure) == ("page 7", {"n": 7}, "")
    second.finish(report={"n": 9})
    third = JobWriter(tmp_path, "a", title="t")
    assert (third.job.resume_token, third.job.report, third.job.done_count) == ("", {}, 0)
    third.restart()
    third.finish(report={})


def test_a_worker_that_was_killed_shows_as_interrupted_and_its_job_is_free(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from milvuslab.journal.job import JobWriter\n"
        "w = JobWriter(Path(sys.argv[1]), 'a', title='t'); w.checkpoint(resume_token='3', report={}); print('up', flush=True)\n"
        "sys.stdin.read()"
    )
    worker = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    )
    with worker:
        assert worker.stdout is not None and worker.stdout.readline() == "up\n"
        running = read_job(tmp_path, "a")
        assert running is not None and running.state == "running"
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
    killed = read_job(tmp_path, "a")
    assert killed is not None and killed.state == "interrupted" and str(worker.pid) in killed.failure
    again = JobWriter(tmp_path, "a", title="t")
    assert again.job.resume_token == "3"
    again.finish(report={})


def test_the_rate_counts_this_run_only(tmp_path: Path) -> None:
    first = JobWriter(tmp_path, "a", title="t")
    first.observe(Progress(step="s", done_count=1_000_000))
    first.fail("stop")
    second = JobWriter(tmp_path, "a", title="t")
    time.sleep(0.05)
    second.observe(Progress(step="s", done_count=1_000_001))
    assert 0 < second.job.rate_per_s <= 1 / 0.05
    second.finish(report={})


def test_jobs_are_listed_oldest_first(tmp_path: Path) -> None:
    for job_id in ("b", "a"):
        JobWriter(tmp_path, job_id, title=job_id).finish(report={})
    assert [job.job_id for job in list_jobs(tmp_path)] == ["b", "a"]
    assert list_jobs(tmp_path / "none") == []


@pytest.mark.parametrize("job_id", ["", "../a", "A", "a/b", "a" * 200])
def test_an_id_that_could_leave_the_folder_is_refused(tmp_path: Path, job_id: str) -> None:
    with pytest.raises(ConfigError, match="no job id"):
        JobWriter(tmp_path, job_id, title="t")
    assert list(tmp_path.iterdir()) == []
