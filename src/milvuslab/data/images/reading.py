"""Readers of folders, archives, lists of addresses and single pictures: see `source.py`, which picks one of them."""

from __future__ import annotations

import csv
import io
import stat
import tarfile
import tempfile
import threading
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from milvuslab.data.images.cifar import open_cifar
from milvuslab.data.images.decode import ImageLimits
from milvuslab.data.images.header import find_format
from milvuslab.data.images.source import IMAGE_ENDINGS, ImageReader
from milvuslab.model.errors import CheckFailedError, LimitError, UsageError
from milvuslab.model.settings import Settings

__all__ = ["Entry", "open_reader"]

Entry = tuple[str, str, str, Callable[[], bytes]]
_LABELS = "labels.csv"
_TAR_ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_LIST_ENDINGS = (".csv", ".txt")
_MEMBER_COUNT_MAX = 5_000_000
_RATIO_MAX = 200
"""What unpacks to more than this many times its packed size is refused: pictures hardly shrink in an archive."""
_UNPACKED_BYTES_FREE = 200_000_000
_ADDRESS_MAX_CHARS = 2_048
_Labels = dict[str, tuple[str, str]]
"""Path or name to label and title."""


def open_reader(path: Path, *, limits: ImageLimits, settings: Settings | None) -> ImageReader | None:
    """The reader for what lies at a path, None when it holds no pictures.

    Raises:
        CheckFailedError: it is a damaged archive.
        UsageError: it is a list of addresses and there are no settings.
    """
    name = path.name.lower()
    if cifar := open_cifar(path):
        return cifar
    if path.is_dir():
        return _Folder(path, limits)
    if name.endswith(".zip"):
        return _Zip(path, limits)
    if name.endswith(_TAR_ENDINGS):
        return _Tar(path, limits)
    with path.open("rb") as file:
        start = file.read(16)
    if find_format(start) or name.endswith(IMAGE_ENDINGS):
        return _Single(path, limits)
    return _Addresses(path, limits, settings) if name.endswith(_LIST_ENDINGS) else None


class _Single:
    def __init__(self, path: Path, limits: ImageLimits) -> None:
        self._path, self._limits = path, limits

    def count(self) -> int:
        return 1

    def entries(self, report: Callable[[str, str], None]) -> Iterator[Entry]:
        del report
        key = unicodedata.normalize("NFC", self._path.name)
        yield key, "", key, lambda: _read_file(self._path, self._limits)


class _Folder:
    def __init__(self, path: Path, limits: ImageLimits) -> None:
        self._path, self._limits = path, limits

    def count(self) -> int:
        return sum(1 for _ in _walk(self._path))

    def entries(self, report: Callable[[str, str], None]) -> Iterator[Entry]:
        root = self._path.resolve()
        labels = _read_labels((self._path / _LABELS).read_bytes() if (self._path / _LABELS).is_file() else b"")
        for key, path in sorted(_walk(self._path)):
            try:
                is_inside = path.resolve(strict=True).is_relative_to(root)
                is_file = path.is_file()
            except (OSError, RuntimeError) as error:
                report(key, f"it cannot be reached: {error}")
                continue
            if not is_inside:
                report(key, "it is a link that leads out of the folder")
            elif is_file:
                label, title = _describe(key, labels)
                yield key, label, title or path.name, _bound(_read_file, path, self._limits)


class _Zip:
    """Members of a zip file. Reads are made one at a time: they share the open file."""

    def __init__(self, path: Path, limits: ImageLimits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise _damaged(path, error) from None
        members = [info for info in self._zip.infolist() if not info.is_dir()]
        if len(members) > _MEMBER_COUNT_MAX:
            raise LimitError(f"{path.name} holds {len(members):,} files, allowed are {_MEMBER_COUNT_MAX:,}")
        self._members = {key: info for info in members for key in (_key(info.filename),) if _is_wanted(key)}
        labels = self._members.pop(_LABELS, None)
        self._labels = _read_labels(self._read(labels) if labels else b"")

    def count(self) -> int:
        return len(self._members)

    def entries(self, report: Callable[[str, str], None]) -> Iterator[Entry]:
        for key, info in sorted(self._members.items(), key=lambda member: member[0]):
            if not _is_inside(info.filename):
                report(key, "its name leads out of the archive")
            elif stat.S_ISLNK(info.external_attr >> 16):
                report(key, "it is a link")
            else:
                label, title = _describe(key, self._labels)
                yield key, label, title or PurePosixPath(key).name, _bound(self._read, info)

    def _read(self, info: zipfile.ZipInfo) -> bytes:
        _check_packed(info.filename, info.file_size, info.compress_size, self._limits)
        try:
            with self._lock, self._zip.open(info) as member:
                return _read_bounded(member.read, info.filename, self._limits)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
            raise UsageError(f"{info.filename} cannot be unpacked: {error}") from None


class _Tar:
    """Members of a tar file, which has no table: it is walked once, and each item holds the bytes of its member.

    Labels of a `labels.csv` hold for the members behind it, so it belongs to the front.
    """

    def __init__(self, path: Path, limits: ImageLimits) -> None:
        self._path, self._limits = path, limits

    def count(self) -> None:
        return None

    def entries(self, report: Callable[[str, str], None]) -> Iterator[Entry]:
        size_bytes, allowed_bytes = 0, _UNPACKED_BYTES_FREE + _RATIO_MAX * self._path.stat().st_size
        labels: _Labels = {}
        try:
            with tarfile.open(self._path, mode="r:*") as tar:
                for place, member in enumerate(tar):
                    size_bytes += member.size
                    if place >= _MEMBER_COUNT_MAX or size_bytes > allowed_bytes:
                        raise LimitError(f"{self._path.name} unpacks to far more than pictures do")
                    key = _key(member.name)
                    # What was seen is forgotten, else the table of a large archive fills the memory.
                    tar.members = []  # type: ignore[attr-defined]
                    if member.isdir() or not _is_wanted(key):
                        continue
                    if not _is_inside(member.name) or not member.isreg():
                        report(key, "it is a link or its name leads out of the archive")
                    elif member.size > self._limits.size_bytes_max:
                        report(key, f"{member.size:,} bytes, allowed are {self._limits.size_bytes_max:,}")
                    else:
                        opened = tar.extractfile(member)
                        assert opened is not None
                        content = opened.read()
                        if key == _LABELS:
                            labels = _read_labels(content)
                        else:
                            label, title = _describe(key, labels)
                            yield key, label, title or PurePosixPath(key).name, _bound(_given, content)
        except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
            raise _damaged(self._path, error) from None


class _Addresses:
    """A list of addresses: one a line, or a CSV with a column `url`."""

    def __init__(self, path: Path, limits: ImageLimits, settings: Settings | None) -> None:
        if settings is None:
            raise UsageError("a list of addresses needs settings", hint="pass settings to open_images")
        self._path, self._limits, self._settings = path, limits, settings

    def count(self) -> int:
        return sum(1 for _ in self._rows())

    def entries(self, report: Callable[[str, str], None]) -> Iterator[Entry]:
        for row, (url, label, name) in enumerate(self._rows(), start=1):
            if not url.lower().startswith(("http://", "https://")) or len(url) > _ADDRESS_MAX_CHARS:
                report(f"line {row}", f"{url[:80]!r} is no web address")
                continue
            shown = name or unquote(PurePosixPath(urlsplit(url).path).name) or f"picture {row}"
            yield url, label, shown[:200], _bound(self._read, url)

    def _rows(self) -> Iterator[tuple[str, str, str]]:
        with self._path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            if self._path.suffix.lower() == ".csv":
                for row in csv.DictReader(file):
                    yield (
                        (row.get("url") or "").strip(),
                        (row.get("label") or "").strip(),
                        (row.get("name") or "").strip(),
                    )
            else:
                yield from ((line.strip(), "", "") for line in file if line.strip() and not line.startswith("#"))

    def _read(self, url: str) -> bytes:
        from milvuslab.fetch.url import fetch_url

        # The pictures are read once and kept elsewhere; what they are downloaded to goes with the folder.
        with tempfile.TemporaryDirectory(prefix="milvuslab-picture-") as folder:
            fetched = fetch_url(
                url,
                folder=Path(folder),
                limit_bytes=self._limits.size_bytes_max,
                are_private_addresses_allowed=self._settings.private_addresses_allowed,
                is_offline=self._settings.offline,
            )
            return fetched.path.read_bytes()


def _walk(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        key = unicodedata.normalize("NFC", "/".join(parts))
        if key.lower().endswith(IMAGE_ENDINGS) and not any(part.startswith(".") for part in parts):
            yield key, path


def _is_wanted(key: str) -> bool:
    # macOS puts a shadow of each file into its archives.
    parts = PurePosixPath(key).parts
    hidden = any((part.startswith(".") and part not in (".", "..")) or part == "__MACOSX" for part in parts)
    return (key.lower().endswith(IMAGE_ENDINGS) or key == _LABELS) and not hidden


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name.replace("\\", "/")).removeprefix("./")


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name.replace("\\", "/"))
    return not path.is_absolute() and ".." not in path.parts and path.parts[0][1:2] != ":"


def _describe(key: str, labels: _Labels) -> tuple[str, str]:
    """Label and title from `labels.csv`, else the folder a picture lies in; ImageNet's `train/n01440764/images/x` too."""
    if labels:
        return labels.get(key) or labels.get(PurePosixPath(key).name, ("", ""))
    parents = [part for part in PurePosixPath(key).parts[:-1] if part.lower() not in ("images", "image", "img")]
    return (parents[-1] if parents else ""), ""


def _read_labels(content: bytes) -> _Labels:
    """Path or name to label and title; the columns are `path` (or `name`, `file`), `label` and, if wanted, `title`."""
    labels: _Labels = {}
    for row in csv.DictReader(io.StringIO(content.decode("utf-8-sig", "replace"))):
        named = next((row[column] for column in ("path", "name", "file") if row.get(column)), "")
        if named:
            labels[_key(named.strip())] = ((row.get("label") or "").strip(), (row.get("title") or "").strip())
    return labels


def _read_file(path: Path, limits: ImageLimits) -> bytes:
    with path.open("rb") as file:
        return _read_bounded(file.read, path.name, limits)


def _read_bounded(read: Callable[[int], bytes], name: str, limits: ImageLimits) -> bytes:
    content = read(limits.size_bytes_max + 1)
    if len(content) > limits.size_bytes_max:
        raise LimitError(f"{name} has more than the {limits.size_bytes_max:,} bytes allowed")
    return content


def _check_packed(name: str, size_bytes: int, packed_bytes: int, limits: ImageLimits) -> None:
    if size_bytes > limits.size_bytes_max or size_bytes > _RATIO_MAX * max(packed_bytes, 1_000):
        raise LimitError(f"{name} unpacks from {packed_bytes:,} to {size_bytes:,} bytes, more than is allowed")


def _given(content: bytes) -> bytes:
    return content


def _bound(function: Callable[..., bytes], *arguments: object) -> Callable[[], bytes]:
    return lambda: function(*arguments)


def _damaged(path: Path, error: Exception) -> CheckFailedError:
    return CheckFailedError(
        f"{path.name} is no archive that can be read, or is damaged: {error}"[:300],
        findings=[path.name],
        hint="transfer it again",
    )
