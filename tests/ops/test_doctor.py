import dataclasses
import shutil
import socket
import subprocess
import sys

import pytest

from milvuslab.model.errors import CheckFailedError
from milvuslab.ops.doctor import check_host, diagnose, require_health
from milvuslab.ops.host import Host
from milvuslab.ops.servers import add_server
from tests.ops.conftest import MARK, processes_below, wait_until

HEALTHY = Host(
    system="Linux",
    architecture="x86_64",
    libc="glibc 2.36",
    core_count=8,
    core_limit=None,
    memory_bytes=32_000_000_000,
    memory_free_bytes=20_000_000_000,
    memory_limit_bytes=None,
    process_limit=None,
    cpu_flags=frozenset({"sse4_2", "avx2"}),
    open_file_limit=65_536,
)


def levels(findings):
    worst = {}
    for finding in findings:
        order = ["ok", "warn", "fail"]
        worst[finding.check] = max(worst.get(finding.check, "ok"), finding.level, key=order.index)
    return worst


def test_a_healthy_machine_is_ok():
    assert set(levels(check_host(HEALTHY)).values()) == {"ok"}


@pytest.mark.parametrize(
    "changed, check, level",
    [
        ({"cpu_flags": frozenset({"sse4_2"})}, "cpu", "warn"),
        ({"cpu_flags": frozenset({"fpu"})}, "cpu", "warn"),
        ({"memory_free_bytes": 3_000_000_000}, "memory", "warn"),
        ({"memory_free_bytes": 500_000_000, "memory_limit_bytes": 1_000_000_000}, "memory", "fail"),
        ({"open_file_limit": 1024}, "open files", "warn"),
        ({"open_file_limit": 64}, "open files", "fail"),
        ({"process_limit": 100}, "container", "warn"),
        ({"core_limit": 0.5}, "container", "warn"),
    ],
    ids=str,
)
def test_what_a_machine_lacks_is_told_with_a_remedy(changed, check, level):
    findings = check_host(dataclasses.replace(HEALTHY, **changed))
    assert levels(findings)[check] == level
    lacking = [finding for finding in findings if finding.level != "ok"]
    assert [finding.check for finding in lacking] == [check]
    assert lacking[0].remedy.endswith(".") and lacking[0].message


def test_nothing_that_fails_raises_nothing():
    require_health(check_host(dataclasses.replace(HEALTHY, open_file_limit=1024)))


def test_a_failing_check_is_an_error_with_its_remedy():
    findings = check_host(dataclasses.replace(HEALTHY, open_file_limit=64))
    with pytest.raises(CheckFailedError) as caught:
        require_health(findings)
    assert caught.value.exit_code == 1
    assert "ulimit" in caught.value.hint
    assert caught.value.findings == ("a process may open 64 files",)


def test_this_machine_is_diagnosed_and_nothing_is_made(place):
    findings = diagnose(place.workspace())
    assert {"python", "memory", "home_dir", "cache_dir", "clock", "packages: core", "studio"} <= set(levels(findings))
    assert all(finding.remedy for finding in findings if finding.level != "ok")
    assert not place.home.exists()


def test_a_taken_port_of_a_stopped_server_is_told(place):
    workspace = place.workspace()
    status = add_server(workspace, "scratch", kind="lite")
    with socket.create_server(("127.0.0.1", status.ports["proxy"])):
        finding = next(one for one in diagnose(workspace) if one.check == "server scratch")
    assert finding.level == "warn"
    assert str(status.ports["proxy"]) in finding.message
    assert "--renew-ports" in finding.remedy


@pytest.mark.parametrize("flags, level", [({}, "ok"), ({"studio_port": 0}, "ok")])
def test_the_studio_may_use_another_port_unless_one_is_asked_for(place, flags, level):
    assert levels(diagnose(place.workspace(**flags)))["studio"] == level


def test_a_port_that_was_asked_for_and_is_taken_is_told(place):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        workspace = place.workspace(studio_port=listener.getsockname()[1])
        assert levels(diagnose(workspace))["studio"] == "warn"


def test_a_damaged_profile_fails(place):
    path = place.home / "servers" / "bad" / "profile.json"
    path.parent.mkdir(parents=True)
    path.write_text("{")
    finding = next(one for one in diagnose(place.workspace()) if one.check == "profiles")
    assert finding.level == "fail" and str(path) in finding.message


def test_a_program_whose_folder_was_deleted_is_found_and_stopped_by_down(place):
    folder = place.home / "servers" / "gone"
    folder.mkdir(parents=True)
    code = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])"
    # A starter that ends, as ours do, so that the orphan is nobody's child.
    subprocess.run([sys.executable, "-c", code], env={MARK: str(folder / "process.json")}, check=True)
    shutil.rmtree(folder)
    find = lambda: [one for one in diagnose(place.workspace()) if one.check == "orphans"]  # noqa: E731
    (finding,) = wait_until(find, what="the orphan is found")
    assert str(processes_below(place.home)[0].pid) in finding.message
    report = place.run("down", "--json")
    assert report["stopped"] == ["gone (its folder was deleted)"]
    assert processes_below(place.home) == []
