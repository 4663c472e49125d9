"""Members of archives, by name, within limits, never outside the folder they are meant for."""

from __future__ import annotations

import contextlib
import lzma
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from milvuslab.model.errors import CheckFailedError, LimitError, NotFoundError

__all__ = ["extract_members", "read_member", "safe_path"]


def safe_path(folder: Path, member: str) -> Path:
    """Where a member goes below `folder`.

    Raises:
        CheckFailedError: the name is absolute or climbs out of the folder.
    """
    target = (folder / member).resolve()
    if not target.is_relative_to(folder.resolve()):
        raise CheckFailedError(f"an archive holds a path that leaves its folder: {member!r}", findings=[member])
    return target


def read_member(archive: Path, member: str, *, limit_bytes: int = 1 << 30) -> bytes:
    """Content of one member of a zip file (a wheel is one).

    Raises:
        NotFoundError: no such member.
        LimitError: it unpacks to more than `limit_bytes`.
        CheckFailedError: the archive is damaged.
    """
    with _opened(archive) as opened:
        info = _info(opened, member, archive)
        _check_size(info.file_size, member, limit_bytes)
        return opened.read(info)


def extract_members(archive: Path, members: Iterable[str], folder: Path, *, limit_bytes: int = 4 << 30) -> list[Path]:
    """Unpacks the named members below `folder` under their own names; returns where they lie, in order.

    A member appears under its name only when it is whole; what was there before is replaced.

    Raises:
        NotFoundError: no such member.
        LimitError: together they unpack to more than `limit_bytes`.
        CheckFailedError: the archive is damaged, or a name leaves the folder.
    """
    written: list[Path] = []
    total_bytes = 0
    with _opened(archive) as opened:
        for member in members:
            info = _info(opened, member, archive)
            total_bytes += info.file_size
            _check_size(total_bytes, member, limit_bytes)
            target = safe_path(folder, member)
            _extract_whole(opened, info, target)
            written.append(target)
    return written


def _extract_whole(opened: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".unpack-") as part_dir:
        part = Path(part_dir) / target.name
        # A member never unpacks to more than the size it states: zipfile stops there and finds the checksum wrong.
        with opened.open(info) as source, part.open("wb") as sink:
            shutil.copyfileobj(source, sink, 1 << 20)
        part.replace(target)


@contextlib.contextmanager
def _opened(archive: Path) -> Iterator[zipfile.ZipFile]:
    """The archive, open; damage found at any time is one error. RuntimeError is how zipfile refuses encryption."""
    try:
        with zipfile.ZipFile(archive) as opened:
            yield opened
    except FileNotFoundError:
        raise NotFoundError(f"there is no file {archive}") from None
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError) as error:
        raise CheckFailedError(
            f"{archive} is no zip archive, or is damaged: {error}",
            findings=[archive.name],
            hint=f"delete {archive} and run again",
        ) from None


def _info(opened: zipfile.ZipFile, member: str, archive: Path) -> zipfile.ZipInfo:
    try:
        info = opened.getinfo(member)
    except KeyError:
        raise NotFoundError(f"{archive.name} holds no {member}") from None
    if info.is_dir():
        raise NotFoundError(f"{archive.name} holds {member} as a folder, not as a file")
    return info


def _check_size(size_bytes: int, member: str, limit_bytes: int) -> None:
    if size_bytes > limit_bytes:
        raise LimitError(f"{member} unpacks to {size_bytes:,} bytes, more than the {limit_bytes:,} allowed")
