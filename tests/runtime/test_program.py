import json
import os
import signal
import subprocess
import sys

import psutil
import pytest

from milvuslab.machine.polling import poll_until
from milvuslab.model.errors import ConfigError, StartError
from milvuslab.runtime.program import find_program, read_exit, read_log_tail, start_program, stop_program

SLEEP = "import time; print('up', flush=True); time.sleep(60)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()"
WITH_CHILD = (
    "import subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
    "print(child.pid, flush=True); time.sleep(60)"
)


def wait_for_log(program):
    lines = poll_until(lambda: read_log_tail(program.log_path), timeout_s=10)
    assert lines, f"{program.name} printed nothing"
    return lines


def test_a_started_program_runs_in_its_own_session_and_is_found(make_program):
    program = make_program("import os, sys; print(os.environ['GREETING'], sys.stdin.read()); " + SLEEP)
    started = start_program(program)
    assert not started.was_running
    assert os.getsid(started.pid) == started.pid
    assert wait_for_log(program)[0] == "hello "
    found = find_program(program.record_path)
    assert (found.pid, found.was_running) == (started.pid, True)
    assert found.uptime_s < 20
    assert found.rss_bytes > 1_000_000
    assert stop_program(program.record_path, timeout_s=10).was_running


def test_the_environment_of_this_process_is_not_inherited(make_program, monkeypatch):
    monkeypatch.setenv("SECRET_OF_MINE", "x")
    program = make_program("import os; print('SECRET_OF_MINE' in os.environ, flush=True); " + SLEEP)
    start_program(program)
    assert wait_for_log(program)[0] == "False"
    stop_program(program.record_path, timeout_s=10)


def test_starting_what_runs_gives_the_same_process(make_program):
    program = make_program(SLEEP)
    first, second = start_program(program), start_program(program)
    assert (second.pid, second.was_running) == (first.pid, True)
    stop_program(program.record_path, timeout_s=10)


def test_a_stopped_program_is_gone_with_its_record(make_program):
    program = make_program(SLEEP)
    pid = start_program(program).pid
    report = stop_program(program.record_path, timeout_s=10)
    assert (report.was_running, report.was_killed) == (True, False)
    assert report.duration_s < 5
    assert find_program(program.record_path) is None
    assert not program.record_path.exists()
    assert not psutil.pid_exists(pid)


def test_stopping_what_does_not_run_does_nothing(make_program, tmp_path):
    assert not stop_program(make_program(SLEEP).record_path, timeout_s=1).was_running
    assert not stop_program(tmp_path / "never" / "process.json", timeout_s=1).was_running


def test_a_program_that_ignores_sigterm_is_killed_after_the_deadline(make_program):
    program = make_program(STUBBORN)
    start_program(program)
    wait_for_log(program)
    report = stop_program(program.record_path, timeout_s=0.3)
    assert report.was_killed
    assert 0.3 <= report.duration_s < 5
    assert find_program(program.record_path) is None


def test_children_of_the_program_end_with_it(make_program):
    program = make_program(WITH_CHILD)
    start_program(program)
    child_pid = int(wait_for_log(program)[0])
    stop_program(program.record_path, timeout_s=10)
    assert poll_until(lambda: not psutil.pid_exists(child_pid) or is_zombie(child_pid), timeout_s=5)


def test_children_that_outlived_a_killed_program_are_found_by_stop(make_program):
    program = make_program(WITH_CHILD)
    started = start_program(program)
    child_pid = int(wait_for_log(program)[0])
    os.kill(started.pid, signal.SIGKILL)
    assert poll_until(lambda: find_program(program.record_path) is None, timeout_s=5)
    assert stop_program(program.record_path, timeout_s=10).was_running
    assert poll_until(lambda: not psutil.pid_exists(child_pid) or is_zombie(child_pid), timeout_s=5)


def is_zombie(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_killed_program_is_not_running_and_can_be_started_again(make_program):
    program = make_program(SLEEP)
    first = start_program(program)
    os.kill(first.pid, signal.SIGKILL)
    assert poll_until(lambda: find_program(program.record_path) is None, timeout_s=5)
    second = start_program(program)
    assert not second.was_running
    assert second.pid != first.pid
    stop_program(program.record_path, timeout_s=10)


def test_a_process_id_that_somebody_else_got_is_neither_taken_nor_killed(make_program):
    program = make_program(SLEEP)
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        program.record_path.parent.mkdir(parents=True)
        started_at_s = psutil.Process(stranger.pid).create_time()
        record = {"format": 1, "pid": stranger.pid, "started_at_s": started_at_s, "argv": []}
        program.record_path.write_text(json.dumps(record))
        assert find_program(program.record_path) is None
        assert not stop_program(program.record_path, timeout_s=1).was_running
        assert stranger.poll() is None
        assert not program.record_path.exists()
    finally:
        stranger.kill()
        stranger.wait()


STARTER = """
import os, signal, sys
from pathlib import Path
from milvuslab.runtime import program as module

def die(*arguments, **named):
    os.kill(os.getpid(), signal.SIGKILL)

module.write_record = die
folder = Path(sys.argv[1])
module.start_program(module.Program(
    name="job", argv=(sys.executable, "-c", sys.argv[2]), environment={}, working_dir=folder,
    log_path=folder / "program.log", record_path=folder / "process.json"))
"""


def test_a_program_whose_starter_was_killed_before_recording_it_is_found(make_program):
    program = make_program(SLEEP)
    starter = subprocess.run([sys.executable, "-c", STARTER, str(program.working_dir), SLEEP], check=False)
    assert starter.returncode == -signal.SIGKILL
    assert not program.record_path.exists()
    wait_for_log(program)
    found = find_program(program.record_path)
    assert found is not None
    assert start_program(program).pid == found.pid
    assert stop_program(program.record_path, timeout_s=10).was_running
    assert find_program(program.record_path) is None


def test_a_program_outlives_the_one_who_started_it(make_program):
    program = make_program(SLEEP)
    code = STARTER.replace("module.write_record = die", "")
    subprocess.run([sys.executable, "-c", code, str(program.working_dir), SLEEP], check=True)
    assert find_program(program.record_path) is not None
    stop_program(program.record_path, timeout_s=10)


def test_two_starters_at_once_end_with_one_process(make_program, home):
    program = make_program(SLEEP)
    code = STARTER.replace("module.write_record = die", "")
    starters = [
        subprocess.Popen([sys.executable, "-c", code, str(program.working_dir), SLEEP], stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    assert [starter.wait() for starter in starters] == [0, 0, 0]
    for starter in starters:
        starter.stderr.close()
    mark = str(program.record_path.resolve())
    marked = [p for p in psutil.process_iter() if mark in readable_environment(p).values()]
    assert len(marked) == 1
    stop_program(program.record_path, timeout_s=10)


def readable_environment(process):
    try:
        return process.environ()
    except (psutil.Error, OSError):
        return {}


def test_a_program_that_is_not_there_is_a_named_error(make_program):
    import dataclasses

    program = dataclasses.replace(make_program(SLEEP), argv=("/nowhere/milvus", "run"))
    with pytest.raises(StartError, match=r"job cannot be started: No such file or directory \(/nowhere/milvus\)"):
        start_program(program)
    assert not program.record_path.exists()


def test_a_damaged_record_is_named_with_its_path(make_program):
    program = make_program(SLEEP)
    program.record_path.parent.mkdir(parents=True)
    program.record_path.write_text("{")
    with pytest.raises(ConfigError, match=r"process\.json is damaged"):
        find_program(program.record_path)


@pytest.mark.parametrize(
    ("code", "text"),
    [("raise SystemExit(3)", "exit code 3"), ("import os; os.kill(os.getpid(), 4)", "signal SIGILL")],
    ids=["exit code", "signal"],
)
def test_how_a_program_ended_is_told(make_program, code, text):
    started = start_program(make_program(code))
    assert poll_until(lambda: read_exit(started.pid), timeout_s=10) == text
    assert read_exit(started.pid) == ""


def test_the_log_of_the_run_before_is_kept_beside_the_present_one(make_program):
    for number in range(6):
        program = make_program(f"print({number})")
        started = start_program(program)
        assert poll_until(lambda pid=started.pid: read_exit(pid), timeout_s=10)
    logs = {path.name: path.read_text() for path in program.working_dir.glob("program.log*")}
    assert logs == {"program.log": "5\n", "program.log.1": "4\n", "program.log.2": "3\n", "program.log.3": "2\n"}


def test_the_tail_of_a_log_is_its_last_lines(tmp_path):
    log = tmp_path / "a.log"
    log.write_bytes(b"\xff one\n" + b"".join(b"line %d\n" % number for number in range(1000)))
    assert read_log_tail(log, line_count=2) == ("line 998", "line 999")
    assert len(read_log_tail(log, line_count=5_000, limit_bytes=100)) < 15
    assert read_log_tail(log, line_count=0) == ()
    assert read_log_tail(tmp_path / "none.log") == ()


def test_a_line_as_long_as_a_stack_trace_is_cut(tmp_path):
    (tmp_path / "a.log").write_text("x" * 30_000)
    (line,) = read_log_tail(tmp_path / "a.log")
    assert len(line) < 2_010
