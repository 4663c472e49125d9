"""EfficientNet-Lite0 from its real package: the known answers, and the promises of the protocol."""

import concurrent.futures
import io
import pickle
import re
import struct
import zipfile

import numpy as np
import pytest

from milvuslab.embed.images import IMAGE_ENCODERS, encode_ahead, open_image_encoder
from milvuslab.embed.images.catalog import prepare_image_model
from milvuslab.embed.images.torch_file import read_torch_weights
from milvuslab.fetch import Package, fetch_package, sha256_of
from milvuslab.model.errors import CheckFailedError, MediaError, NotFoundError, UnsupportedError

FOOLBOX = Package(
    registry="pypi",
    name="foolbox",
    version="3.3.4",
    sha256="11049d515d38e765e206a73ace9cc648b81a0d6d1da9ad9057e149ee117989cb",
    filename="foolbox-3.3.4-py3-none-any.whl",
)


@pytest.fixture(scope="module")
def encoder(settings):
    return open_image_encoder("efficientnet-lite0", settings=settings)


@pytest.fixture(scope="module")
def imagenet(settings):
    """The 20 pictures of foolbox and their class numbers."""
    from PIL import Image

    pictures, labels = [], []
    with zipfile.ZipFile(fetch_package(FOOLBOX, cache_dir=settings.cache_dir)) as wheel:
        for name in sorted(wheel.namelist()):
            if match := re.fullmatch(r"foolbox/data/imagenet_\d\d_(\d+)\.jpg", name):
                pictures.append(np.asarray(Image.open(io.BytesIO(wheel.read(name))).convert("RGB")))
                labels.append(int(match[1]))
    return pictures, np.array(labels)


def test_at_least_18_of_the_20_pictures_of_imagenet_are_known(encoder, imagenet):
    pictures, labels = imagenet
    chances = encoder.classify(pictures)
    assert chances.shape == (20, encoder.class_count) and chances.dtype == np.float32
    assert np.allclose(chances.sum(axis=1), 1, atol=1e-5)
    assert (chances.argmax(axis=1) == labels).sum() >= 18


def test_a_vector_depends_on_its_picture_only(encoder, imagenet):
    pictures = imagenet[0][:6]
    together = encoder.encode_images(pictures)
    assert together.shape == (6, 1280) and together.dtype == np.float32
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert all(
        (encoder.encode_images([picture])[0] == vector).all()
        for picture, vector in zip(pictures, together, strict=True)
    )
    assert encoder.encode_images([]).shape == (0, 1280) and encoder.classify([]).shape == (0, 1000)
    with concurrent.futures.ThreadPoolExecutor(4) as workers:
        assert all((vectors == together).all() for vectors in workers.map(encoder.encode_images, [pictures] * 4))


def test_pictures_of_any_size_and_shape_are_taken(encoder):
    for shape in ((1, 1, 3), (1, 900, 3), (900, 7, 3), (224, 224, 3), (3, 2, 3)):
        vector = encoder.encode_images([np.full(shape, 90, dtype=np.uint8)])
        assert np.isfinite(vector).all() and np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_the_model_is_built_with_the_pinned_bytes(settings, tmp_path):
    (tmp_path / "packages").symlink_to(settings.cache_dir / "packages")
    spec = IMAGE_ENCODERS["efficientnet-lite0"]
    fetch_package(spec.package, cache_dir=settings.cache_dir)
    mine = type(settings)({**settings.values, "cache_dir": tmp_path, "offline": True}, settings.origins)
    folder = prepare_image_model(spec, settings=mine).path
    assert sha256_of(folder / "model.onnx") == spec.files["model.onnx"]
    assert (folder / "model.onnx").stat().st_size == spec.size_bytes
    import onnx

    onnx.checker.check_model(str(folder / "model.onnx"))


def test_a_name_that_is_none_and_a_package_that_is_missing_say_so(settings):
    with pytest.raises(NotFoundError) as caught:
        open_image_encoder("efficientnet-lite", settings=settings)
    assert "efficientnet-lite0" in caught.value.hint
    try:
        import timm  # noqa: F401
    except ImportError:
        with pytest.raises(UnsupportedError) as missing:
            open_image_encoder("timm:resnet18", settings=settings)
        assert missing.value.hint == "pip install 'milvuslab[torch]'"


def test_pictures_are_decoded_ahead_and_given_back_in_order(encoder):
    opened = []

    def items():
        for number in range(40):
            opened.append(number)
            yield number

    def decode(number):
        if number % 7 == 3:
            raise MediaError(f"{number} is damaged")
        return np.full((8, 8 + number, 3), number, dtype=np.uint8)

    stream = encode_ahead(encoder, items(), decode=decode, pixels_of=lambda pixels: pixels, window=4)
    first = next(stream)
    assert first.item == 0 and len(opened) <= 5
    rest = [first, *stream]
    assert [each.item for each in rest] == list(range(40))
    for each in rest:
        assert (each.vector is None) == (each.fault is not None) == (each.item % 7 == 3)
    assert (rest[20].vector == encoder.encode_images([rest[20].decoded])[0]).all()


def test_an_error_that_is_no_fault_of_a_picture_ends_the_work(encoder):
    def decode(number):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(encode_ahead(encoder, range(9), decode=decode, pixels_of=lambda pixels: pixels))


def _torch_file(main, storages):
    """A file of PyTorch's old form: `main` is the third pickle's bytes."""
    head = b"".join(pickle.dumps(part, protocol=2) for part in (0x1950A86A20F9469CFC6C, 1001, {}))
    body = b"".join(
        struct.pack("<q", len(values)) + np.asarray(values, "<f4").tobytes() for values in storages.values()
    )
    return head + main + pickle.dumps(list(storages), protocol=2) + body


def _reference(key, count, shape, strides, offset=0):
    """Instructions that rebuild one tensor from storage `key`, as torch writes them."""
    text = f"(S'storage'\nctorch\nFloatStorage\nS'{key}'\nS'cpu'\nI{count}\nNtQ"
    numbers = f"I{offset}\n({''.join(f'I{n}' + chr(10) for n in shape)}t({''.join(f'I{n}' + chr(10) for n in strides)}t"
    return f"ctorch._utils\n_rebuild_tensor_v2\n({text}{numbers}I00\nNtR".encode()


def test_tensors_are_read_with_their_shape_strides_and_offset():
    main = (
        b"\x80\x02}(S'a'\n" + _reference("1", 6, (2, 3), (1, 2)) + b"S'b'\n" + _reference("1", 6, (2,), (1,), 4) + b"u."
    )
    found = read_torch_weights(_torch_file(main, {"1": [0, 1, 2, 3, 4, 5]}))
    assert found["a"].tolist() == [[0, 2, 4], [1, 3, 5]] and found["b"].tolist() == [4, 5]


@pytest.mark.parametrize(
    "main, message",
    [
        (b"cos\nsystem\n(S'true'\ntR.", "not allowed"),
        (b"cbuiltins\neval\n(S'1'\ntR.", "not allowed"),
        (b"\x80\x02}S'a'\n" + _reference("1", 6, (2, 9), (1, 2)) + b"s.", "outside"),
        (b"\x80\x02}S'a'\n" + _reference("1", 6, (2,), (1,), -3) + b"s.", "outside"),
        (b"\x80\x02}S'a'\n" + _reference("1", 60, (2,), (1,)) + b"s.", "cut short"),
        (b"garbage", "no pickle"),
    ],
    ids=["system", "eval", "too far", "before", "too long", "garbage"],
)
def test_a_hostile_file_of_weights_runs_nothing_and_reads_nothing_else(main, message):
    with pytest.raises(CheckFailedError, match=message):
        read_torch_weights(_torch_file(main, {"1": [0, 1, 2, 3, 4, 5]}))
