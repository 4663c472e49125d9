import hashlib
import lzma
import subprocess
import sys
import zipfile

import pytest

from milvuslab.model.errors import CheckFailedError, StartError, UnreachableError
from milvuslab.runtime.builds import Build, choose_build, read_machine
from milvuslab.runtime.install import Install, install_build, verify_install
from tests.runtime.conftest import USER_CACHE_DIR

BINARY = b"#!/bin/sh\necho milvus\n" * 100


def make_build(cache_dir, members: dict[str, bytes], *, version: str = "9.9.9") -> Build:
    """A small wheel of the same shape as the real ones, in the cache of fetched packages, and its row."""
    folder = cache_dir / "packages" / "pypi"
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"milvus-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return Build(
        version=version, system="Linux", machine="x86_64", filename=wheel.name, sha256=digest, size_bytes=1_000
    )


def good_members() -> dict[str, bytes]:
    return {
        "milvus/data/bin/milvus.lzma": lzma.compress(BINARY),
        "milvus/data/bin/libone.so.lzma": lzma.compress(b"one" * 1_000),
        "milvus/data/config.yaml.template": b"etcd:\n  endpoints: localhost:{{ etcd_port(int): 2379 }}\n",
        "milvus/__init__.py": b"raise SystemExit('never imported')",
    }


@pytest.fixture
def cache_dir(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def build(cache_dir):
    return make_build(cache_dir, good_members())


def test_the_binary_is_unpacked_and_can_run(cache_dir, build):
    install = install_build(build, cache_dir=cache_dir, is_offline=True)
    assert subprocess.run([install.binary_path], capture_output=True, check=True).stdout.startswith(b"milvus\n")
    assert sorted(path.name for path in install.path.iterdir()) == [
        "config.yaml.template",
        "files.json",
        "libone.so",
        "milvus",
    ]
    verify_install(install)


def test_nothing_but_the_version_is_left_in_the_folder(cache_dir, build):
    leftover = cache_dir / "milvus" / ".unpack-9.9.9-crashed"
    leftover.mkdir(parents=True)
    install_build(build, cache_dir=cache_dir, is_offline=True)
    assert sorted(path.name for path in (cache_dir / "milvus").iterdir()) == [".9.9.9.lock", "9.9.9"]


def test_a_second_install_touches_nothing(cache_dir, build):
    first = install_build(build, cache_dir=cache_dir, is_offline=True).binary_path.stat()
    (cache_dir / "packages" / "pypi" / build.filename).unlink()
    assert install_build(build, cache_dir=cache_dir, is_offline=True).binary_path.stat().st_ino == first.st_ino


def test_progress_is_reported_file_by_file(cache_dir, build):
    seen = []
    install_build(build, cache_dir=cache_dir, is_offline=True, observer=seen.append)
    counts = [progress.done_count for progress in seen if progress.step == "unpack Milvus 9.9.9"]
    assert counts == [1, 2]


@pytest.mark.parametrize("name", ["milvus", "libone.so", "config.yaml.template", "files.json"])
def test_a_file_that_was_lost_is_unpacked_again(cache_dir, build, name):
    install = install_build(build, cache_dir=cache_dir, is_offline=True)
    (install.path / name).unlink()
    assert install_build(build, cache_dir=cache_dir, is_offline=True) == install
    verify_install(install)


def test_a_file_that_was_cut_short_is_unpacked_again(cache_dir, build):
    install = install_build(build, cache_dir=cache_dir, is_offline=True)
    install.binary_path.write_bytes(BINARY[:100])
    install_build(build, cache_dir=cache_dir, is_offline=True)
    assert install.binary_path.read_bytes() == BINARY


def test_a_file_that_was_changed_is_named_by_the_thorough_check(cache_dir, build):
    install = install_build(build, cache_dir=cache_dir, is_offline=True)
    install.binary_path.write_bytes(BINARY[:-1] + b"x")
    with pytest.raises(CheckFailedError, match="milvus has other content") as raised:
        verify_install(install)
    assert raised.value.findings == ("milvus has other content than it was unpacked with",)
    assert str(install.path) in raised.value.hint


def test_another_wheel_of_the_same_version_replaces_the_folder(cache_dir, build):
    install_build(build, cache_dir=cache_dir, is_offline=True)
    members = good_members() | {"milvus/data/bin/milvus.lzma": lzma.compress(b"other")}
    install = install_build(make_build(cache_dir, members), cache_dir=cache_dir, is_offline=True)
    assert install.binary_path.read_bytes() == b"other"


def test_a_wheel_with_another_checksum_is_not_unpacked(cache_dir, build):
    wheel = cache_dir / "packages" / "pypi" / build.filename
    content = bytearray(wheel.read_bytes())
    content[60] ^= 1
    wheel.write_bytes(content)
    with pytest.raises(CheckFailedError, match=r"milvus-9\.9\.9-py3-none-any\.whl was damaged"):
        install_build(build, cache_dir=cache_dir, is_offline=True)
    assert not (cache_dir / "milvus" / "9.9.9").exists()


DAMAGED = {
    "no lzma": {"milvus/data/bin/milvus.lzma": b"plain text"},
    "lzma cut short": {"milvus/data/bin/milvus.lzma": lzma.compress(BINARY)[:-20]},
    "no binary": {"milvus/data/bin/milvus.lzma": None},
    "no template": {"milvus/data/config.yaml.template": None},
}


@pytest.mark.parametrize("change", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_wheel_with_wrong_content_is_named_and_leaves_nothing(cache_dir, change):
    members = {name: content for name, content in (good_members() | change).items() if content is not None}
    build = make_build(cache_dir, members)
    with pytest.raises(CheckFailedError, match="is damaged"):
        install_build(build, cache_dir=cache_dir, is_offline=True)
    assert [path.name for path in (cache_dir / "milvus").iterdir()] == [".9.9.9.lock"]


def test_a_disk_without_room_is_named_and_left_clean(small_disk):
    build = make_build(small_disk, good_members())
    with pytest.raises(StartError, match=r"is full: .* unpacking Milvus 9\.9\.9 takes 260 MB"):
        install_build(build, cache_dir=small_disk, is_offline=True)


def test_offline_without_the_wheel_says_what_to_do(tmp_path, build):
    with pytest.raises(UnreachableError, match=r"milvus 9\.9\.9 is not in the cache"):
        install_build(build, cache_dir=tmp_path / "empty", is_offline=True)


INSTALLER = """
import sys
from pathlib import Path
from milvuslab.runtime.builds import Build
from milvuslab.runtime.install import install_build
build = Build(version="9.9.9", system="Linux", machine="x86_64", filename=sys.argv[2], sha256=sys.argv[3], size_bytes=1)
install_build(build, cache_dir=Path(sys.argv[1]), is_offline=True)
"""


def test_two_installs_at_once_both_end_well(cache_dir, build):
    command = [sys.executable, "-c", INSTALLER, str(cache_dir), build.filename, build.sha256]
    installers = [subprocess.Popen(command) for _ in range(3)]
    assert [installer.wait() for installer in installers] == [0, 0, 0]
    verify_install(Install(build=build, path=cache_dir / "milvus" / "9.9.9"))


def test_the_real_build_of_this_machine_is_whole(servers):
    build = choose_build(read_machine())
    verify_install(Install(build=build, path=USER_CACHE_DIR / "milvus" / build.version))
