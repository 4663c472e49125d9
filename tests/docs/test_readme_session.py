"""The session of the README runs as it stands there: real servers, real documents, in a home folder of its own."""

import os
import subprocess

import pytest

from milvuslab.model.settings import resolve
from tests.docs.console import read_session, run_session
from tests.house.source import ROOT_DIR, expect_none

SESSION = read_session((ROOT_DIR / "README.md").read_text(encoding="utf-8"))


@pytest.fixture
def session_environment(tmp_path):
    """A home of its own and the machine's cache; whatever the session leaves running is stopped."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MILVUSLAB_", "VIRTUAL_"))
    }
    environment = {
        **kept,
        "MILVUSLAB_HOME_DIR": str(tmp_path / "home"),
        "MILVUSLAB_CACHE_DIR": str(resolve(environment=os.environ).cache_dir),
        "COLUMNS": "120",
    }
    yield environment
    if (tmp_path / "home").exists():
        command = [str(ROOT_DIR / ".venv" / "bin" / "milvuslab"), "down"]
        subprocess.run(command, env=environment, capture_output=True, check=True, timeout=120)


def test_the_session_begins_with_one_command_and_ends_with_nothing_left():
    commands = [step.command for step in SESSION]
    assert commands[0] == "make demo"
    assert commands[-1] == "milvuslab down"
    assert len(commands) == 5


@pytest.mark.slow
def test_the_session_prints_what_the_readme_shows(session_environment, tmp_path):
    outcomes = run_session(
        SESSION,
        folder=ROOT_DIR,
        environment=session_environment,
        record_path=tmp_path / "record.txt",
        timeout_s=300,
    )
    expect_none(outcome.problem for outcome in outcomes if outcome.problem)
    assert len(outcomes) == len(SESSION)
