"""One package file from PyPI, npm or Debian, fetched by that registry's own client, checked, kept.

A fetched file lies at `cache_dir/packages/REGISTRY/FILENAME`. It appears there by a rename after its checksum was
compared, so a file that is there is whole; two processes that fetch at once both end with the same file.
"""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from milvuslab.fetch.checksum import sha256_of
from milvuslab.model.errors import CheckFailedError, ConfigError, UnreachableError, UnsupportedError
from milvuslab.model.progress import Observer, Progress, silent

__all__ = ["Package", "fetch_package"]

Registry = Literal["pypi", "npm", "debian"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package file, pinned.

    Attributes:
        registry: whose client fetches it.
        name: the package's name there.
        version: exact version; empty (Debian only) takes what the distribution offers now.
        sha256: of the file; empty is allowed for Debian only, where apt compares with its signed index.
        filename: name of the file in the cache.
        pip_arguments: further arguments of `pip download`, for a file of another platform or Python version.
        size_bytes: about how large, for progress; 0 when unknown.
    """

    registry: Registry
    name: str
    version: str
    sha256: str
    filename: str
    pip_arguments: tuple[str, ...] = ()
    size_bytes: int = 0

    def __post_init__(self) -> None:
        assert Path(self.filename).name == self.filename, f"a package file lies in one folder: {self.filename}"
        assert self.sha256 or self.registry == "debian", f"{self.name} has no checksum"


def fetch_package(
    package: Package, *, cache_dir: Path, is_offline: bool = False, observer: Observer = silent, timeout_s: float = 900
) -> Path:
    """Path of the package's file in the cache, fetched when it is not there yet.

    Raises:
        UnreachableError: the registry does not answer, or `is_offline` and the file is not in the cache.
        CheckFailedError: what came, or what lies in the cache, has another checksum; nothing bad is kept.
        UnsupportedError: the registry's client is not on this machine.
    """
    kept = cache_dir / "packages" / package.registry / package.filename
    if kept.is_file():
        if not package.sha256 or sha256_of(kept) == package.sha256:
            return kept
        kept.unlink()
        if is_offline:
            raise CheckFailedError(
                f"{kept} was damaged and has been removed",
                findings=[f"{kept.name}: wrong checksum"],
                hint="run again with a network to fetch it anew",
            )
    if is_offline:
        raise UnreachableError(
            f"{package.name} {package.version} is not in the cache and fetching is switched off",
            hint="unset MILVUSLAB_OFFLINE, or copy the cache folder from a machine that has it",
        )
    observer(
        Progress(
            step=f"fetch {package.name} {package.version}".strip(), total_count=package.size_bytes or None, unit="bytes"
        )
    )
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".fetch-") as folder:
        _DOWNLOAD[package.registry](package, Path(folder), timeout_s)
        came = _only_file(Path(folder), package)
        if package.sha256 and sha256_of(came) != package.sha256:
            raise CheckFailedError(
                f"{package.name} {package.version} came with another checksum than the pinned one",
                findings=[f"{came.name}: sha256 {sha256_of(came)}, pinned {package.sha256}"],
                hint="the file was thrown away; report it if it stays so",
            )
        came.replace(kept)
    observer(
        Progress(
            step=f"fetch {package.name} {package.version}".strip(),
            done_count=kept.stat().st_size,
            total_count=kept.stat().st_size,
            unit="bytes",
        )
    )
    return kept


def _download_pypi(package: Package, folder: Path, timeout_s: float) -> None:
    pip = [sys.executable, "-m", "pip"]
    if subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode != 0:
        raise UnsupportedError(
            f"fetching {package.name}",
            needs="pip in this Python",
            has="a Python without it",
            hint=f"{sys.executable} -m ensurepip",
        )
    _run(
        [
            *pip,
            "download",
            "--quiet",
            "--no-deps",
            "--disable-pip-version-check",
            *package.pip_arguments,
            "--dest",
            str(folder),
            f"{package.name}=={package.version}",
        ],
        folder=folder,
        what=package,
        timeout_s=timeout_s,
    )


def _download_npm(package: Package, folder: Path, timeout_s: float) -> None:
    _need("npm", "nodejs and npm")
    _run(
        ["npm", "pack", "--silent", "--ignore-scripts", f"{package.name}@{package.version}"],
        folder=folder,
        what=package,
        timeout_s=timeout_s,
    )


def _download_debian(package: Package, folder: Path, timeout_s: float) -> None:
    _need("apt-get", "Debian or Ubuntu")
    wanted = f"{package.name}={package.version}" if package.version else package.name
    plain = ["apt-get", "--quiet", "-o", "APT::Sandbox::User=root", "download", wanted]
    with contextlib.suppress(UnreachableError):
        # The machine's own package lists are the quick way; they may be missing or too old.
        _run(plain, folder=folder, what=package, timeout_s=timeout_s)
        return
    with _own_package_lists(folder) as options:
        _run(["apt-get", "--quiet", *options, "update"], folder=folder, what=package, timeout_s=timeout_s)
        _run(["apt-get", "--quiet", *options, "download", wanted], folder=folder, what=package, timeout_s=timeout_s)


_DOWNLOAD: dict[Registry, Callable[[Package, Path, float], None]] = {
    "pypi": _download_pypi,
    "npm": _download_npm,
    "debian": _download_debian,
}


@contextlib.contextmanager
def _own_package_lists(folder: Path) -> Iterator[list[str]]:
    """Options that make apt keep its lists in a folder of ours, so that no root is needed to refresh them."""
    lists = folder / "apt"
    (lists / "partial").mkdir(parents=True)
    (lists / "archives" / "partial").mkdir(parents=True)
    yield [
        "-o",
        f"Dir::State::Lists={lists}",
        "-o",
        f"Dir::Cache={lists}",
        "-o",
        "APT::Sandbox::User=root",
        "-o",
        "Debug::NoLocking=1",
    ]
    shutil.rmtree(lists)


def _need(program: str, where: str) -> None:
    if shutil.which(program) is None:
        raise UnsupportedError(f"fetching with {program}", needs=where, has=f"no {program} on this machine")


def _run(command: list[str], *, folder: Path, what: Package, timeout_s: float) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise UnreachableError(
            f"{what.name} {what.version} did not arrive within {timeout_s:.0f} s",
            hint="check the network and run again",
        ) from None
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no message"]
        raise UnreachableError(
            f"{command[0]} could not fetch {what.name} {what.version}: {last[0][:300]}",
            hint="check the network and the client's own settings, then run again",
        )


def _only_file(folder: Path, package: Package) -> Path:
    files = [path for path in folder.iterdir() if path.is_file()]
    if len(files) != 1:
        raise ConfigError(
            f"{package.name} {package.version} came as {len(files)} files: {[path.name for path in files]}"
        )
    return files[0]
