"""Files that somebody might upload as a picture, and what becomes of each: shared by the decoder's tests and the studio's.

`HOSTILE_PICTURES` makes every file in memory, the largest has a few hundred kB. Bombs promise or unpack to far more than they
weigh. `outcome` is `decoded`, or the code of the error: `limit` (413) or `media` (415).
"""

from __future__ import annotations

import dataclasses
import functools
import io
import struct
import zlib
from collections.abc import Callable
from typing import Literal

import numpy as np
from PIL import Image

__all__ = ["HOSTILE_PICTURES", "HostilePicture", "make_picture", "save_picture"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class HostilePicture:
    """One file: `name` is the file name that is sent with it, `make` gives its bytes."""

    name: str
    outcome: Literal["decoded", "limit", "media"]
    make: Callable[[], bytes]
    media_type: str = "application/octet-stream"

    @functools.cached_property
    def content(self) -> bytes:
        return self.make()


def make_picture(width: int = 64, height: int = 48) -> Image.Image:
    """A picture without symmetry: a red left half, a green gradient down, a blue corner."""
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pixels[:, : width // 2, 0] = 200
    pixels[:, :, 1] = np.linspace(0, 250, height, dtype=np.uint8)[:, None]
    pixels[: height // 3, : width // 4, 2] = 255
    return Image.fromarray(pixels)


def save_picture(image: Image.Image, kind: str, **options: object) -> bytes:
    """Bytes of the picture as a file of that kind (Pillow's name)."""
    sink = io.BytesIO()
    image.save(sink, kind, **options)
    return sink.getvalue()


def _saved(kind: str, mode: str = "RGB", **options: object) -> Callable[[], bytes]:
    return lambda: save_picture(make_picture().convert(mode), kind, **options)


def _cut(make: Callable[[], bytes], share: float) -> Callable[[], bytes]:
    def cut() -> bytes:
        content = make()
        return content[: int(len(content) * share)]

    return cut


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _png(
    width: int, height: int, *, before: bytes = b"", data: bytes | None = None, depth: int = 8, color: int = 2
) -> bytes:
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))
    packed = zlib.compress(b"\0" * 300_000) if data is None else data
    return b"\x89PNG\r\n\x1a\n" + header + before + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")


def _png_of_zeros(width: int, height: int) -> bytes:
    """Whole and correct, and thousands of times smaller than its pixels."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(b"\0" * (width * 3 + 1)) for _ in range(height)) + packer.flush()
    return _png(width, height, data=packed)


def _png_with_bomb(kind: bytes, prefix: bytes) -> Callable[[], bytes]:
    """A text or profile that unpacks to 100 MB."""

    def make() -> bytes:
        packer = zlib.compressobj(9)
        packed = b"".join(packer.compress(b"\0" * 1_000_000) for _ in range(100)) + packer.flush()
        good = save_picture(make_picture(), "PNG")
        return good[:33] + _chunk(kind, prefix + packed) + good[33:]

    return make


def _png_with_metadata(size_bytes: int) -> Callable[[], bytes]:
    def make() -> bytes:
        good = save_picture(make_picture(), "PNG")
        return good[:33] + _chunk(b"eXIf", b"II*\0\x08\0\0\0\0\0" + bytes(size_bytes)) + good[33:]

    return make


def _jpeg_with_segments(count: int) -> Callable[[], bytes]:
    """A JPEG with `count` EXIF segments of 64 kB of nothing."""

    def make() -> bytes:
        good = save_picture(make_picture(), "JPEG")
        segment = b"\xff\xe1\xff\xffExif\0\0II*\0\x08\0\0\0\0\0" + bytes(65_533 - 16)
        return good[:2] + segment * count + good[2:]

    return make


def _jpeg_of_size(width: int, height: int) -> Callable[[], bytes]:
    def make() -> bytes:
        good = bytearray(save_picture(make_picture(), "JPEG"))
        at = good.index(b"\xff\xc0")
        good[at + 5 : at + 9] = struct.pack(">HH", height, width)
        return bytes(good)

    return make


def _jpeg_of_scans(count: int) -> bytes:
    """A progressive JPEG of 16 million pixels whose last scan stands there again and again."""
    good = save_picture(Image.new("L", (4_000, 4_000), 128), "JPEG", progressive=True, quality=10)
    at = good.rindex(b"\xff\xda")
    return good[:-2] + good[at:-2] * count + good[-2:]


def _gif_of_size(width: int, height: int, *, frame: tuple[int, int]) -> bytes:
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    image = b"\x2c" + struct.pack("<HHHHB", 0, 0, *frame, 0) + b"\x02\x02\x4c\x01\x00"
    return screen + image + b";"


def _animation(kind: str, count: int = 3) -> Callable[[], bytes]:
    def make() -> bytes:
        frames = [make_picture().rotate(10 * turn) for turn in range(count)]
        return save_picture(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)

    return make


def _gif_of_frames(count: int) -> bytes:
    good = save_picture(Image.new("P", (1, 1)), "GIF")
    at = good.index(b"\x2c")
    return good[:at] + good[at:-1] * count + b";"


def _webp_of_size(width: int, height: int) -> bytes:
    """An extended WebP whose canvas is far larger than its frame."""
    inner = save_picture(make_picture(), "WEBP")[12:]
    canvas = b"\x10\0\0\0" + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBP" + b"VP8X" + struct.pack("<I", 10) + canvas + inner
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _tiff(tags: dict[int, tuple[int, int, int]], data: bytes = b"") -> bytes:
    """A TIFF of one page: tag to (type, count, value)."""
    start = 8 + 2 + 12 * len(tags) + 4
    tags = {273: (4, 1, start), 279: (4, 1, len(data)), **tags} if 273 not in tags else tags
    start = 8 + 2 + 12 * len(tags) + 4
    tags[273] = (4, 1, start)
    rows = b"".join(struct.pack("<HHII", tag, *value) for tag, value in sorted(tags.items()))
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + rows + bytes(4) + data


def _tiff_of_size(width: int, height: int, **extra: int) -> bytes:
    packed = zlib.compress(bytes(1_000_000), 9)
    named = {"compression": 259, "samples": 277, "tile_width": 322, "tile_height": 323}
    tags = {256: (4, 1, width), 257: (4, 1, height), 258: (3, 1, 8), 259: (3, 1, 8), 262: (3, 1, 1), 277: (3, 1, 1)}
    tags |= {named[name]: (4, 1, value) for name, value in extra.items()}
    return _tiff({**tags, 278: (4, 1, height), 279: (4, 1, len(packed)), 273: (4, 1, 0)}, packed)


def _tiff_loop() -> bytes:
    good = bytearray(save_picture(make_picture(), "TIFF"))
    (at,) = struct.unpack_from("<I", good, 4)
    (count,) = struct.unpack_from("<H", good, at)
    struct.pack_into("<I", good, at + 2 + 12 * count, at)
    return bytes(good)


def _bmp(width: int, height: int, *, compression: int = 0) -> bytes:
    good = bytearray(save_picture(make_picture(), "BMP"))
    struct.pack_into("<iiHHI", good, 18, width, height, 1, 24, compression)
    return bytes(good)


def _damaged(kind: str, at_share: float) -> Callable[[], bytes]:
    def make() -> bytes:
        good = bytearray(save_picture(make_picture(), kind))
        at = int(len(good) * at_share)
        good[at : at + 40] = bytes(value ^ 0x5A for value in good[at : at + 40])
        return bytes(good)

    return make


def _sixteen_bit_gray() -> bytes:
    return save_picture(Image.fromarray(np.linspace(0, 65_535, 64 * 48, dtype=np.uint16).reshape(48, 64)), "PNG")


def _palette_with_hole() -> bytes:
    return save_picture(make_picture().convert("P"), "PNG", transparency=bytes(range(0, 256, 2)))


_SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
_SVG_ENTITIES = b'<!DOCTYPE svg [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><svg>&b;</svg>'


def _case(name: str, outcome: str, make: Callable[[], bytes] | bytes, media_type: str = "") -> HostilePicture:
    ending = name.rsplit(".", 1)[-1].lower()
    known = {"jpg": "image/jpeg", "tif": "image/tiff", "svg": "image/svg+xml"}
    return HostilePicture(
        name=name,
        outcome=outcome,  # type: ignore[arg-type]
        make=make if callable(make) else lambda: make,
        media_type=media_type or known.get(ending, f"image/{ending}"),
    )


HOSTILE_PICTURES: tuple[HostilePicture, ...] = (
    # Nothing, or something else.
    _case("nothing.png", "media", b""),
    _case("one-byte.jpg", "media", b"\xff"),
    _case("mark-only.png", "media", b"\x89PNG\r\n\x1a\n"),
    _case("text.jpg", "media", b"this is no picture\n" * 100),
    _case("drawing.svg", "media", _SVG),
    _case("drawing-named-png.png", "media", b"\xef\xbb\xbf\n" + _SVG),
    _case("entities.svg", "media", _SVG_ENTITIES),
    _case("page.png", "media", b"<html><body>502 Bad Gateway</body></html>"),
    _case("paper.jpg", "media", b"%PDF-1.7\n%" + bytes(1000)),
    _case("archive.png", "media", b"PK\x03\x04" + bytes(1000)),
    _case("program.gif", "media", b"\x7fELF" + bytes(1000)),
    _case("postscript.png", "media", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
    _case("camera.heic", "media", b"\0\0\0\x18ftypheic" + bytes(1000)),
    _case("new.avif", "media", lambda: save_picture(make_picture(), "AVIF")),
    _case("icon.ico", "media", lambda: save_picture(make_picture(), "ICO")),
    _case("wrong-ending.gif", "decoded", _saved("PNG")),
    # Cut short or damaged.
    _case("half.jpg", "media", _cut(_saved("JPEG"), 0.7)),
    _case("end-missing.jpg", "media", _cut(lambda: save_picture(make_picture(640, 480), "JPEG"), 0.9)),
    _case("half.png", "media", _cut(_saved("PNG"), 0.5)),
    _case("half.gif", "media", _cut(_saved("GIF"), 0.6)),
    _case("half.webp", "media", _cut(_saved("WEBP"), 0.5)),
    _case("half.bmp", "media", _cut(_saved("BMP"), 0.5)),
    _case("half.tif", "media", _cut(_saved("TIFF"), 0.5)),
    _case("header-only.jpg", "media", _cut(_saved("JPEG"), 0.03)),
    _case("flipped-bits.png", "media", _damaged("PNG", 0.5)),
    _case("damaged-mark.webp", "media", _damaged("WEBP", 0.05)),
    _case("no-pixels.png", "media", lambda: _png(0, 0)),
    _case("empty-data.png", "media", lambda: _png(64, 48, data=b"")),
    _case("wrong-depth.png", "media", lambda: _png(64, 48, depth=5)),
    _case("loop.tif", "decoded", _tiff_loop),
    # Bombs.
    _case("bomb-promised.png", "limit", lambda: _png(60_000, 60_000)),
    _case("bomb-largest.png", "limit", lambda: _png(2**31 - 1, 2**31 - 1)),
    _case("bomb-whole.png", "limit", lambda: _png_of_zeros(8_000, 8_000)),
    _case("bomb-one-row.png", "limit", lambda: _png(1_000_000, 1)),
    _case("bomb-text.png", "media", _png_with_bomb(b"zTXt", b"Comment\0\0")),
    _case("bomb-profile.png", "media", _png_with_bomb(b"iCCP", b"profile\0\0")),
    _case("bomb.jpg", "limit", _jpeg_of_size(65_000, 65_000)),
    _case("bomb-scans.jpg", "limit", lambda: _jpeg_of_scans(300)),
    _case("bomb-screen.gif", "limit", lambda: _gif_of_size(65_535, 65_535, frame=(1, 1))),
    _case("bomb-frame.gif", "limit", lambda: _gif_of_size(1, 1, frame=(65_535, 65_535))),
    _case("bomb-frames.gif", "limit", lambda: _gif_of_frames(5_000)),
    _case("bomb.webp", "limit", lambda: _webp_of_size(16_384, 16_384)),
    _case("bomb-canvas.webp", "media", lambda: _webp_of_size(4_000, 4_000)),
    _case("bomb.tif", "limit", lambda: _tiff_of_size(60_000, 60_000)),
    _case("bomb-tile.tif", "media", lambda: _tiff_of_size(64, 48, tile_width=60_000, tile_height=60_000)),
    _case("bomb-channels.tif", "media", lambda: _tiff_of_size(64, 48, samples=60_000)),
    _case("bomb-fax.tif", "media", lambda: _tiff_of_size(1_000, 1_000, compression=4)),
    _case("bomb.bmp", "limit", lambda: _bmp(60_000, 60_000)),
    _case("run-length.bmp", "media", lambda: _bmp(64, 48, compression=1)),
    # Metadata.
    _case("exif-large.jpg", "decoded", _jpeg_with_segments(20)),
    _case("exif-huge.jpg", "limit", _jpeg_with_segments(80)),
    _case("exif-large.png", "decoded", _png_with_metadata(1_000_000)),
    _case("exif-huge.png", "limit", _png_with_metadata(6_000_000)),
    # Unusual, but pictures.
    _case("animated.gif", "decoded", _animation("GIF")),
    _case("animated.webp", "decoded", _animation("WEBP")),
    _case("animated.png", "decoded", _animation("PNG")),
    _case("pages.tif", "decoded", _animation("TIFF")),
    _case("print.jpg", "decoded", _saved("JPEG", "CMYK")),
    _case("print.tif", "decoded", _saved("TIFF", "CMYK")),
    _case("sixteen-bit.png", "decoded", _sixteen_bit_gray),
    _case("numbers.tif", "media", lambda: save_picture(Image.new("F", (9, 9), 0.5), "TIFF")),
    _case("palette-with-hole.png", "decoded", _palette_with_hole),
    _case("one-bit.png", "decoded", _saved("PNG", "1")),
    _case("gray-alpha.png", "decoded", _saved("PNG", "LA")),
    _case("one-pixel.gif", "decoded", lambda: save_picture(Image.new("P", (1, 1)), "GIF")),
    # Names that want to be somewhere else; the content is a good picture.
    _case("../../../../tmp/escaped.png", "decoded", _saved("PNG")),
    _case("..\\..\\windows\\win.ini.png", "decoded", _saved("PNG")),
    _case("/etc/passwd.png", "decoded", _saved("PNG")),
    _case("name\r\nSet-Cookie: a=b.png", "decoded", _saved("PNG")),
    _case("<img src=x onerror=alert(1)>.png", "decoded", _saved("PNG")),
    _case("그림" * 200 + ".png", "decoded", _saved("PNG")),
)
