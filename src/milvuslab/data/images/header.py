"""What the first bytes of a picture say: format, size, frames, and how much of the file is not picture.

Read with nothing but `struct`, so that a limit is compared before any decoder sees the file. A header may lie; the
decoder then stops at the size that was promised, or the file is refused as damaged.

Formats: JPEG, PNG, GIF, WebP, BMP and TIFF in their everyday forms. What is rare and has no bound that can be told from
the header (run-length BMP, JPEG and fax inside TIFF, BigTIFF) is refused by name.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from milvuslab.model.errors import MediaError

__all__ = ["FORMAT_NAMES", "PictureFormat", "PictureHeader", "find_format", "read_header"]

PictureFormat = Literal["bmp", "gif", "jpeg", "png", "tiff", "webp"]
FORMAT_NAMES: tuple[PictureFormat, ...] = ("bmp", "gif", "jpeg", "png", "tiff", "webp")

_PART_COUNT_MAX = 100_000
"""More chunks, blocks or entries than a real file has: encoders write parts of 4 kB and more."""

_OTHER_TYPES: Mapping[bytes, str] = {
    b"%PDF": "PDF",
    b"PK\x03\x04": "a zip archive",
    b"\x1f\x8b": "a gzip archive",
    b"\x00\x00\x01\x00": "an icon",
    b"8BPS": "Photoshop",
    b"II+\x00": "BigTIFF",
    b"MM\x00+": "BigTIFF",
    b"\xff\x0a": "JPEG XL",
    b"\x00\x00\x00\x0cjP  ": "JPEG 2000",
    b"\x7fELF": "a program",
    b"MZ": "a program",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PictureHeader:
    """What a file says about its picture.

    Attributes:
        width: of the stored pixels, before any rotation.
        frame_count: pictures in the file; of a TIFF, its pages.
        metadata_bytes: of EXIF, colour profile, texts and previews together.
        pass_count: how often the decoder goes over the picture (progressive JPEG), else 1.
    """

    format: PictureFormat
    width: int
    height: int
    frame_count: int = 1
    metadata_bytes: int = 0
    pass_count: int = 1

    @property
    def pixel_count(self) -> int:
        """Of one frame."""
        return self.width * self.height


def find_format(content: bytes) -> PictureFormat | None:
    """The format by the first bytes; None when it is none of ours."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp"
    return next((name for mark, name in _MARKS.items() if content.startswith(mark)), None)


def read_header(content: bytes) -> PictureHeader:
    """The header of a whole file.

    Raises:
        MediaError: it is no picture of a known format, or its parts do not fit together.
    """
    kind = find_format(content)
    if kind is None:
        raise MediaError(
            "it is empty (0 bytes)" if not content else f"it is {_describe_other(content)}, not a picture that is read",
            hint=f"convert it to one of {', '.join(FORMAT_NAMES)}",
        )
    try:
        header = _READERS[kind](content)
    except (struct.error, IndexError):
        raise MediaError(f"it begins as {kind} and is cut short", hint="transfer the file again") from None
    if header.width < 1 or header.height < 1:
        raise MediaError(f"its {kind} header says {header.width} x {header.height} pixels")
    return header


def _describe_other(content: bytes) -> str:
    start = content[:512].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"<"):
        lower = content[:4096].lower()
        return "SVG" if b"<svg" in lower else "a page of markup"
    if content[4:8] == b"ftyp":
        return "HEIC, AVIF or a film"
    return next((name for mark, name in _OTHER_TYPES.items() if content.startswith(mark)), "of a type we do not know")


def _read_jpeg(content: bytes) -> PictureHeader:
    at, metadata_bytes = 2, 0
    for _ in range(_PART_COUNT_MAX):
        if content[at] != 0xFF:
            raise MediaError("it begins as jpeg and a segment is damaged")
        marker = content[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD8:
            at += 2
        elif marker in (0xD9, 0xDA):
            raise MediaError("it begins as jpeg and has no frame")
        else:
            (size_bytes,) = struct.unpack_from(">H", content, at + 2)
            if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
                height, width = struct.unpack_from(">HH", content, at + 5)
                return PictureHeader(
                    format="jpeg",
                    width=width,
                    height=height,
                    metadata_bytes=metadata_bytes,
                    pass_count=_count_scans(content, at),
                )
            if 0xE0 <= marker <= 0xEF or marker == 0xFE:
                metadata_bytes += size_bytes
            at += 2 + max(2, size_bytes)
    raise _too_many_parts("jpeg")


def _count_scans(content: bytes, start: int) -> int:
    # Inside coded data a byte FF is followed by 00 or a restart, so FF DA is a scan wherever it stands.
    end = content.find(b"\xff\xd9", start)
    return max(1, content.count(b"\xff\xda", start, end if end > 0 else len(content)))


def _read_png(content: bytes) -> PictureHeader:
    if content[12:16] != b"IHDR":
        raise MediaError("it begins as png and has no header")
    width, height = struct.unpack_from(">II", content, 16)
    metadata_bytes, frame_count = 0, 1
    for kind, at, size_bytes in _png_chunks(content):
        if kind == b"acTL":
            (frame_count,) = struct.unpack_from(">I", content, at)
        elif kind not in (b"IHDR", b"PLTE", b"IDAT", b"fdAT"):
            metadata_bytes += size_bytes
    return PictureHeader(
        format="png", width=width, height=height, frame_count=max(1, frame_count), metadata_bytes=metadata_bytes
    )


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    at = 8
    for _ in range(_PART_COUNT_MAX):
        if at + 8 > len(content):
            return
        size_bytes, kind = struct.unpack_from(">I4s", content, at)
        yield kind, at + 8, size_bytes
        if kind == b"IEND":
            return
        at += 12 + size_bytes
    raise _too_many_parts("png")


def _read_gif(content: bytes) -> PictureHeader:
    width, height, flags = struct.unpack_from("<HHB", content, 6)
    at = 13 + _gif_palette_bytes(flags)
    frame_count = metadata_bytes = 0
    for _ in range(_PART_COUNT_MAX):
        mark = content[at : at + 1]
        if mark == b"\x2c":
            left, top, wide, high, flags = struct.unpack_from("<HHHHB", content, at + 1)
            # A frame may reach beyond the screen that the file names; decoders enlarge the picture then.
            width, height, frame_count = max(width, left + wide), max(height, top + high), frame_count + 1
            at, _ = _skip_gif_blocks(content, at + 11 + _gif_palette_bytes(flags))
        elif mark == b"\x21":
            at, size_bytes = _skip_gif_blocks(content, at + 2)
            metadata_bytes += size_bytes
        elif frame_count:
            # The end, or what is no block any more: the first frame is whole, and it is the one that is read.
            return PictureHeader(
                format="gif", width=width, height=height, frame_count=frame_count, metadata_bytes=metadata_bytes
            )
        else:
            raise MediaError("it begins as gif and has no frame" if mark in (b";", b"") else "a gif block is damaged")
    raise _too_many_parts("gif")


def _gif_palette_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _skip_gif_blocks(content: bytes, at: int) -> tuple[int, int]:
    """Where the data blocks that begin at `at` end, and their bytes; a file that stops before is taken to its end."""
    start, end = at, len(content)
    for _ in range(10_000 + end // 16):
        if at >= end:
            return end, end - start
        size_bytes = content[at]
        at += 1 + size_bytes
        if size_bytes == 0:
            return at, at - start
    raise _too_many_parts("gif")


def _read_webp(content: bytes) -> PictureHeader:
    at, size, frame_count, metadata_bytes = 12, (0, 0), 0, 0
    for _ in range(_PART_COUNT_MAX):
        if at + 8 > len(content):
            break
        kind, size_bytes = struct.unpack_from("<4sI", content, at)
        if kind in _WEBP_SIZES and (kind == b"VP8X" or size == (0, 0)):
            size = _WEBP_SIZES[kind](content, at + 8)
        elif kind == b"ANMF":
            frame_count += 1
        elif kind in (b"EXIF", b"ICCP", b"XMP "):
            metadata_bytes += size_bytes
        at += 8 + size_bytes + size_bytes % 2
    else:
        raise _too_many_parts("webp")
    return PictureHeader(
        format="webp",
        width=size[0],
        height=size[1],
        frame_count=max(1, frame_count),
        metadata_bytes=metadata_bytes,
    )


def _vp8_size(content: bytes, at: int) -> tuple[int, int]:
    width, height = struct.unpack_from("<HH", content, at + 6)
    return width & 0x3FFF, height & 0x3FFF


def _vp8l_size(content: bytes, at: int) -> tuple[int, int]:
    (bits,) = struct.unpack_from("<I", content, at + 1)
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1


def _vp8x_size(content: bytes, at: int) -> tuple[int, int]:
    # One byte of flags, three that are reserved, then two numbers of three bytes, each one less than the side.
    sides = struct.unpack_from("<3s3s", content, at + 4)
    return int.from_bytes(sides[0], "little") + 1, int.from_bytes(sides[1], "little") + 1


_WEBP_SIZES: Mapping[bytes, Callable[[bytes, int], tuple[int, int]]] = {
    b"VP8 ": _vp8_size,
    b"VP8L": _vp8l_size,
    b"VP8X": _vp8x_size,
}


def _read_bmp(content: bytes) -> PictureHeader:
    (size_bytes,) = struct.unpack_from("<I", content, 14)
    if size_bytes == 12:
        width, height = struct.unpack_from("<HH", content, 18)
        return PictureHeader(format="bmp", width=width, height=height)
    width, height, _, _, compression = struct.unpack_from("<iiHHI", content, 18)
    if compression not in (0, 3, 6):
        raise MediaError("it is a bmp with run-length or embedded compression", hint="save it without compression")
    return PictureHeader(format="bmp", width=width, height=abs(height))


_TIFF_VALUE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_TIFF_COMPRESSIONS = (1, 5, 8, 32773, 32946)
_WIDTH, _HEIGHT, _COMPRESSION, _SAMPLES, _TILE_WIDTH, _TILE_HEIGHT = 256, 257, 259, 277, 322, 323
_TIFF_OFFSETS = (273, 279, 324, 325)


def _read_tiff(content: bytes) -> PictureHeader:
    order = "<" if content[:2] == b"II" else ">"
    (at,) = struct.unpack_from(f"{order}I", content, 4)
    first: dict[int, int] = {}
    seen: set[int] = set()
    metadata_bytes = 0
    while at and at not in seen and len(seen) < _PART_COUNT_MAX:
        seen.add(at)
        tags, size_bytes, at = _read_tiff_page(content, at, order, is_first=not first)
        metadata_bytes += size_bytes
        first = first or tags
    _check_tiff(first)
    return PictureHeader(
        format="tiff",
        width=first.get(_WIDTH, 0),
        height=first.get(_HEIGHT, 0),
        frame_count=len(seen),
        metadata_bytes=metadata_bytes,
    )


def _read_tiff_page(content: bytes, at: int, order: str, *, is_first: bool) -> tuple[dict[int, int], int, int]:
    """The numbers of a page that stand in its own table, the bytes of its other values, and where the next page is."""
    (entry_count,) = struct.unpack_from(f"{order}H", content, at)
    tags: dict[int, int] = {}
    metadata_bytes = 0
    for place in range(at + 2, at + 2 + 12 * entry_count, 12) if is_first else ():
        tag, kind, count = struct.unpack_from(f"{order}HHI", content, place)
        size_bytes = _TIFF_VALUE_BYTES.get(kind, 1) * count
        if size_bytes > len(content):
            raise MediaError(f"its tiff tag {tag} promises {size_bytes:,} bytes, more than the file has")
        metadata_bytes += 0 if tag in _TIFF_OFFSETS else size_bytes
        if count == 1 and kind in (1, 3, 4):
            (tags[tag],) = struct.unpack_from(order + {1: "B", 3: "H", 4: "I"}[kind], content, place + 8)
    end = at + 2 + 12 * entry_count
    # The last page of some writers ends with the file.
    following = struct.unpack_from(f"{order}I", content, end)[0] if end + 4 <= len(content) else 0
    return tags, metadata_bytes, following


def _check_tiff(tags: Mapping[int, int]) -> None:
    compression = tags.get(_COMPRESSION, 1)
    if compression not in _TIFF_COMPRESSIONS:
        raise MediaError(
            f"it is a tiff with compression {compression}", hint="save it with LZW, deflate or no compression"
        )
    # A tile is unpacked whole, so a large tile around a small picture would be a bomb.
    for side, tile in ((_WIDTH, _TILE_WIDTH), (_HEIGHT, _TILE_HEIGHT)):
        if tags.get(tile, 0) > max(4_096, 2 * tags.get(side, 0)):
            raise MediaError(f"its tiff tiles are {tags[tile]:,} pixels wide or high, larger than the picture")
    if tags.get(_SAMPLES, 1) > 5:
        raise MediaError(f"its tiff pixels have {tags[_SAMPLES]} channels, at most 5 are read")


def _too_many_parts(kind: str) -> MediaError:
    return MediaError(f"it begins as {kind} and has more than {_PART_COUNT_MAX:,} parts")


_MARKS: Mapping[bytes, PictureFormat] = {
    b"\xff\xd8\xff": "jpeg",
    b"\x89PNG\r\n\x1a\n": "png",
    b"GIF87a": "gif",
    b"GIF89a": "gif",
    b"BM": "bmp",
    b"II*\x00": "tiff",
    b"MM\x00*": "tiff",
}
_READERS: Mapping[PictureFormat, Callable[[bytes], PictureHeader]] = {
    "bmp": _read_bmp,
    "gif": _read_gif,
    "jpeg": _read_jpeg,
    "png": _read_png,
    "tiff": _read_tiff,
    "webp": _read_webp,
}
