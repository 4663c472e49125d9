import sys

from milvuslab.ops.orphans import find_orphans, stop_orphans
from milvuslab.runtime import Program, start_program
from tests.ops.conftest import wait_until


def start(home, name, code="import time; time.sleep(600)"):
    folder = home / "servers" / name
    record = folder / "process.json"
    program = Program(
        name=name,
        argv=(sys.executable, "-c", code),
        environment={},
        working_dir=folder,
        log_path=folder / "log",
        record_path=record,
    )
    return start_program(program), record


def test_only_programs_that_nobody_knows_are_orphans(place):
    known, known_record = start(place.home, "known")
    lost, lost_record = start(place.home, "lost")
    # The environment of a program that was just started is its parent's until it begins.
    find = lambda: find_orphans(place.home, known=[known_record])  # noqa: E731
    (orphan,) = wait_until(find, what="the orphan is found")
    assert (orphan.pid, orphan.record_path) == (lost.pid, lost_record)
    assert find_orphans(place.home / "other", known=[]) == []
    stop_orphans([orphan], timeout_s=10)
    assert find_orphans(place.home, known=[known_record]) == []
    both = find_orphans(place.home, known=[])
    assert [one.pid for one in both] == [known.pid]
    stop_orphans(both, timeout_s=10)


def test_one_that_does_not_listen_is_killed(place):
    deaf = (
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('deaf', flush=True)\ntime.sleep(600)"
    )
    _, record = start(place.home, "deaf", deaf)
    wait_until(lambda: "deaf" in (record.parent / "log").read_text(), what="the program begins")
    stop_orphans(find_orphans(place.home, known=[]), timeout_s=0.2)
    assert find_orphans(place.home, known=[]) == []
