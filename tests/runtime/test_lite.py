import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from milvuslab.model.errors import UnsupportedError
from milvuslab.model.settings import resolve
from milvuslab.runtime import lite_process
from milvuslab.runtime.lite import lite_program, lite_version
from milvuslab.runtime.profile import add_lite
from milvuslab.runtime.server import server_status


def test_the_installed_version_is_told():
    assert lite_version().startswith("3.2.")


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UnsupportedError) as raised:
        lite_version()
    assert raised.value.hint == "pip install 'milvuslab[lite]'"


def test_a_profile_that_outlives_the_package_can_still_be_told(monkeypatch, tmp_path):
    profile = add_lite(tmp_path, "lite")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    status = server_status(profile, settings=resolve(environment={"HOME": str(tmp_path)}))
    assert (status.state, status.version) == ("stopped", "")


def test_the_program_gets_nothing_of_this_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("MILVUSLAB_OPENAI_API_KEY", "secret")
    program = lite_program(add_lite(tmp_path, "lite"))
    assert "secret" not in str(program.environment)


def test_the_process_needs_nothing_of_our_package():
    source = Path(lite_process.__file__).read_text()
    assert "milvuslab" not in [line.split()[1].split(".")[0] for line in source.splitlines() if " import " in line]


def test_a_second_process_on_the_same_folder_is_refused(servers):
    """Lite's own lock, which holds even against processes that we did not start."""
    command = [sys.executable, lite_process.__file__, str(servers["lite"].folder / "data"), "0"]
    code = f"import runpy, sys; sys.argv = {command[1:]!r}; runpy.run_path(sys.argv[0], run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "DataDirLockedError" in done.stderr
