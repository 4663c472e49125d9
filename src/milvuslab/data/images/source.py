"""Pictures of a folder, an archive, a list of addresses or CIFAR's files: one at a time, in a fixed order, with a place to go on from.

| what `path_or_url` is | what it gives |
|---|---|
| a folder | every picture below it by name; the label is the folder it lies in, or comes from `labels.csv` |
| a zip or tar archive (also .tar.gz, .tar.bz2, .tar.xz) | its members in the same way; nothing is unpacked to disk |
| the folder or archive of CIFAR-10 or CIFAR-100, binary or Python version | its pictures, as PNG, labelled |
| a `.txt` or `.csv` file | the pictures behind the addresses in it; CSV: column `url`, and `label`, `name` where there are |
| a single picture | itself |
| an http(s) address | what is behind it, one of the above, downloaded first |

Names are brought to NFC, so the same files have the same keys on every system. What cannot be read is a fault: it is reported
to `on_fault` and counted, and never ends the work. Links that lead out of a folder and members of an archive that lead
out of it are faults. Only files with the ending of a picture are looked at; whether one is a picture is for
`decode_image` to say, when it is read.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from milvuslab.data.images.decode import DEFAULT_LIMITS, ImageLimits
from milvuslab.model.errors import NotFoundError, UnsupportedError, UsageError
from milvuslab.model.progress import Observer, silent
from milvuslab.model.settings import Settings

__all__ = ["IMAGE_ENDINGS", "ImageFault", "ImageItem", "ImageReader", "ImageSource", "log_fault", "open_images"]

IMAGE_ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")

_log = logging.getLogger("milvuslab.data")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ImageItem:
    """One picture that has not been read yet.

    Attributes:
        key: its path within the source, with `/`, in NFC: the same whenever and wherever the source is read.
        label: its class; empty when nobody says.
        source: name of the set it belongs to.
        name: file name, for people.
        read: gives the bytes; may be called from any thread, once or more often. Raises `LimitError` for more bytes than
            allowed, other errors of ours for what cannot be fetched, `OSError` for what cannot be read.
        resume_token: pass it to `items` to go on behind this picture.
    """

    key: str
    label: str
    source: str
    name: str
    read: Callable[[], bytes]
    resume_token: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ImageFault:
    """Something that was not taken: where, and one sentence that says why."""

    key: str
    reason: str


class ImageReader(Protocol):
    """One kind of source."""

    def entries(self, report: Callable[[str, str], None]) -> Iterator[tuple[str, str, str, Callable[[], bytes]]]:
        """Key, label, name and reader of each picture, in a fixed order; `report(key, reason)` takes the faults."""
        ...

    def count(self) -> int | None:
        """How many pictures there are; None when only reading would tell."""
        ...


def log_fault(fault: ImageFault) -> None:
    """Writes a fault to the log `milvuslab.data`."""
    _log.warning("%s skipped: %s", fault.key, fault.reason)


class ImageSource:
    """Pictures of one place.

    Attributes:
        name: what its pictures carry as their source.
        fault_count: faults met so far, by all that read from it.
    """

    def __init__(self, *, name: str, reader: ImageReader, on_fault: Callable[[ImageFault], None] = log_fault) -> None:
        self.name = name
        self.fault_count = 0
        self._reader = reader
        self._on_fault = on_fault

    @property
    def total_count(self) -> int | None:
        """How many pictures there are, None when it would take reading them to know."""
        return self._reader.count()

    def items(self, after_token: str = "") -> Iterator[ImageItem]:
        """The pictures in a fixed order, those behind the token only. The source must be the same as before.

        Raises:
            UsageError: the token is none of this source's.
            CheckFailedError: the archive is damaged.
            LimitError: the archive holds more than is allowed.
        """
        skipped = _parse_token(after_token)
        for place, (key, label, name, read) in enumerate(self._reader.entries(self._report), start=1):
            if place == skipped[0] and key != skipped[1]:
                raise _bad_token(after_token)
            if place > skipped[0]:
                token = f"{place}@{key}"
                yield ImageItem(key=key, label=label, source=self.name, name=name, read=read, resume_token=token)

    def _report(self, key: str, reason: str) -> None:
        self.fault_count += 1
        self._on_fault(ImageFault(key=key, reason=reason))


def open_images(
    path_or_url: str | Path,
    *,
    source: str = "",
    limits: ImageLimits = DEFAULT_LIMITS,
    settings: Settings | None = None,
    on_fault: Callable[[ImageFault], None] = log_fault,
    observer: Observer = silent,
) -> ImageSource:
    """The pictures of a place: see the table at the top of this module.

    Args:
        source: what pictures carry as their source; empty takes the name of the file or folder.
        settings: needed for addresses: cache folder, size limits, whether private addresses are allowed.
        on_fault: told of everything that is not taken; writes to the log `milvuslab.data` by default.

    Raises:
        NotFoundError: nothing is there.
        UsageError: an address without settings.
        UnsupportedError: the file is of no kind that holds pictures.
        CheckFailedError: an archive is damaged.
        ForbiddenError: the address is private, or leads to one.
    """
    from milvuslab.data.images.reading import open_reader

    if isinstance(path_or_url, str) and path_or_url.lower().startswith(("http://", "https://")):
        path, name = _download(path_or_url, settings, observer)
    else:
        path = Path(path_or_url)
        if not path.exists():
            raise NotFoundError(f"there is no file or folder {path}", hint="check the path, or pass an http(s) address")
        name = path.resolve().name
    reader = open_reader(path, limits=limits, settings=settings)
    if reader is None:
        raise UnsupportedError(
            f"reading pictures from {name}",
            needs=f"a folder, a zip or tar archive, a list of addresses or a picture ({', '.join(IMAGE_ENDINGS)})",
            has="a file of another kind",
        )
    return ImageSource(name=(source or name)[:64], reader=reader, on_fault=on_fault)


def _download(url: str, settings: Settings | None, observer: Observer) -> tuple[Path, str]:
    if settings is None:
        raise UsageError("an address needs settings: cache folder and limits", hint="pass settings to open_images")
    from milvuslab.fetch.url import fetch_url

    fetched = fetch_url(
        url,
        folder=settings.cache_dir / "downloads",
        limit_bytes=settings.download_limit_bytes,
        are_private_addresses_allowed=settings.private_addresses_allowed,
        is_offline=settings.offline,
        observer=observer,
    )
    return fetched.path, fetched.name


def _parse_token(token: str) -> tuple[int, str]:
    if not token:
        return 0, ""
    place, at, key = token.partition("@")
    if not at or not place.isdecimal() or not 0 < len(place) < 12:
        raise _bad_token(token)
    return int(place), key


def _bad_token(token: str) -> UsageError:
    return UsageError(
        f"{token[:80]!r} is no place in this source",
        hint="pass a resume_token of the same source unchanged, or none to begin at the start",
    )
