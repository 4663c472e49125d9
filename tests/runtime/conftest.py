"""Real programs, real binaries from the user's own cache, and three real servers that all tests of the room share."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from milvuslab.gateway.readiness import check_ready
from milvuslab.model.settings import resolve
from milvuslab.runtime import Program, add_lite, add_standalone, start_server, stop_server

USER_CACHE_DIR = resolve(environment=dict(os.environ)).cache_dir
"""Where builds are kept between runs of the tests; fetching them takes a minute, unpacking 5 s."""

MARK = "_MILVUSLAB_PROGRAM"


def make_settings(home_dir: Path, **flags):
    return resolve(flags={"home_dir": home_dir, "cache_dir": USER_CACHE_DIR, **flags}, environment={"HOME": "/none"})


def processes_below(home_dir: Path) -> list[psutil.Process]:
    """Everything alive that carries the mark of a program below this home."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            marked = process.environ().get(MARK, "").startswith(f"{home_dir.resolve()}/")
            if marked and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


@pytest.fixture
def home(tmp_path):
    """A home for one test; what the test left running is ended and told."""
    yield tmp_path / "home"
    left = processes_below(tmp_path)
    for process in left:
        process.kill()
        process.wait(10)
    assert not left, f"the test left running: {left}"


@pytest.fixture
def settings(home):
    return make_settings(home)


@pytest.fixture
def make_program(tmp_path, home):
    """Builds a program that runs Python code, with its record in a folder of its own."""

    def make(code: str, *, name: str = "job") -> Program:
        folder = home / "programs" / name
        return Program(
            name=name,
            argv=(sys.executable, "-c", code),
            environment={"PATH": "/usr/bin:/bin", "GREETING": "hello"},
            working_dir=folder,
            log_path=folder / "program.log",
            record_path=folder / "process.json",
        )

    return make


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 20 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"this user may not mount a small disk: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory):
    return tmp_path_factory.mktemp("servers")


@pytest.fixture(scope="session")
def shared_settings(shared_home):
    return make_settings(shared_home)


@pytest.fixture(scope="session")
def servers(shared_home, shared_settings):
    """Lite, 2.3.5 and 2.2.16, side by side and ready; a test that stops one starts it again."""
    profiles = {
        "lite": add_lite(shared_home, "lite"),
        "standalone": add_standalone(shared_home, "standalone", version="2.3.5"),
        "annoy": add_standalone(shared_home, "annoy", version="2.2.16"),
    }
    try:
        for profile in profiles.values():
            start_server(profile, settings=shared_settings, is_ready=check_ready)
        yield profiles
    finally:
        for profile in profiles.values():
            stop_server(profile, settings=shared_settings)
    assert processes_below(shared_home) == []
