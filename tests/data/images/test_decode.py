"""One picture from its bytes: what a stranger sends, and that how it was stored does not matter."""

import concurrent.futures
import contextlib
import hashlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from milvuslab.data.images import ImageLimits, decode_image
from milvuslab.model.errors import LimitError, MediaError, MilvusLabError
from tests.hostile_pictures import HOSTILE_PICTURES, make_picture, save_picture

EXIF_ORIENTATION = 274


def _decode(image, kind, **options):
    return decode_image(save_picture(image, kind, **options)).pixels.astype(int)


@pytest.mark.parametrize("hostile", HOSTILE_PICTURES, ids=lambda case: case.name[:40])
def test_a_strangers_file_is_decoded_or_refused_by_name(hostile):
    if hostile.outcome == "decoded":
        picture = decode_image(hostile.content, name=hostile.name)
        assert picture.pixels.dtype == np.uint8 and picture.pixels.shape == (picture.height, picture.width, 3)
        assert picture.name == hostile.name
        return
    with pytest.raises(MilvusLabError) as caught:
        decode_image(hostile.content, name=hostile.name)
    assert caught.value.code == hostile.outcome
    assert caught.value.http_status == {"limit": 413, "media": 415}[hostile.outcome]
    assert repr(hostile.name) in caught.value.message and len(caught.value.message) < 400


def test_hostile_files_do_not_grow_the_process():
    """All of them, eight at a time, in a process of its own: what it needs is far below what they unpack to."""
    program = """
import concurrent.futures, resource
from tests.hostile_pictures import HOSTILE_PICTURES
from milvuslab.data.images import decode_image
from milvuslab.model.errors import MilvusLabError
contents = [hostile.content for hostile in HOSTILE_PICTURES]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
def attempt(content):
    try: decode_image(content)
    except MilvusLabError: pass
with concurrent.futures.ThreadPoolExecutor(8) as workers:
    list(workers.map(attempt, contents * 2))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 150, "megabytes"


@pytest.mark.parametrize("kind", ["BMP", "GIF", "PNG", "TIFF", "WEBP"])
def test_every_lossless_format_gives_the_same_pixels(kind):
    picture = make_picture().quantize(64).convert("RGB")
    options = {"lossless": True} if kind == "WEBP" else {}
    assert np.abs(_decode(picture, kind, **options) - np.asarray(picture)).max() == 0


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_the_camera_is_applied(orientation, kind):
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 98, "subsampling": 0}}.get(kind, {})
    content = save_picture(make_picture(), kind, exif=exif, **options)
    # The picture without the tag, turned by Pillow's own function.
    plain = make_picture()
    plain.getexif()[EXIF_ORIENTATION] = orientation
    upright = np.asarray(ImageOps.exif_transpose(plain)).astype(int)
    found = decode_image(content)
    assert (found.height, found.width) == upright.shape[:2]
    assert np.abs(found.pixels - upright).mean() < 3


def test_broken_exif_is_no_reason_to_refuse():
    for exif in (b"Exif\0\0II*\0\xff\xff\xff\x7f", b"Exif\0\0", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff", b"nonsense"):
        picture = decode_image(save_picture(make_picture(), "JPEG", exif=exif))
        assert (picture.width, picture.height) == (64, 48)


def test_transparent_pixels_lie_on_white_in_every_mode():
    alpha = Image.new("L", (64, 48), 255)
    alpha.paste(0, (0, 0, 32, 48))
    image = make_picture()
    image.putalpha(alpha)
    for stored, kind in ((image, "PNG"), (image.convert("LA"), "PNG"), (image, "WEBP"), (image, "TIFF")):
        pixels = _decode(stored, kind)
        assert (pixels[:, :30] == 255).all(), kind
        assert pixels[:, 40:].mean() < 200
    palette = make_picture().convert("P")
    index = int(np.asarray(palette)[40, 5])
    for options in ({"transparency": index}, {"transparency": bytes(0 if i == index else 255 for i in range(256))}):
        assert (_decode(palette, "PNG", **options)[40, 5] == 255).all()
    assert (_decode(palette, "GIF", transparency=index)[40, 5] == 255).all()
    assert (
        _decode(make_picture().convert("L"), "PNG", transparency=0)[np.asarray(make_picture().convert("L")) == 0] == 255
    ).all()


def test_sixteen_bits_become_eight():
    ramp = np.linspace(0, 65_535, 64 * 48).reshape(48, 64).astype(np.uint16)
    for kind in ("PNG", "TIFF"):
        assert (_decode(Image.fromarray(ramp), kind)[..., 0] == ramp >> 8).all()


def test_colours_for_print_are_near_those_for_the_screen():
    pixels = _decode(make_picture().convert("CMYK"), "JPEG", quality=95)
    assert np.abs(pixels - np.asarray(make_picture())).mean() < 12


def test_a_colour_profile_changes_nothing():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert (_decode(make_picture(), "PNG", icc_profile=profile) == np.asarray(make_picture())).all()


def test_the_first_frame_of_an_animation_is_taken():
    frames = [Image.new("RGB", (20, 20), color) for color in ("red", "lime", "blue")]
    for kind in ("GIF", "PNG", "TIFF", "WEBP"):
        options = {"lossless": True} if kind == "WEBP" else {}
        picture = decode_image(save_picture(frames[0], kind, save_all=True, append_images=frames[1:], **options))
        assert picture.frame_count == 3
        assert (picture.pixels == (255, 0, 0)).all(), kind


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_large_pictures_are_reduced_and_keep_their_sizes(kind):
    content = save_picture(make_picture(3_000, 2_000), kind)
    picture = decode_image(content, limits=ImageLimits(side_kept_px=300))
    assert (picture.width, picture.height, picture.pixels.shape) == (3_000, 2_000, (200, 300, 3))
    small = np.asarray(make_picture(3_000, 2_000).resize((300, 200))).astype(int)
    assert np.abs(picture.pixels - small).mean() < 3


@pytest.mark.parametrize(
    "limits, name",
    [
        (ImageLimits(size_bytes_max=100), "size_bytes_max"),
        (ImageLimits(pixel_count_max=64 * 48 - 1), "pixel_count_max"),
        (ImageLimits(side_px_max=63), "side_px_max"),
    ],
)
def test_each_limit_is_named_and_holds_to_the_last_unit(limits, name):
    content = save_picture(make_picture(), "PNG")
    with pytest.raises(LimitError) as caught:
        decode_image(content, limits=limits)
    assert caught.value.context["limit"] == name
    at_limit = ImageLimits(size_bytes_max=len(content), pixel_count_max=64 * 48, side_px_max=64)
    assert decode_image(content, limits=at_limit).pixels.shape == (48, 64, 3)


def test_a_picture_says_what_it_is():
    content = save_picture(make_picture(), "GIF")
    picture = decode_image(content, name="a.jpg")
    assert (picture.format, picture.name, picture.frame_count) == ("gif", "a.jpg", 1)
    assert picture.sha256 == hashlib.sha256(content).hexdigest()
    assert not picture.pixels.flags.writeable


def test_threads_decode_at_the_same_time():
    contents = [save_picture(make_picture(64 + i, 48), kind) for i in range(8) for kind in ("PNG", "GIF", "TIFF")]
    with concurrent.futures.ThreadPoolExecutor(8) as workers:
        widths = [picture.width for picture in workers.map(decode_image, contents * 10)]
    assert widths == [decode_image(content).width for content in contents] * 10


def test_any_cut_and_any_flipped_byte_gives_a_picture_or_an_error_of_ours():
    choose = np.random.default_rng(5)
    for kind in ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP"):
        content = save_picture(make_picture(), kind)
        for _ in range(60):
            damaged = bytearray(content)
            damaged[choose.integers(len(content))] = choose.integers(256)
            cut = damaged[: choose.integers(1, len(content) + 1)] if choose.random() < 0.5 else damaged
            with contextlib.suppress(MediaError, LimitError):
                assert decode_image(bytes(cut)).pixels.shape[2] == 3
