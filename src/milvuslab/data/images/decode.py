"""One picture from its bytes: limits first, then pixels, always 8-bit RGB the right way up.

What comes out does not depend on how the picture was stored:

- rotated and mirrored as its EXIF orientation says;
- transparent pixels lie on white; CMYK, grey and palettes become RGB; 16 bits become 8;
- of an animation the first frame is taken, of a TIFF the first page;
- colour profiles are not applied: what a search compares does not hang on them, and they come from a stranger;
- longer sides than `side_kept_px` are reduced, with JPEGs before their pixels are decoded.

Refused with an error that names the file: what is too large (`LimitError`), what is no picture, is of another type or is
damaged (`MediaError`). A file that is cut short is damaged: half a picture would be indexed as the whole one.

Threads: any number at once. Pictures of more than `_LARGE_PIXEL_COUNT` pixels are decoded one at a time, so the memory of
a process stays bounded whatever is sent to it; see `docs/decisions/0094-pictures-from-strangers.md` for what was measured.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import struct
import threading
import warnings
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from milvuslab.data.images.header import PictureFormat, PictureHeader, read_header
from milvuslab.model.errors import LimitError, MediaError, missing_extra

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["DEFAULT_LIMITS", "ImageLimits", "Picture", "Pixels", "decode_image"]

Pixels = npt.NDArray[np.uint8]
"""(h, w, 3) uint8, RGB."""

_LARGE_PIXEL_COUNT = 8_000_000
_large_decoding = threading.Lock()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ImageLimits:
    """How much one picture may be. All but the last refuse; the last reduces.

    Attributes:
        size_bytes_max: of the file.
        pixel_count_max: of one frame. The largest camera files that people upload have 12 to 24 million; WebP needs up
            to 16 bytes of memory for each.
        side_px_max: width or height; a picture of one row is no picture.
        frame_count_max: of an animation, of which one frame is used.
        metadata_bytes_max: EXIF, colour profile, texts and previews together. Profiles for print have up to 2 MB.
        side_kept_px: longest side of the pixels that are handed out.
    """

    size_bytes_max: int = 20_000_000
    pixel_count_max: int = 40_000_000
    side_px_max: int = 30_000
    frame_count_max: int = 1_000
    metadata_bytes_max: int = 4_000_000
    side_kept_px: int = 1_024

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            assert getattr(self, field.name) >= 1, f"{field.name} is below 1"


DEFAULT_LIMITS = ImageLimits()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """A decoded picture.

    Attributes:
        pixels: (h, w, 3) uint8 RGB, not writable, upright; at most `side_kept_px` on its longer side.
        format: as stored: bmp, gif, jpeg, png, tiff or webp.
        width: of the picture as it was stored, upright; `pixels` may be smaller.
        frame_count: frames or pages in the file.
        sha256: hexadecimal, of the file's bytes.
        name: as given.
    """

    pixels: Pixels
    format: PictureFormat
    width: int
    height: int
    frame_count: int
    sha256: str
    name: str


def decode_image(content: bytes, *, limits: ImageLimits = DEFAULT_LIMITS, name: str = "") -> Picture:
    """The picture in the bytes of a file.

    Args:
        name: of the file, for messages and the result only.

    Raises:
        LimitError: more bytes, pixels, frames or metadata than `limits` allow.
        MediaError: it is no picture of a known format, or is damaged.
        UnsupportedError: the package Pillow is not installed.
    """
    label = f"picture {name[:80]!r}" if name else "the picture"
    if len(content) > limits.size_bytes_max:
        raise _too_much(label, len(content), "bytes", "size_bytes_max", limits.size_bytes_max)
    try:
        header = read_header(content)
    except MediaError as error:
        raise MediaError(f"{label}: {error.message}", hint=error.hint) from None
    _check_limits(header, limits, label)
    pixels, is_turned = _decode_pixels(content, header, limits, label)
    width, height = (header.height, header.width) if is_turned else (header.width, header.height)
    return Picture(
        pixels=pixels,
        format=header.format,
        width=width,
        height=height,
        frame_count=header.frame_count,
        sha256=hashlib.sha256(content).hexdigest(),
        name=name,
    )


def _check_limits(header: PictureHeader, limits: ImageLimits, label: str) -> None:
    for value, unit, limit in (
        (header.pixel_count, "pixels", "pixel_count_max"),
        (max(header.width, header.height), "pixels on a side", "side_px_max"),
        (header.frame_count, "frames", "frame_count_max"),
        (header.metadata_bytes, "bytes of metadata", "metadata_bytes_max"),
        # A progressive JPEG has about ten scans; each goes over all pixels again.
        (header.pixel_count * header.pass_count, "pixels in all its scans", "pixel_count_max"),
    ):
        allowed = getattr(limits, limit) * (20 if unit.endswith("scans") else 1)
        if value > allowed:
            raise _too_much(label, value, unit, limit, allowed)


def _too_much(label: str, value: int, unit: str, limit: str, allowed: int) -> LimitError:
    return LimitError(
        f"{label} has {value:,} {unit}, allowed are {allowed:,}",
        hint="make it smaller first" if limit != "frame_count_max" else "send one frame of it",
        context={"limit": limit, "value": value, "allowed": allowed},
    )


def _decode_pixels(content: bytes, header: PictureHeader, limits: ImageLimits, label: str) -> tuple[Pixels, bool]:
    """Pixels, upright and reduced, and whether width and height changed places."""
    try:
        if header.pixel_count <= _LARGE_PIXEL_COUNT:
            return _open_and_decode(content, header, limits.side_kept_px)
        with _large_decoding:
            return _open_and_decode(content, header, limits.side_kept_px)
    except MediaError as error:
        raise MediaError(f"{label}: {error.message}", hint=error.hint) from None
    # What Pillow raises for files that are not what they say; SyntaxError is its word for a broken header.
    except (OSError, SyntaxError, ValueError, EOFError, KeyError, IndexError, TypeError, AttributeError, OverflowError,
            AssertionError, RuntimeError, NotImplementedError, MemoryError, struct.error, zlib.error) as error:  # fmt: skip
        is_short = isinstance(error, struct.error | EOFError)
        reason = "cut short" if is_short else str(error).split("\n", 1)[0][:200] or type(error).__name__
        raise MediaError(
            f"{label} is a damaged {header.format} file: {reason}", hint="transfer or save the file again"
        ) from error


def _open_and_decode(content: bytes, header: PictureHeader, side_px: int) -> tuple[Pixels, bool]:
    with _open(content, header) as image:
        orientation = _read_orientation(image.info.get("exif", b""))
        # Pillow turns a TIFF itself while it loads it, and says so by its size.
        is_turned = image.size != (header.width, header.height) if header.format == "tiff" else orientation >= 5
        image.draft(None, (side_px, side_px))
        flat = _flatten(image, side_px)
    turn = None if header.format == "tiff" else _TURNS.get(orientation)
    pixels = np.asarray(flat if turn is None else flat.transpose(turn), dtype=np.uint8)
    pixels.setflags(write=False)
    return pixels, is_turned


def _open(content: bytes, header: PictureHeader) -> Image.Image:
    """Opened by the class for this format: `Image.open` would ask others, and warn of sizes that were compared."""
    plugins = _load_plugins()
    # Corrupt EXIF and the like: what is used of a file is checked here, and a warning per stranger's file helps nobody.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
    image = plugins[header.format](io.BytesIO(content))
    if image.width * image.height > header.pixel_count:
        raise MediaError(
            f"its {header.format} header says {header.width} x {header.height}, its frame {image.width} x {image.height}"
        )
    return image


def _load_plugins() -> dict[PictureFormat, Callable[[io.BytesIO], Image.Image]]:
    try:
        from PIL import (
            BmpImagePlugin,
            GifImagePlugin,
            JpegImagePlugin,
            PngImagePlugin,
            TiffImagePlugin,
            WebPImagePlugin,
        )
    except ImportError:
        raise missing_extra("Pillow", "image") from None
    return {
        "bmp": BmpImagePlugin.BmpImageFile,
        "gif": GifImagePlugin.GifImageFile,
        "jpeg": JpegImagePlugin.JpegImageFile,
        "png": PngImagePlugin.PngImageFile,
        "tiff": TiffImagePlugin.TiffImageFile,
        "webp": WebPImagePlugin.WebPImageFile,
    }


def _flatten(image: Image.Image, side_px: int) -> Image.Image:
    """The picture as RGB on white, reduced before it is copied."""
    from PIL import Image

    image.load()
    if image.mode.startswith("I;16"):
        # Only the upper half of 16 bits is kept, as Pillow does for 16-bit colour.
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    elif image.mode in ("I", "F"):
        raise MediaError(f"its pixels are numbers of 32 bits (mode {image.mode})", hint="save it with 8 or 16 bits")
    has_alpha = image.has_transparency_data
    if image.mode not in ("RGB", "L", "CMYK", "RGBA") or has_alpha:
        image = image.convert("RGBA" if has_alpha else "RGB")
    if max(image.size) > side_px:
        image.thumbnail((side_px, side_px), Image.Resampling.BILINEAR, reducing_gap=2.0)
    if image.mode == "RGBA":
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _read_orientation(exif: object) -> int:
    """EXIF tag 274, 1 to 8; 1 where there is none or it cannot be read.

    The table is read here: Pillow's reader takes all of a stranger's EXIF apart to answer this one question.
    """
    raw = exif.removeprefix(b"Exif\0\0") if isinstance(exif, bytes) else b""
    order = {b"II": "<", b"MM": ">"}.get(raw[:2])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(f"{order}I", raw, 4)
        (entry_count,) = struct.unpack_from(f"{order}H", raw, start)
        for at in range(start + 2, start + 2 + 12 * entry_count, 12):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", raw, at)
            if tag == 274 and kind == 3:
                return value if 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1


# Numbers of PIL.Image.Transpose, which is not imported before a picture is decoded. EXIF 2.32, 4.6.4, tag 274.
_TURNS: dict[int, Any] = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
