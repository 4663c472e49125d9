"""What a run costs the server: a process whose use is known, and a /proc written by hand."""

import subprocess
import sys
import time

import pytest

from milvuslab.bench.server_metrics import MetricSample, metric_changes, parse_metrics
from milvuslab.bench.server_side import ServerWatch, read_memory, read_processes
from milvuslab.machine import poll_until
from milvuslab.model.errors import UnreachableError

BUSY = """
import sys, time, os
held = bytearray(os.urandom(1)) * 60_000_000
print("ready", flush=True)
sys.stdin.readline()
end = time.process_time() + 0.3
while time.process_time() < end: pass
with open(sys.argv[1], "wb") as file:
    file.write(os.urandom(3_000_000)); file.flush(); os.fsync(file.fileno())
print("done", flush=True)
sys.stdin.readline()
"""
NEEDS_PROC = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@pytest.fixture
def busy(tmp_path):
    """A process that on a word spends 0.3 s of processor time and writes 3 MB to the disk; it holds 60 MB."""
    child = subprocess.Popen(
        [sys.executable, "-c", BUSY, str(tmp_path / "written")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout.readline() == "ready\n"

    def work():
        child.stdin.write("go\n")
        child.stdin.flush()
        assert child.stdout.readline() == "done\n"

    yield child, work
    child.kill()
    child.communicate()


@NEEDS_PROC
def test_a_phase_counts_what_the_process_used_in_it(busy):
    child, work = busy
    with ServerWatch([child.pid]) as watch:
        with watch.phase("idle"):
            pass
        with watch.phase("work"):
            work()
    idle, work_phase = watch.phases
    assert idle.cpu_s < 0.1
    assert 0.25 < work_phase.cpu_s < 3.0
    assert idle.write_bytes == 0
    assert (
        work_phase.write_bytes is None
        or work_phase.write_bytes == pytest.approx(3_000_000, rel=0.05)
        or (
            work_phase.write_bytes == 0  # a folder in memory
        )
    )
    assert work_phase.rss_bytes_max > 60_000_000
    assert work_phase.memory.pss_anon_bytes > 60_000_000 > work_phase.memory.pss_file_bytes
    assert work_phase.begun_ns > idle.begun_ns


@NEEDS_PROC
def test_a_killed_process_is_noticed_and_named(busy):
    child, _ = busy
    watch = ServerWatch([child.pid])
    watch.check_alive()
    assert not watch.is_frozen()
    child.kill()
    poll_until(lambda: read_processes([child.pid]) is None or child.poll() is not None, timeout_s=5)
    with pytest.raises(UnreachableError, match=f"process {child.pid} ended"):
        watch.check_alive()


@NEEDS_PROC
def test_a_frozen_process_is_noticed(busy):
    import signal

    child, _ = busy
    watch = ServerWatch([child.pid])
    child.send_signal(signal.SIGSTOP)
    assert poll_until(watch.is_frozen, timeout_s=5)
    child.send_signal(signal.SIGCONT)
    assert poll_until(lambda: not watch.is_frozen(), timeout_s=5)


def write_proc(folder, pid, *, ticks, major_faults, pages=100):
    own = folder / str(pid)
    own.mkdir(parents=True)
    fields = ["S"] + ["0"] * 8 + [str(major_faults), "0", str(ticks), str(ticks)] + ["0"] * 30
    (own / "stat").write_text(f"{pid} (a name) with (brackets) {' '.join(fields)}")
    (own / "statm").write_text(f"999 {pages} 0 0 0 0 0")
    (own / "io").write_text("rchar: 1\nread_bytes: 4096\nwrite_bytes: 8192\n")
    (own / "smaps_rollup").write_text(
        "00-ff ---p [rollup]\nRss: 900 kB\nPss: 300 kB\nPss_Anon: 200 kB\nPss_File: 100 kB\n"
    )


def test_processes_are_added_up(tmp_path):
    write_proc(tmp_path, 1, ticks=100, major_faults=3)
    write_proc(tmp_path, 2, ticks=50, major_faults=4)
    sample = read_processes([1, 2, 77], proc_dir=tmp_path)
    assert (sample.major_faults, sample.read_bytes, sample.write_bytes) == (7, 8_192, 16_384)
    assert sample.cpu_s == pytest.approx(3.0)
    assert read_memory([1, 2], proc_dir=tmp_path).pss_anon_bytes == 400 * 1_024


def test_what_the_system_hides_is_absent(tmp_path):
    write_proc(tmp_path, 1, ticks=1, major_faults=0)
    (tmp_path / "1" / "io").unlink()
    (tmp_path / "1" / "smaps_rollup").unlink()
    assert read_processes([1], proc_dir=tmp_path).read_bytes is None
    assert read_memory([1], proc_dir=tmp_path) is None


@pytest.mark.parametrize(
    "watch, word",
    [
        (ServerWatch(), "no process of the server is on this machine"),
        (ServerWatch(reason="it is far away"), "it is far away"),
    ],
)
def test_without_processes_the_reason_is_kept(watch, word):
    with watch, watch.phase("anything"):
        pass
    assert watch.absence == word and not watch.phases
    watch.check_alive()


def test_without_proc_the_reason_is_kept(tmp_path):
    assert "has no" in ServerWatch([1], proc_dir=tmp_path / "none").absence


PAGE = """# HELP milvus_proxy_sq_latency latency
milvus_proxy_sq_latency_sum{query_type="search"} %d
milvus_proxy_sq_latency_count{query_type="search"} %d
milvus_proxy_sq_latency_sum{query_type="query"} 9000
milvus_proxy_sq_latency_count{query_type="query"} 1
milvus_proxy_req_count{function_name="Search",status="total"} %d
milvus_proxy_req_count{function_name="Search",status="success"} 100
process_resident_memory_bytes 2.5e+08
unrelated 5
"""


def sample(total_ms, count):
    return MetricSample(at_ns=time.monotonic_ns(), values=parse_metrics(PAGE % (total_ms, count, count)))


def test_changes_of_the_servers_metrics():
    changes = metric_changes(sample(100, 10), sample(400, 110))
    assert changes == {
        "milvus_proxy_sq_latency_ms_mean": 3.0,
        "milvus_proxy_req_count": 100.0,
        "process_resident_memory_bytes": 2.5e8,
    }
    assert metric_changes(None, sample(1, 1)) == {}
