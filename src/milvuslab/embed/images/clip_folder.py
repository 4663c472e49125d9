"""A pair of ONNX towers, for pictures and for texts, in the form in which Hugging Face models of CLIP are exported.

`clip:FOLDER` holds `preprocessor_config.json` (or ours), `tokenizer.json`, `onnx/vision_model.onnx` with the output
`image_embeds` and `onnx/text_model.onnx` with `text_embeds`; options name other files and outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from milvuslab.embed.encoder import Fingerprint, FloatMatrix
from milvuslab.embed.images.encoder import Pixels
from milvuslab.embed.images.onnx_encoder import OnnxImageEncoder, unit_length
from milvuslab.embed.images.onnx_folder import checksums_of, choose_output, make_folder_encoder, read_image_folder
from milvuslab.embed.onnx_encoder import open_session
from milvuslab.embed.text_tokenizer import TextTokenizer, open_tokenizer
from milvuslab.fetch import sha256_of
from milvuslab.model.errors import ConfigError, NotFoundError, UnsupportedError

__all__ = ["ClipEncoder", "open_clip_folder"]

_LIMIT_TOKENS = 77
"""Longest text of every CLIP that OpenAI and LAION published; also where a folder's tokenizer sets no limit."""


class ClipEncoder:
    """See `ImageTextEncoder`."""

    def __init__(self, *, images: OnnxImageEncoder, session: Any, tokenizer: TextTokenizer, output: str) -> None:
        self._images = images
        self._session = session
        self._tokenizer = tokenizer
        self._output = output
        self._inputs = {each.name for each in session.get_inputs()}

    @property
    def fingerprint(self) -> Fingerprint:
        """Name, dimension and checksum of both towers."""
        return self._images.fingerprint

    @property
    def thread_count(self) -> int:
        """Pictures that are computed at the same time."""
        return self._images.thread_count

    def encode_images(self, pictures: Sequence[Pixels]) -> FloatMatrix:
        """Vectors of pictures."""
        return self._images.encode_images(pictures)

    def encode_texts(self, texts: Sequence[str]) -> FloatMatrix:
        """Vectors of descriptions; what is longer than 77 tokens is cut at its end."""
        vectors = np.empty((len(texts), self.fingerprint.dim), dtype=np.float32)
        for place, token_ids in enumerate(self._tokenizer.encode(texts, prefix="")):
            ids = np.array([token_ids or [0]], dtype=np.int64)
            feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
            kept = {name: value for name, value in feeds.items() if name in self._inputs}
            vectors[place] = unit_length(np.asarray(self._session.run([self._output], kept)[0], dtype=np.float32)[0])
        return vectors


def open_clip_folder(address: str, *, thread_count: int) -> ClipEncoder:
    """The pair of towers in a folder.

    Raises:
        NotFoundError: the folder, a tower or the tokenizer is not there.
        ConfigError: an option is wrong, or the towers give vectors of different widths.
        UnsupportedError: a tower takes other inputs than pictures or tokens.
    """
    folder = read_image_folder(address)
    tokenizer_path = folder.path / "tokenizer.json"
    if not tokenizer_path.is_file():
        raise NotFoundError(f"{folder.path} has no tokenizer.json", hint="name the folder of a CLIP with both towers")
    vision_path = folder.find_file("file", ("onnx/vision_model.onnx", "vision_model.onnx"))
    text_path = folder.find_file("text_file", ("onnx/text_model.onnx", "text_model.onnx"))
    text_session = open_session(text_path)
    _check_text_inputs(text_session, text_path)
    output, pooling, dim = choose_output(
        text_session,
        text_path,
        {name: value for name, value in folder.options.items() if name == "text_output"},
        option="text_output",
        usual=("text_embeds",),
    )
    images = make_folder_encoder(
        folder,
        open_session(vision_path),
        vision_path,
        kind="clip",
        thread_count=thread_count,
        further=[*checksums_of(text_path), sha256_of(tokenizer_path), output],
    )
    if pooling != "none" or dim != images.fingerprint.dim:
        raise ConfigError(
            f"the towers of {folder.path} do not fit: pictures have {images.fingerprint.dim} numbers, texts {dim}",
            hint="name the projected outputs: ?output=image_embeds&text_output=text_embeds",
        )
    tokenizer = open_tokenizer(tokenizer_path, limit_tokens=_LIMIT_TOKENS)
    return ClipEncoder(images=images, session=text_session, tokenizer=tokenizer, output=output)


def _check_text_inputs(session: Any, path: Path) -> None:
    names = {each.name for each in session.get_inputs()}
    if not {"input_ids"} <= names <= {"input_ids", "attention_mask"}:
        raise UnsupportedError(
            f"model {path.name}", needs="the input input_ids", has=f"the inputs {', '.join(sorted(names))}"
        )
