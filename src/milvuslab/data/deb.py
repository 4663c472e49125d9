"""Debian packages read without installing them: the files below one folder, and the version.

A `.deb` is an `ar` archive of `control.tar.*` and `data.tar.*` (deb(5)); the members' headers are 60 bytes
each. What is compressed in a way this Python cannot read (Ubuntu: zstd) is unpacked by `dpkg-deb`, which is there
wherever apt is.
"""

from __future__ import annotations

import contextlib
import io
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from milvuslab.fetch import safe_path
from milvuslab.model.errors import CheckFailedError, LimitError, UnsupportedError

__all__ = ["deb_version", "extract_deb_folder"]

_MAGIC = b"!<arch>\n"
_CONTROL_LIMIT_BYTES = 1 << 20


def deb_version(archive: Path) -> str:
    """The version a package says it has, `4:7.4.7-1+deb12u14`; empty when it says none.

    Raises:
        CheckFailedError: it is no Debian package, or is damaged.
    """
    with _tar(archive, "control.tar") as tar:
        for member in tar:
            if PurePosixPath(member.name).name == "control" and member.isreg():
                opened = tar.extractfile(member)
                assert opened is not None
                lines = opened.read(_CONTROL_LIMIT_BYTES).decode("utf-8", "replace").splitlines()
                return next((line[8:].strip() for line in lines if line.startswith("Version:")), "")
    return ""


def extract_deb_folder(
    archive: Path, inner: str, folder: Path, *, endings: tuple[str, ...], limit_bytes: int, limit_files: int
) -> int:
    """Unpacks the regular files below `inner` with one of the endings to `folder`; returns how many.

    Raises:
        CheckFailedError: it is no Debian package, is damaged, or a name leaves the folder.
        LimitError: more bytes or files than allowed.
    """
    file_count, size_bytes = 0, 0
    with _tar(archive, "data.tar") as tar:
        for member in tar:
            path = PurePosixPath(member.name)
            if not member.isreg() or path.suffix not in endings or not path.is_relative_to(inner):
                continue
            file_count += 1
            size_bytes += member.size
            if file_count > limit_files or size_bytes > limit_bytes:
                raise LimitError(
                    f"{archive.name} holds more than {limit_files:,} files or {limit_bytes:,} bytes below {inner}"
                )
            target = safe_path(folder, str(path.relative_to(inner)))
            target.parent.mkdir(parents=True, exist_ok=True)
            opened = tar.extractfile(member)
            assert opened is not None
            with target.open("wb") as sink:
                shutil.copyfileobj(opened, sink)
    return file_count


@contextlib.contextmanager
def _tar(archive: Path, member: str) -> Iterator[tarfile.TarFile]:
    try:
        with archive.open("rb") as file:
            name, start, size_bytes = _find(file, member)
            file.seek(start)
            if name.endswith((".xz", ".gz", ".bz2", ".tar")):
                with tarfile.open(fileobj=io.BytesIO(file.read(size_bytes)), mode="r:*") as tar:
                    yield tar
            else:
                with _unpacked_by_dpkg(archive, member) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
                    yield tar
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise CheckFailedError(
            f"{archive.name} is no Debian package, or is damaged: {error}",
            findings=[archive.name],
            hint=f"delete {archive} and run again",
        ) from error


def _find(file: IO[bytes], wanted: str) -> tuple[str, int, int]:
    if file.read(8) != _MAGIC:
        raise ValueError("it is no ar archive")
    while len(header := file.read(60)) == 60:
        name = header[:16].decode("ascii", "replace").rstrip(" /")
        size_bytes = int(header[48:58])
        if header[58:] != b"`\n" or size_bytes < 0:
            raise ValueError("a member's header is damaged")
        if name.startswith(wanted):
            return name, file.tell(), size_bytes
        file.seek(size_bytes + size_bytes % 2, io.SEEK_CUR)
    raise ValueError(f"it holds no {wanted}")


@contextlib.contextmanager
def _unpacked_by_dpkg(archive: Path, member: str) -> Iterator[IO[bytes]]:
    if shutil.which("dpkg-deb") is None:
        raise UnsupportedError(f"unpacking {archive.name}", needs="dpkg-deb", has="a machine without it")
    option = "--ctrl-tarfile" if member.startswith("control") else "--fsys-tarfile"
    with subprocess.Popen(
        ["dpkg-deb", option, str(archive)], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout
        finally:
            process.kill()
