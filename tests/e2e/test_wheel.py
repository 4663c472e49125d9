"""The built wheel works where there is no checkout."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import milvuslab

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from this checkout with the build backend that is already installed."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The wheel unpacked as an installer does it, and a way to run it that cannot see the checkout."""
    site = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    home = tmp_path_factory.mktemp("home")

    def run(*arguments):
        # -S -I leave out the checkout's editable install; the dependencies come back by their folder.
        dependencies = next(path for path in map(Path, sys.path) if (path / "pymilvus").is_dir())
        code = (
            f"import sys; sys.path[:0] = [{str(site)!r}]; sys.path.append({str(dependencies)!r}); "
            "from milvuslab.cli.main import main; sys.exit(main())"
        )
        environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
        return subprocess.run(
            [sys.executable, "-I", "-S", "-c", code, *arguments],
            cwd=home, env=environment, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip

    return run


def test_the_wheel_holds_the_package_its_assets_and_its_licence_only(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"milvuslab"}
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert any(name.endswith("licenses/NOTICE") for name in names)
    assert "milvuslab/py.typed" in names
    # whatever lies beside our code is needed when it runs: pages, styles
    assets = [
        path.relative_to(ROOT / "src") for path in (ROOT / "src").rglob("*.*") if path.suffix in (".css", ".js", ".svg")
    ]
    assert assets and {str(path) for path in assets} <= set(names)
    assert not [name for name in names if name.endswith(".pyc") or "/tests/" in name]
    assert wheel.stat().st_size < 1_000_000


def test_commands_run_from_the_wheel(installed):
    version = installed("--version")
    assert version.returncode == 0, version.stderr
    assert version.stdout.split()[-1] == milvuslab.__version__
    doctor = installed("--json", "doctor")
    assert doctor.returncode in (0, 1), doctor.stderr
    assert json.loads(doctor.stdout)
    wrong = installed("server", "start", "Nonsense!")
    assert wrong.returncode == 2
    assert "next:" in wrong.stderr and "Traceback" not in wrong.stderr
