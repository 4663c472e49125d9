"""The tool in an environment of its own, made once and kept in the cache.

`cache_dir/vectordbbench/VERSION-pyMAJOR.MINOR` holds a virtual environment; `complete.json` in it is written last, so a
folder without that file is what an interrupted installation left, and is made anew.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from milvuslab.machine import hold_lock, read_record, write_record
from milvuslab.model.errors import UnreachableError, UnsupportedError
from milvuslab.model.progress import Observer, Progress, silent

__all__ = ["TOOL_PINS", "TOOL_VERSION", "Tool", "find_tool", "install_tool"]

TOOL_VERSION = "1.0.20"
TOOL_PINS = (f"vectordb-bench=={TOOL_VERSION}", "pymilvus>=2.4.9,<2.5", "setuptools<81")
"""pymilvus 2.4 is the client of the 2.3 and 2.4 servers, and imports `pkg_resources`, which setuptools 81 leaves out."""
_PYTHONS = ("python3.13", "python3.12", "python3.11")
_FORMAT = 1
_FREEZE = (
    "import importlib.metadata as m, json; "
    "print(json.dumps({n: m.version(n) for n in ('vectordb-bench', 'pymilvus', 'grpcio', 'numpy', 'setuptools')}))"
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """An installation of the tool.

    Attributes:
        python: interpreter of its environment.
        versions: the packages that matter for its numbers.
    """

    python: Path
    versions: Mapping[str, str]


def find_tool(*, cache_dir: Path) -> Tool | None:
    """The installation in the cache, or None where there is none."""
    folders = sorted((cache_dir / "vectordbbench").glob(f"{TOOL_VERSION}-py*"), reverse=True)
    found = [_read(folder) for folder in folders]
    return next((tool for tool in found if tool is not None), None)


def install_tool(
    *, cache_dir: Path, is_offline: bool = False, observer: Observer = silent, timeout_s: float = 900.0
) -> Tool:
    """The tool, installed into the cache when it is not there: about 1.2 GB, 20 s with uv, 2 minutes with pip.

    Raises:
        UnsupportedError: there is no Python 3.11 or newer, which the tool needs.
        UnreachableError: its packages could not be fetched, or `is_offline` and it is not in the cache.
    """
    with hold_lock(cache_dir / "vectordbbench" / ".lock", timeout_s=timeout_s, doing="installing VectorDBBench"):
        tool = find_tool(cache_dir=cache_dir)
        if tool is not None:
            return tool
        if is_offline:
            raise UnreachableError(
                f"VectorDBBench {TOOL_VERSION} is not in the cache and fetching is switched off",
                hint="unset MILVUSLAB_OFFLINE",
            )
        python, version = _choose_python()
        observer(Progress(step=f"install VectorDBBench {TOOL_VERSION}", message="once, about 1.2 GB"))
        return _install(cache_dir / "vectordbbench" / f"{TOOL_VERSION}-py{version}", python, timeout_s=timeout_s)


def _choose_python() -> tuple[str, str]:
    """An interpreter the tool runs on, and its version in two numbers."""
    if sys.version_info >= (3, 11):
        return sys.executable, f"{sys.version_info.major}.{sys.version_info.minor}"
    for name in _PYTHONS:
        if path := shutil.which(name):
            return path, name.removeprefix("python")
    raise UnsupportedError(
        f"VectorDBBench {TOOL_VERSION}",
        needs="Python 3.11 or newer",
        has=f"Python {sys.version_info.major}.{sys.version_info.minor}",
        hint="install one, so that python3.11 is found",
    )


def _install(folder: Path, python: str, *, timeout_s: float) -> Tool:
    failure = ""
    for way in (_with_uv, _with_pip):
        shutil.rmtree(folder, ignore_errors=True)
        failure = way(folder, python, lambda *argv: _run(argv, timeout_s=timeout_s)) or ""
        if not failure:
            versions = json.loads(
                subprocess.run([_python(folder), "-c", _FREEZE], capture_output=True, check=True).stdout
            )
            write_record(folder / "complete.json", {"versions": versions}, version=_FORMAT)
            return Tool(python=_python(folder), versions=versions)
    shutil.rmtree(folder, ignore_errors=True)
    raise UnreachableError(
        f"VectorDBBench {TOOL_VERSION} could not be installed: {failure}",
        hint="check the network and the settings of pip, then run again",
    )


_Run = Callable[..., str]


def _with_uv(folder: Path, python: str, run: _Run) -> str:
    """Installs with uv, which takes a tenth of the time; returns why it did not work."""
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.is_file() else shutil.which("uv")
    if uv is None:
        return "there is no uv"
    made = run(uv, "venv", "--quiet", "--python", python, str(folder))
    return made or run(uv, "pip", "install", "--quiet", "--python", str(_python(folder)), *TOOL_PINS)


def _with_pip(folder: Path, python: str, run: _Run) -> str:
    made = run(python, "-m", "venv", str(folder))
    pip = (str(_python(folder)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    return made or run(*pip, *TOOL_PINS)


def _run(argv: Sequence[str], *, timeout_s: float) -> str:
    """Runs a program; an empty answer says that it went well."""
    try:
        done = subprocess.run(
            argv,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return f"{Path(argv[0]).name} took longer than {timeout_s:.0f} s"
    lines = (done.stderr or done.stdout).strip().splitlines()
    return "" if done.returncode == 0 else (lines[-1][:300] if lines else f"{Path(argv[0]).name} said nothing")


def _read(folder: Path) -> Tool | None:
    try:
        return Tool(python=_python(folder), versions=read_record(folder / "complete.json", version=_FORMAT)["versions"])
    except FileNotFoundError:
        return None


def _python(folder: Path) -> Path:
    return folder / "bin" / "python"
