"""Commands as a person runs them, in an environment of their own."""

import dataclasses
import json
import os
import signal
from pathlib import Path

import pytest

from milvuslab.cli.main import main


@dataclasses.dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def value(self):
        """Standard output as JSON."""
        return json.loads(self.out)

    @property
    def error(self):
        """Standard error as JSON."""
        return json.loads(self.err)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home folder, an empty working folder, and none of our settings in the environment."""
    for name in [name for name in os.environ if name.startswith("MILVUSLAB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MILVUSLAB_HOME_DIR", str(tmp_path / "home"))
    monkeypatch.setenv("MILVUSLAB_CACHE_DIR", str(tmp_path / "cache"))
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return tmp_path / "home"


@pytest.fixture
def run(home, capfd):
    """Runs a command in this process."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}

    def call(*arguments):
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Ran(code, out, err)

    yield call
    for number, handler in handlers.items():
        signal.signal(number, handler)


def command_paths():
    """Every command that can be run, as a list of words."""
    import typer

    from milvuslab.cli.main import app

    def walk(command, words):
        below = getattr(command, "commands", None)
        if not below:
            yield words
            return
        for name, child in below.items():
            yield from walk(child, [*words, name])

    return sorted(walk(typer.main.get_command(app), []))


def write_project(text):
    """A project file in the working folder."""
    Path("milvuslab.toml").write_text(text, encoding="utf-8")
