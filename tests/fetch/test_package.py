"""Packages through real clients; failures through the same clients, pointed where nothing answers."""

import dataclasses
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from milvuslab.fetch import Package, fetch_package, read_member, sha256_of
from milvuslab.model.errors import (
    CheckFailedError,
    ConfigError,
    NotFoundError,
    UnreachableError,
    UnsupportedError,
)

SIX = Package(
    registry="pypi",
    name="six",
    version="1.16.0",
    sha256="8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254",
    filename="six-1.16.0-py2.py3-none-any.whl",
    size_bytes=11_053,
)
NUMBER = Package(
    registry="npm",
    name="is-number",
    version="7.0.0",
    sha256="7b75c1057198cf97696909a9bee176c9c5e9bcb5b03bf3ecef2f484defadd51e",
    filename="is-number-7.0.0.tgz",
)
HELLO = Package(registry="debian", name="hello", version="", sha256="", filename="hello.deb")


@pytest.fixture(scope="module")
def six_path(tmp_path_factory):
    return fetch_package(SIX, cache_dir=tmp_path_factory.mktemp("six"))


@pytest.fixture
def cached(tmp_path, six_path):
    """A cache folder that holds six, as a fetch leaves it."""
    kept = tmp_path / "packages" / "pypi" / SIX.filename
    kept.parent.mkdir(parents=True)
    kept.write_bytes(six_path.read_bytes())
    return kept


@pytest.fixture
def no_network(monkeypatch):
    """The clients' own settings point at a port where nothing listens."""
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    monkeypatch.setenv("npm_config_fetch_retries", "0")


def leftovers(cache_dir: Path) -> list[str]:
    return sorted(path.name for path in cache_dir.rglob("*") if path.name not in ("packages", "pypi", "npm", "debian"))


def test_a_wheel_comes_whole(six_path):
    assert six_path.name == SIX.filename
    assert sha256_of(six_path) == SIX.sha256
    assert b"Benjamin Peterson" in read_member(six_path, "six.py")
    assert leftovers(six_path.parents[2]) == [SIX.filename]


def test_the_second_time_nothing_is_fetched(cached, tmp_path, no_network):
    seen = []
    assert fetch_package(SIX, cache_dir=tmp_path, observer=seen.append) == cached
    assert seen == []


def test_progress_is_told(tmp_path):
    seen = []
    path = fetch_package(SIX, cache_dir=tmp_path, observer=seen.append)
    assert [event.step for event in seen] == ["fetch six 1.16.0", "fetch six 1.16.0"]
    assert (seen[0].done_count, seen[0].total_count) == (0, SIX.size_bytes)
    assert seen[1].done_count == seen[1].total_count == path.stat().st_size


def test_a_damaged_file_in_the_cache_is_fetched_anew(cached, tmp_path):
    cached.write_bytes(cached.read_bytes()[:-1])
    assert sha256_of(fetch_package(SIX, cache_dir=tmp_path)) == SIX.sha256


def test_a_damaged_file_is_kept_while_no_better_one_comes(cached, tmp_path, no_network):
    cached.write_bytes(b"damaged")
    with pytest.raises(UnreachableError):
        fetch_package(SIX, cache_dir=tmp_path)
    with pytest.raises(CheckFailedError, match="was damaged and has been removed"):
        fetch_package(SIX, cache_dir=tmp_path, is_offline=True)
    with pytest.raises(UnreachableError, match="switched off"):
        fetch_package(SIX, cache_dir=tmp_path, is_offline=True)


def test_another_checksum_is_refused_and_nothing_is_kept(tmp_path):
    with pytest.raises(CheckFailedError, match="another checksum") as caught:
        fetch_package(dataclasses.replace(SIX, sha256="0" * 64), cache_dir=tmp_path)
    assert SIX.sha256 in caught.value.findings[0]
    assert leftovers(tmp_path) == []


def test_offline_says_what_to_do(tmp_path):
    with pytest.raises(UnreachableError) as caught:
        fetch_package(SIX, cache_dir=tmp_path, is_offline=True)
    assert "MILVUSLAB_OFFLINE" in caught.value.hint
    assert leftovers(tmp_path) == []


def test_no_network_is_unreachable(tmp_path, no_network):
    with pytest.raises(UnreachableError, match=r"six 1\.16\.0"):
        fetch_package(SIX, cache_dir=tmp_path)
    assert leftovers(tmp_path) == []


def test_a_version_that_is_not_offered_is_not_found(tmp_path):
    with pytest.raises(NotFoundError, match=r"six 99"):
        fetch_package(dataclasses.replace(SIX, version="99"), cache_dir=tmp_path)


def test_a_deadline_is_kept(tmp_path):
    with pytest.raises(UnreachableError, match="within 0 s"):
        fetch_package(SIX, cache_dir=tmp_path, timeout_s=0.01)
    assert leftovers(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "packages").write_text("a file where the folder should be")
    with pytest.raises(ConfigError, match="cannot be kept") as caught:
        fetch_package(SIX, cache_dir=tmp_path)
    assert "MILVUSLAB_CACHE_DIR" in caught.value.hint


def test_two_fetches_at_once_end_with_one_file(tmp_path):
    paths = []
    threads = [threading.Thread(target=lambda: paths.append(fetch_package(SIX, cache_dir=tmp_path))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(paths)) == 1 and len(paths) == 2
    assert leftovers(tmp_path) == [SIX.filename]


@pytest.mark.parametrize("package", [NUMBER, HELLO], ids=lambda package: package.registry)
def test_a_missing_client_is_named(tmp_path, package, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnsupportedError, match="on this machine"):
        fetch_package(package, cache_dir=tmp_path)


def test_a_python_without_pip_is_named(tmp_path, monkeypatch):
    bare = tmp_path / "bare"
    bare.write_text(f'#!/bin/sh\nexec {sys._base_executable!r} -S "$@"\n')  # without site packages there is no pip
    bare.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(bare))
    with pytest.raises(UnsupportedError, match="needs pip in this Python") as caught:
        fetch_package(SIX, cache_dir=tmp_path)
    assert caught.value.hint == f"{bare} -m ensurepip"


@pytest.mark.needs("npm")
def test_npm_brings_a_package(tmp_path):
    path = fetch_package(NUMBER, cache_dir=tmp_path)
    assert sha256_of(path) == NUMBER.sha256
    assert leftovers(tmp_path) == [NUMBER.filename]


@pytest.mark.needs("npm")
def test_npm_says_what_is_not_there(tmp_path, no_network, monkeypatch):
    with pytest.raises(UnreachableError, match=r"is-number 7\.0\.0"):
        fetch_package(NUMBER, cache_dir=tmp_path)
    monkeypatch.undo()
    with pytest.raises(NotFoundError, match="No matching version found"):
        fetch_package(dataclasses.replace(NUMBER, version="99.0.0"), cache_dir=tmp_path)


@pytest.mark.needs("apt")
def test_apt_brings_a_package(tmp_path):
    path = fetch_package(HELLO, cache_dir=tmp_path)
    assert path.read_bytes()[:8] == b"!<arch>\n"
    assert leftovers(tmp_path) == ["hello.deb"]


@pytest.mark.needs("apt")
def test_apt_needs_neither_root_nor_the_machines_package_lists(monkeypatch):
    """As an ordinary user also where root runs the tests, and with a list folder that is not there."""
    program = """
import os, pathlib, sys
from milvuslab.fetch import Package, fetch_package
hello = Package(registry="debian", name="hello", version="", sha256="", filename="hello.deb")
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
assert os.geteuid() != 0
print(fetch_package(hello, cache_dir=pathlib.Path(sys.argv[1]), timeout_s=120))
"""
    # Not below tmp_path: pytest keeps its folders for the user that runs it.
    with tempfile.TemporaryDirectory() as open_dir:
        cache_dir = Path(open_dir) / "cache with a space"
        cache_dir.mkdir()
        for path in (Path(open_dir), cache_dir):
            path.chmod(0o777)
        settings = Path(open_dir) / "apt.conf"
        settings.write_text(f'Dir::State::Lists "{open_dir}/gone/lists";\n')
        settings.chmod(0o644)
        monkeypatch.setenv("APT_CONFIG", str(settings))
        done = subprocess.run(
            [sys.executable, "-c", program, str(cache_dir)], cwd="/", capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        path = cache_dir / "packages" / "debian" / "hello.deb"
        assert done.stdout.strip() == str(path)
        assert path.read_bytes()[:8] == b"!<arch>\n"
        assert leftovers(cache_dir) == ["hello.deb"]


@pytest.mark.needs("apt")
def test_apt_says_what_is_not_there(tmp_path):
    with pytest.raises(NotFoundError, match="no-such-package-of-ours"):
        fetch_package(dataclasses.replace(HELLO, name="no-such-package-of-ours"), cache_dir=tmp_path)


def test_packages_are_pinned():
    with pytest.raises(AssertionError, match="no checksum"):
        dataclasses.replace(SIX, sha256="")
    with pytest.raises(AssertionError, match="no version"):
        dataclasses.replace(SIX, version="")
    with pytest.raises(AssertionError, match="lies in one folder"):
        dataclasses.replace(SIX, filename="../six.whl")
