"""One file from PyPI, npm or Debian into a folder, by that registry's own client.

The clients know this machine's mirrors, proxies and certificates; nothing here names a host. Nothing that is fetched is
executed: pip takes wheels only (unless a source archive is asked for by its name), npm runs no scripts, apt only downloads.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from milvuslab.model.errors import ConfigError, NotFoundError, UnreachableError, UnsupportedError

__all__ = ["Registry", "download"]

Registry = Literal["pypi", "npm", "debian"]

# What the clients say when the registry answered and has no such thing; everything else may be the network.
# pip names the versions there are; "none" is also what it says without a network.
_ABSENT = re.compile(r"\(from versions: (?!none)|\bETARGET\b|\bE404\b|^E: (Version|Unable to locate)", re.MULTILINE)


def download(
    registry: Registry,
    folder: Path,
    *,
    name: str,
    version: str,
    filename: str,
    arguments: Sequence[str] = (),
    timeout_s: float,
) -> None:
    """Puts the package's file into the empty `folder`, under the name its registry gives it.

    Raises:
        NotFoundError: the registry answers, and has no such package or version for this machine.
        UnreachableError: the registry does not answer, or not in time.
        UnsupportedError: the registry's client is not on this machine.
        ConfigError: the disk is full.
    """
    call = _Call(folder=folder, label=f"{name} {version}".strip(), timeout_s=timeout_s)
    if registry == "pypi":
        _download_pypi(call, f"{name}=={version}", is_wheel=filename.endswith(".whl"), arguments=arguments)
    elif registry == "npm":
        _need("npm", where="npm, which comes with Node.js")
        call.run(["npm", "pack", "--loglevel=error", "--ignore-scripts", f"{name}@{version}"])
    else:
        _need("apt-get", where="Debian or Ubuntu")
        _download_debian(call, f"{name}={version}" if version else name)


class _Call:
    """Runs clients in one folder and turns their failures into errors of ours."""

    def __init__(self, *, folder: Path, label: str, timeout_s: float) -> None:
        self.folder = folder
        self.label = label
        self.timeout_s = timeout_s

    def run(self, command: Sequence[str]) -> None:
        try:
            done = subprocess.run(
                command,
                cwd=self.folder,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=self.timeout_s,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            raise UnreachableError(
                f"{self.label} did not arrive within {self.timeout_s:.0f} s", hint="check the network and run again"
            ) from None
        if done.returncode != 0:
            raise self._error(Path(command[0]).name, done.stderr or done.stdout)

    def _error(self, client: str, text: str) -> Exception:
        message = f"{client} could not fetch {self.label}: {_reason(text)}"
        if "No space left" in text:
            return ConfigError(message, hint="free some disk, or set MILVUSLAB_CACHE_DIR to a folder with room")
        if _ABSENT.search(text):
            return NotFoundError(message, hint="this machine's registry or mirror does not offer it")
        return UnreachableError(message, hint=f"check the network and the settings of {client}, then run again")


def _download_pypi(call: _Call, wanted: str, *, is_wheel: bool, arguments: Sequence[str]) -> None:
    pip = [sys.executable, "-m", "pip"]
    if subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode != 0:
        raise UnsupportedError(
            f"fetching {call.label}",
            needs="pip in this Python",
            has="a Python without it",
            hint=f"{sys.executable} -m ensurepip",
        )
    form = ["--only-binary", ":all:"] if is_wheel else []
    plain = [*pip, "download", "--quiet", "--no-deps", "--disable-pip-version-check"]
    call.run([*plain, *form, *arguments, "--dest", str(call.folder), wanted])


def _download_debian(call: _Call, wanted: str) -> None:
    with contextlib.suppress(UnreachableError, NotFoundError):
        # The machine's own package lists are the quick way; they may be missing or too old.
        call.run(["apt-get", "--quiet", "download", wanted])
        return
    with _own_package_lists(call.folder) as options:
        call.run(["apt-get", "--quiet", *options, "update"])
        call.run(["apt-get", "--quiet", *options, "download", wanted])


@contextlib.contextmanager
def _own_package_lists(folder: Path) -> Iterator[list[str]]:
    """Options that make apt keep its lists in a folder of ours, so that no root is needed to refresh them."""
    own_dir = folder / "apt"
    for part in ("lists/partial", "archives/partial"):
        (own_dir / part).mkdir(parents=True)
    options = {
        "Dir::State::Lists": str(own_dir / "lists"),
        "Dir::Cache": str(own_dir),
        # apt as root changes to a user of its own, who may not write here.
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled": "false",
    }
    try:
        yield [argument for name, value in options.items() for argument in ("-o", f"{name}={value}")]
    finally:
        shutil.rmtree(own_dir, ignore_errors=True)


def _need(program: str, *, where: str) -> None:
    if shutil.which(program) is None:
        raise UnsupportedError(f"fetching with {program}", needs=where, has=f"no {program} on this machine")


def _reason(text: str) -> str:
    """The line of a client's output that says why, without what it says besides."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and "complete log of this run" not in line]
    told_by_npm = [line for line in lines if re.match(r"npm (error|ERR!) (?!code)", line)]
    told_last = [line for line in lines if re.match(r"ERROR:|E:", line)][-1:]
    return (told_by_npm or told_last or lines or ["no message"])[0][:300]
