"""One package file from PyPI, npm or Debian, checked and kept.

A fetched file lies at `cache_dir/packages/REGISTRY/FILENAME`. It appears there by a rename after its checksum was
compared, so a file that is there is whole; two processes that fetch at once both end with the same file. A process that
is killed leaves a folder `.fetch-*` beside it, which may be deleted.
"""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

from milvuslab.fetch.checksum import sha256_of
from milvuslab.fetch.registry import Registry, download
from milvuslab.model.errors import CheckFailedError, ConfigError, UnreachableError
from milvuslab.model.progress import Observer, Progress, silent

__all__ = ["Package", "fetch_package"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package file, pinned.

    Attributes:
        registry: whose client fetches it.
        name: the package's name there.
        version: exact version; empty (Debian only) takes what the distribution offers now.
        sha256: of the file; empty is allowed for Debian only, where apt compares with its signed index.
        filename: name of the file in the cache. One that ends in `.whl` is taken as a wheel only.
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
        assert self.version or self.registry == "debian", f"{self.name} has no version"

    @property
    def label(self) -> str:
        """Name and version for messages."""
        return f"{self.name} {self.version}".strip()


def fetch_package(
    package: Package, *, cache_dir: Path, is_offline: bool = False, observer: Observer = silent, timeout_s: float = 900
) -> Path:
    """Path of the package's file in the cache, fetched when it is not there yet.

    A damaged file in the cache is removed and fetched anew.

    Raises:
        NotFoundError: the registry has no such package or version for this machine.
        UnreachableError: the registry does not answer, or `is_offline` and the file is not in the cache.
        CheckFailedError: what came has another checksum, or what lies in the cache has and `is_offline`; it is not kept.
        UnsupportedError: the registry's client is not on this machine.
        ConfigError: the cache folder cannot be written, or its disk is full.
    """
    kept = cache_dir / "packages" / package.registry / package.filename
    if _is_whole(kept, package):
        return kept
    if is_offline:
        raise _offline_error(kept, package)
    observer(Progress(step=f"fetch {package.label}", total_count=package.size_bytes or None, unit="bytes"))
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".fetch-") as folder:
            _download_checked(package, Path(folder), timeout_s).replace(kept)
    except OSError as error:
        raise ConfigError(
            f"{package.label} cannot be kept at {kept}: {error.strerror or error}",
            hint="set MILVUSLAB_CACHE_DIR to a folder you may write to",
        ) from None
    size_bytes = kept.stat().st_size
    observer(Progress(step=f"fetch {package.label}", done_count=size_bytes, total_count=size_bytes, unit="bytes"))
    return kept


def _is_whole(kept: Path, package: Package) -> bool:
    return kept.is_file() and (not package.sha256 or sha256_of(kept) == package.sha256)


def _offline_error(kept: Path, package: Package) -> Exception:
    if kept.is_file():
        kept.unlink()
        return CheckFailedError(
            f"{kept} was damaged and has been removed",
            findings=[f"{kept.name}: wrong checksum"],
            hint="run again with a network to fetch it anew",
        )
    return UnreachableError(
        f"{package.label} is not in the cache and fetching is switched off",
        hint="unset MILVUSLAB_OFFLINE, or copy the cache folder from a machine that has it",
    )


def _download_checked(package: Package, folder: Path, timeout_s: float) -> Path:
    download(
        package.registry,
        folder,
        name=package.name,
        version=package.version,
        filename=package.filename,
        arguments=package.pip_arguments,
        timeout_s=timeout_s,
    )
    files = [path for path in folder.iterdir() if path.is_file()]
    if len(files) != 1:
        raise ConfigError(f"{package.label} came as {len(files)} files: {sorted(path.name for path in files)}")
    if package.sha256 and (came := sha256_of(files[0])) != package.sha256:
        raise CheckFailedError(
            f"{package.label} came with another checksum than the pinned one",
            findings=[f"{files[0].name}: sha256 {came}, pinned {package.sha256}"],
            hint="the file was thrown away; report it if it stays so",
        )
    return files[0]
