"""A folder with an ONNX image model and a declaration of how pictures are prepared for it.

The declaration is Hugging Face's `preprocessor_config.json`, or ours, `image_model.json`:

    {"side_px": 224, "resize_px": 256, "fit": "crop", "resample": "bicubic", "mean": [124, 116, 104], "std": [58, 57, 57],
     "layout": "nchw", "output": "last_hidden_state", "pooling": "cls", "file": "model.onnx"}

`mean` and `std` are in units of 0 to 255. `FOLDER?output=NAME&pooling=cls&file=NAME` says or overrides the last three.
Nothing is guessed: a model of several outputs, or one vector per patch, needs to be told which.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl

from milvuslab.embed.encoder import Fingerprint
from milvuslab.embed.images.onnx_encoder import OnnxImageEncoder, Pooling
from milvuslab.embed.images.preparation import Preparation
from milvuslab.embed.onnx_encoder import open_session
from milvuslab.fetch import safe_path, sha256_of
from milvuslab.model.errors import ConfigError, NotFoundError, UnsupportedError, suggest

__all__ = [
    "ImageFolder",
    "checksums_of",
    "choose_output",
    "make_folder_encoder",
    "open_image_folder",
    "read_image_folder",
]

_OPTIONS = ("file", "output", "pooling", "text_file", "text_output")
_POOLINGS = ("cls", "mean", "none")
_RESAMPLES = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}
_OWN, _HUGGING_FACE = "image_model.json", "preprocessor_config.json"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ImageFolder:
    """What a folder declares.

    Attributes:
        options: file, output, pooling and the like, from the address, else from our declaration.
    """

    path: Path
    preparation: Preparation
    options: Mapping[str, str]

    def find_file(self, option: str, usual: Sequence[str]) -> Path:
        """The model's file: the one that is named, else the first usual one, else the only one.

        Raises:
            NotFoundError: there is none, or there are several.
        """
        named = self.options.get(option)
        candidates = [safe_path(self.path, named)] if named else [self.path / name for name in usual]
        for path in candidates:
            if path.is_file():
                return path
        others = sorted({*self.path.glob("*.onnx"), *self.path.glob("onnx/*.onnx")})
        if len(others) == 1 and not named:
            return others[0]
        names = ", ".join(str(path.relative_to(self.path)) for path in others)
        raise NotFoundError(
            f"{self.path} has no {named or usual[0]}", hint=f"say ?{option}=NAME, there are {names}" if names else ""
        )


def open_image_folder(address: str, *, thread_count: int) -> OnnxImageEncoder:
    """The encoder in a folder.

    Raises:
        NotFoundError: the folder or its model is not there.
        ConfigError: it declares no preparation, or an option is unknown, missing or wrong.
        UnsupportedError: the model does not take pictures of three channels.
        CheckFailedError: the file cannot be run as a model.
    """
    folder = read_image_folder(address)
    model_path = folder.find_file("file", ("onnx/model.onnx", "model.onnx"))
    session = open_session(model_path)
    return make_folder_encoder(folder, session, model_path, kind="onnx", thread_count=thread_count)


def make_folder_encoder(
    folder: ImageFolder, session: Any, model_path: Path, *, kind: str, thread_count: int, further: Sequence[str] = ()
) -> OnnxImageEncoder:
    """The encoder of a model in a folder; `further` are checksums of what else makes its vectors what they are."""
    _check_input(session, model_path, folder.preparation)
    output, pooling, dim = choose_output(session, model_path, folder.options)
    parts = [*checksums_of(model_path), output, pooling, folder.preparation.describe(), *further]
    fingerprint = Fingerprint(
        name=f"{kind}:{folder.path.resolve().name}",
        dim=dim,
        is_normalized=True,
        sha256=hashlib.sha256("\n".join(parts).encode()).hexdigest(),
    )
    return OnnxImageEncoder(
        session=session,
        preparation=folder.preparation,
        output=output,
        pooling=pooling,
        fingerprint=fingerprint,
        thread_count=thread_count,
    )


def read_image_folder(address: str) -> ImageFolder:
    """What `FOLDER?OPTIONS` declares; opens no model.

    Raises:
        NotFoundError: there is no such folder.
        ConfigError: it declares no preparation, or one that cannot be.
    """
    path, _, query = address.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    for name in options:
        if name not in _OPTIONS:
            raise ConfigError(f"an image model's folder has no option {name!r}", hint=suggest(name, _OPTIONS))
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise NotFoundError(f"there is no folder {folder}", hint="name the folder of an ONNX image model")
    own, theirs = _read_json(folder / _OWN), _read_json(folder / _HUGGING_FACE)
    if not own and not theirs:
        raise ConfigError(
            f"{folder} does not declare how pictures are prepared",
            hint=f"keep {_HUGGING_FACE} beside the model, or write {_OWN} (docs/reference/image-encoders.md)",
        )
    try:
        preparation = _read_own(own) if own else _read_hugging_face(theirs)
    except (AssertionError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"{_OWN if own else _HUGGING_FACE} of {folder} cannot be used: {error}",
            hint="compare it with docs/reference/image-encoders.md",
        ) from None
    declared = {name: str(own[name]) for name in _OPTIONS if name in own}
    return ImageFolder(path=folder, preparation=preparation, options={**declared, **options})


def choose_output(
    session: Any, model_path: Path, options: Mapping[str, str], *, option: str = "output", usual: Sequence[str] = ()
) -> tuple[str, Pooling, int]:
    """Name, pooling and width of the output that holds the features.

    Raises:
        ConfigError: it is not clear which output or which pooling, or they do not go together.
        UnsupportedError: the output has no fixed width.
    """
    outputs = {each.name: each.shape for each in session.get_outputs()}
    preferred = [name for name in ("image_embeds", *usual) if name in outputs]
    name = options.get(option) or (preferred[0] if preferred else next(iter(outputs)) if len(outputs) == 1 else "")
    if name not in outputs:
        said = f"there is no output {name!r}" if name else "it has several outputs"
        raise ConfigError(f"{model_path.name}: {said}", hint=f"say ?{option}=NAME, there are {', '.join(outputs)}")
    shape = outputs[name]
    pooling = options.get("pooling") or ("none" if len(shape) == 2 else "mean" if len(shape) == 4 else "")
    if pooling not in _POOLINGS or (pooling == "none") != (len(shape) == 2) or (pooling == "cls" and len(shape) == 4):
        allowed = {2: "none", 3: "cls or mean", 4: "mean"}.get(len(shape), "an output of 2 to 4 axes")
        raise ConfigError(
            f"the output {name} of {model_path.name} has {len(shape)} axes and pooling is {pooling or 'not said'}",
            hint=f"say ?pooling=..., for this output {allowed}",
        )
    dim = shape[1] if len(shape) == 4 else shape[-1]
    if not isinstance(dim, int):
        raise UnsupportedError(f"model {model_path.name}", needs="an output of a fixed width", has=f"the shape {shape}")
    return name, cast(Pooling, pooling), dim


def checksums_of(model_path: Path) -> list[str]:
    """SHA-256 of a model and of the files of weights beside it."""
    beside = sorted(model_path.parent.glob(f"{model_path.name}[._]data*"))
    return [sha256_of(path) for path in (model_path, *beside)]


def _check_input(session: Any, model_path: Path, preparation: Preparation) -> None:
    inputs = session.get_inputs()
    shape = inputs[0].shape
    channel = 1 if preparation.layout == "nchw" else 3
    if len(inputs) != 1 or len(shape) != 4 or (shape[channel] not in (3, None) and not isinstance(shape[channel], str)):
        raise UnsupportedError(
            f"model {model_path.name}",
            needs=f"one input of pictures with three channels ({preparation.layout})",
            has=", ".join(f"{each.name} {each.shape}" for each in inputs),
        )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ConfigError(f"{path} is no JSON: {error}") from None
    return content if isinstance(content, dict) else {}


def _read_own(declared: Mapping[str, Any]) -> Preparation:
    names = {field.name for field in dataclasses.fields(Preparation)}
    if unknown := sorted(set(declared) - names - set(_OPTIONS)):
        raise ValueError(f"{unknown[0]} is not known: {suggest(unknown[0], names)}")
    values = {name: value for name, value in declared.items() if name in names}
    for name in ("mean", "std"):
        if name in values:
            values[name] = _three(values[name], 1.0)
    values.setdefault("resize_px", values["side_px"])
    return Preparation(**values)


def _read_hugging_face(declared: Mapping[str, Any]) -> Preparation:
    """See the image processors of transformers: size, crop, rescale and normalise, each with its switch."""
    size = declared.get("size", 224)
    crop = declared.get("crop_size", size)
    is_cropped = bool(declared.get("do_center_crop", "crop_size" in declared))
    scale = float(declared.get("rescale_factor", 1 / 255)) if declared.get("do_rescale", True) else 1.0
    is_normalized = bool(declared.get("do_normalize", True))
    mean = _three(declared["image_mean"], 1 / scale) if is_normalized else (0.0, 0.0, 0.0)
    std = _three(declared["image_std"] if is_normalized else 1.0, 1 / scale)
    side_px = _side(crop if is_cropped else size)
    return Preparation(
        side_px=side_px,
        resize_px=max(_side(size), side_px) if is_cropped else side_px,
        fit="crop" if is_cropped else "stretch",
        resample=_RESAMPLES[int(declared.get("resample", 2))],
        mean=mean,
        std=std,
    )


def _side(size: Any) -> int:
    if isinstance(size, Mapping):
        if "shortest_edge" in size:
            return int(size["shortest_edge"])
        if size["height"] != size["width"]:
            raise ValueError(f"pictures of {size['height']} x {size['width']}: only squares are prepared here")
        return int(size["height"])
    return int(size)


def _three(value: Any, factor: float) -> tuple[float, float, float]:
    first, second, third = value if isinstance(value, Sequence) else (value, value, value)
    return float(first) * factor, float(second) * factor, float(third) * factor
