"""Importing a module does nothing but define things, with core dependencies alone."""

import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.house.source import PACKAGE_DIR, expect_none

PROGRAM = Path(__file__).with_name("quiet_import.py")
CORE = "httpx,numpy,prometheus_client,psutil,pydantic,pymilvus,rich.console,typer,yaml"
HEAVY = ("pymilvus", "pandas", "onnxruntime", "nicegui", "fastapi", "pyarrow", "faiss", "milvus_lite", "kiwipiepy")


def core_distributions() -> set[str]:
    """Normalised names of all that `pip install milvuslab` brings, without extras."""
    waiting, seen = [Requirement("milvuslab")], set()
    while waiting:
        wanted = waiting.pop()
        key = re.sub(r"[-_.]+", "-", wanted.name).lower()
        if (key, *sorted(wanted.extras)) in seen:
            continue
        seen.add((key, *sorted(wanted.extras)))
        for text in importlib.metadata.requires(wanted.name) or []:
            needed = Requirement(text)
            extras = wanted.extras or {""}
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(needed)
    return {key for key, *_ in seen}


def packages_beyond_core() -> list[str]:
    """Top-level packages of this environment that a core installation does not have."""
    core = core_distributions()
    return sorted(
        package
        for package, owners in importlib.metadata.packages_distributions().items()
        if package.isidentifier() and not core & {re.sub(r"[-_.]+", "-", owner).lower() for owner in owners}
    )


def import_all(package_dir: Path, empty_dir: Path, *, core: str) -> dict[str, list[str]]:
    done = subprocess.run(
        [sys.executable, "-I", "-W", "ignore", str(PROGRAM), str(package_dir), core, *packages_beyond_core()],
        cwd=empty_dir,
        env={"HOME": str(empty_dir), "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_module_imports_quietly_with_core_dependencies(tmp_path):
    reports = import_all(PACKAGE_DIR, tmp_path, core=CORE)
    expect_none(f"{name} {line}" for name, found in reports.items() for line in found)


def test_the_command_starts_without_heavy_packages(tmp_path):
    if not (PACKAGE_DIR / "cli" / "main.py").exists():
        pytest.skip("there is no command to start")
    program = f"import sys, milvuslab.cli.main; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "text, finding",
    [
        pytest.param("open('left.txt', 'w').close()", "writes left.txt", id="writes a file"),
        pytest.param("from pathlib import Path\nPath(__file__).read_text()", "reads ", id="reads a file"),
        pytest.param("from pathlib import Path\nPath('made').mkdir()", "os.mkdir", id="makes a folder"),
        pytest.param("import os\nos.environ['SEEN'] = '1'", "environment", id="changes the environment"),
        pytest.param("import logging\nlogging.basicConfig()", "log handlers", id="sets up logging"),
        pytest.param("import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()", "threads", id="starts a thread"),
        pytest.param("import subprocess\nsubprocess.run(['true'])", "subprocess.Popen", id="starts a program"),
        pytest.param("import nicegui", "core installation", id="needs an extra"),
        pytest.param("1 / 0", "ZeroDivisionError", id="fails"),
    ],
)  # fmt: skip
def test_loud_imports_are_found(text, finding, tmp_path):
    package_dir, empty_dir = tmp_path / "code" / "loud", tmp_path / "empty"
    package_dir.mkdir(parents=True)
    empty_dir.mkdir()
    (package_dir / "__init__.py").write_text("import json\nimport os\nSEPARATOR = os.sep\n")
    (package_dir / "module.py").write_text(text)
    reports = import_all(package_dir, empty_dir, core="")
    assert set(reports) == {"loud.module"}
    assert any(finding in line for line in reports["loud.module"]), reports
