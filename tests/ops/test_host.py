import platform

import psutil
import pytest

from milvuslab.ops.host import find_existing_parent, read_host


def write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_this_machine_is_read():
    host = read_host()
    assert host.system == platform.system()
    assert host.core_count >= 1
    assert host.memory_bytes == psutil.virtual_memory().total
    assert 0 < host.memory_free_bytes <= host.memory_bytes


@pytest.mark.parametrize(
    "files",
    [
        {
            "sys/fs/cgroup/memory.max": "2000000000\n",
            "sys/fs/cgroup/memory.current": "500000000\n",
            "sys/fs/cgroup/cpu.max": "150000 100000\n",
            "sys/fs/cgroup/pids.max": "300\n",
        },
        {
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "2000000000\n",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": "500000000\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "150000\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/pids/pids.max": "300\n",
        },
    ],
    ids=["cgroup 2", "cgroup 1"],
)
def test_the_limits_of_a_container_count(tmp_path, files):
    host = read_host(root=write(tmp_path, files))
    assert host.memory_limit_bytes == 2_000_000_000
    assert host.memory_free_bytes <= 1_500_000_000
    assert host.core_limit == 1.5
    assert host.process_limit == 300


def test_no_limit_is_none(tmp_path):
    unlimited = {
        "sys/fs/cgroup/memory.max": "max\n",
        "sys/fs/cgroup/cpu.max": "max 100000\n",
        "sys/fs/cgroup/pids.max": "max\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
    }
    host = read_host(root=write(tmp_path, unlimited))
    assert (host.memory_limit_bytes, host.core_limit, host.process_limit) == (None, None, None)


def test_processor_features_are_read(tmp_path):
    host = read_host(root=write(tmp_path, {"proc/cpuinfo": "processor: 0\nflags\t\t: fpu SSE4_2 avx2\n"}))
    assert host.cpu_flags == {"fpu", "sse4_2", "avx2"}


def test_the_nearest_folder_that_is_there(tmp_path):
    assert find_existing_parent(tmp_path / "a" / "b") == tmp_path
    assert find_existing_parent(tmp_path) == tmp_path
