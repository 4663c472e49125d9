"""Usable cores under the limits of a control group, read from a tree of files as Linux has it."""

import psutil
import pytest

from milvuslab.embed.threads import count_usable_cores


def write(root, path, text):
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def test_without_a_control_group_the_cores_count(tmp_path):
    assert 1 <= count_usable_cores(root=tmp_path) <= psutil.cpu_count()


@pytest.mark.parametrize(
    "files",
    [
        {"sys/fs/cgroup/cpu.max": "50000 100000"},
        {"proc/self/cgroup": "0::/app/web\n", "sys/fs/cgroup/app/cpu.max": "100000 100000"},
        {
            "proc/self/cgroup": "0::/a/b\n",
            "sys/fs/cgroup/a/b/cpu.max": "max 100000",
            "sys/fs/cgroup/a/cpu.max": "90000 100000",
        },
        {"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "100000", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000"},
    ],
    ids=["container", "group above", "tightest of two", "first version"],
)
def test_a_quota_of_one_core_leaves_one_thread(tmp_path, files):
    for path, text in files.items():
        write(tmp_path, path, text)
    assert count_usable_cores(root=tmp_path) == 1


@pytest.mark.parametrize("text", ["max 100000", "", "nonsense", "1 0"])
def test_no_quota_or_an_unreadable_one_limits_nothing(tmp_path, text):
    write(tmp_path, "sys/fs/cgroup/cpu.max", text)
    assert count_usable_cores(root=tmp_path) == count_usable_cores(root=tmp_path / "nowhere")
