"""Workspaces in a home of their own, whose programs are all ended when the test is."""

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from milvuslab.ops.workspace import open_workspace

MARK = "_MILVUSLAB_PROGRAM"


def processes_below(home):
    """Everything alive that carries the mark of a program below this home."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            marked = process.environ().get(MARK, "").startswith(f"{Path(home).resolve()}/")
            if marked and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def wait_until(ask, *, timeout_s=60.0, what="it"):
    deadline_s = time.monotonic() + timeout_s
    while not (answer := ask()):
        assert time.monotonic() < deadline_s, f"{what} did not happen within {timeout_s} s"
        time.sleep(0.05)
    return answer


@dataclasses.dataclass(frozen=True)
class Place:
    """A home folder and the environment that leads to it."""

    home: Path
    environment: dict

    def workspace(self, **flags):
        return open_workspace(flags=flags, environment=self.environment, folder=self.home.parent)

    def start(self, *arguments):
        """A command that goes on while the test does other things."""
        return subprocess.Popen(
            [sys.executable, "-m", "milvuslab.cli", *arguments],
            env=self.environment,
            cwd=self.home.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments, code=0):
        """What a command said that ends by itself: its output, as JSON when asked for; of a failing one its error."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=240)
        assert process.returncode == code, f"{arguments} ended with {process.returncode}:\n{out}\n{err}"
        assert "Traceback" not in out
        if code:
            return err
        return json.loads(out) if "--json" in arguments else out


@pytest.fixture
def place(tmp_path, server_settings):
    yield from make_place(tmp_path, server_settings.cache_dir)


def make_place(folder, cache_dir):
    """A place; what is left running in it is ended and told."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    environment = {
        **kept,
        "MILVUSLAB_HOME_DIR": str(folder / "home"),
        "MILVUSLAB_CACHE_DIR": str(cache_dir),
        "MILVUSLAB_START_TIMEOUT_S": "180",
    }
    yield Place(folder / "home", environment)
    left = processes_below(folder)
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
            process.wait(10)
    assert not left, f"the test left running: {left}"
