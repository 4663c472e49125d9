import platform

import pytest

from milvuslab.model.errors import UnsupportedError
from milvuslab.runtime.builds import BUILDS, Machine, choose_build, read_machine

LINUX = Machine(system="Linux", machine="x86_64")


@pytest.mark.parametrize(
    ("machine", "version"),
    [
        (LINUX, "2.3.5"),
        (Machine(system="Darwin", machine="arm64", system_version=(15, 1)), "2.3.9"),
        (Machine(system="Darwin", machine="arm64", system_version=(11, 6)), "2.3.4"),
        (Machine(system="Darwin", machine="x86_64", system_version=(10, 15, 7)), "2.3.3"),
    ],
    ids=["linux", "macos arm", "old macos arm", "macos intel"],
)
def test_each_machine_gets_the_best_build_for_it(machine, version):
    assert choose_build(machine).version == version


def test_a_version_can_be_named():
    assert choose_build(LINUX, version="2.2.16").stop_limit_s == 3.0


@pytest.mark.parametrize(
    ("machine", "has"),
    [
        (Machine(system="Linux", machine="aarch64"), "Linux aarch64"),
        (Machine(system="Windows", machine="AMD64"), "Windows AMD64"),
        (Machine(system="Linux", machine="x86_64", libc="musl"), "musl"),
        (Machine(system="Linux", machine="x86_64", has_avx2=False), "one without"),
        (Machine(system="Darwin", machine="arm64", system_version=(10, 9)), "macOS 10.9"),
    ],
    ids=["linux arm", "windows", "musl", "no AVX2", "too old"],
)
def test_a_machine_without_a_build_is_told_what_does_run(machine, has):
    with pytest.raises(UnsupportedError) as raised:
        choose_build(machine)
    assert raised.value.has == has
    assert "Lite" in raised.value.hint
    assert "remote" in raised.value.hint


def test_a_version_that_is_not_built_for_the_machine_is_told_the_others():
    with pytest.raises(UnsupportedError, match=r"there is 2\.3\.5, 2\.2\.16") as raised:
        choose_build(LINUX, version="2.3.9")
    assert "2.3.5" in raised.value.hint


def test_every_build_is_pinned():
    assert len({build.sha256 for build in BUILDS}) == len(BUILDS)
    for build in BUILDS:
        assert len(build.sha256) == 64
        assert build.filename.startswith(f"milvus-{build.version}-py3-none-")
        assert build.size_bytes > 30_000_000


def test_this_machine_is_read(tmp_path):
    machine = read_machine()
    assert (machine.system, machine.machine) == (platform.system(), platform.machine())


@pytest.mark.skipif(platform.system() != "Linux" or platform.machine() != "x86_64", reason="reads Linux's cpuinfo")
@pytest.mark.parametrize(("flags", "has_avx2"), [("fpu sse avx avx2", True), ("fpu sse avx", False)])
def test_avx2_is_read_from_the_flags(tmp_path, flags, has_avx2):
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "cpuinfo").write_text(f"processor : 0\nflags\t\t: {flags}\nbugs : avx2\n")
    assert read_machine(root=tmp_path).has_avx2 is has_avx2


@pytest.mark.skipif(platform.system() != "Linux", reason="reads Linux's cpuinfo")
def test_an_unknown_processor_is_not_refused(tmp_path):
    assert read_machine(root=tmp_path).has_avx2
