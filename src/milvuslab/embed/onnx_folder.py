"""Any Hugging Face folder with a `tokenizer.json` and an ONNX model as a text encoder.

`FOLDER?pooling=mean&query_prefix=...` names the folder and its options. What the options leave out is read from the
files that sentence-transformers writes beside a model; nothing is guessed: a folder that does not say how its tokens
are pooled needs the option.

| option | else from |
|---|---|
| `pooling` = mean, cls or none | `1_Pooling/config.json` |
| `limit_tokens` | `sentence_bert_config.json`, `tokenizer_config.json`, else 512 |
| `query_prefix`, `passage_prefix` | `prompts` in `config_sentence_transformers.json`, else none |
| `file` | the first of `onnx/model.onnx`, `model.onnx`, or the only `.onnx` file |
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl

from milvuslab.embed.encoder import Fingerprint
from milvuslab.embed.onnx_encoder import OnnxEncoder, Pooling, Recipe, open_session
from milvuslab.embed.text_tokenizer import open_tokenizer
from milvuslab.fetch import safe_path, sha256_of
from milvuslab.model.errors import ConfigError, NotFoundError, UnsupportedError, suggest

__all__ = ["open_onnx_folder"]

_POOLINGS = ("mean", "cls", "none")
_OPTIONS = ("file", "limit_tokens", "passage_prefix", "pooling", "query_prefix")
_LIMIT_TOKENS = 512


def open_onnx_folder(address: str, *, thread_count: int) -> OnnxEncoder:
    """The encoder in a folder.

    Args:
        address: the folder, with options behind a `?`, written as in a URL.

    Raises:
        NotFoundError: the folder, its tokenizer or its model is not there.
        ConfigError: an option is unknown or wrong, or the folder does not say how to pool.
        UnsupportedError: the model wants inputs that a text encoder does not have.
    """
    path, _, query = address.partition("?")
    options = _parse_options(query)
    folder = Path(path).expanduser()
    tokenizer_path = folder / "tokenizer.json"
    if not tokenizer_path.is_file():
        raise NotFoundError(f"{folder} has no tokenizer.json", hint="name the folder of a Hugging Face model with ONNX")
    model_path = _find_model(folder, options.get("file"))
    recipe = _read_recipe(folder, options)
    session = open_session(model_path)
    _check_inputs(session, model_path)
    shape = session.get_outputs()[0].shape
    if not isinstance(shape[-1], int):
        raise UnsupportedError(
            f"model {model_path.name}", needs="an output of a fixed width", has=f"an output of the shape {shape}"
        )
    if (recipe.pooling == "none") != (len(shape) == 2):
        needed = "none" if len(shape) == 2 else "mean or cls"
        raise ConfigError(
            f"the output of {model_path.name} has {len(shape)} dimensions and pooling is {recipe.pooling}",
            hint=f"add ?pooling={needed}",
        )
    parts = [sha256_of(model_path), *_data_checksums(model_path), sha256_of(tokenizer_path), recipe.describe()]
    fingerprint = Fingerprint(
        name=f"onnx:{folder.resolve().name}",
        dim=shape[-1],
        is_normalized=True,
        sha256=hashlib.sha256("\n".join(parts).encode()).hexdigest(),
    )
    tokenizer = open_tokenizer(tokenizer_path, limit_tokens=recipe.limit_tokens)
    return OnnxEncoder(
        session=session, tokenizer=tokenizer, recipe=recipe, fingerprint=fingerprint, thread_count=thread_count
    )


def _parse_options(query: str) -> dict[str, str]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    for name in options:
        if name not in _OPTIONS:
            raise ConfigError(f"an ONNX folder has no option {name!r}", hint=suggest(name, _OPTIONS))
    return options


def _find_model(folder: Path, chosen: str | None) -> Path:
    usual = [folder / "onnx/model.onnx", folder / "model.onnx"]
    candidates = [safe_path(folder, chosen)] if chosen else usual
    for path in candidates:
        if path.is_file():
            return path
    others = sorted({*folder.glob("*.onnx"), *folder.glob("onnx/*.onnx")})
    if len(others) == 1 and not chosen:
        return others[0]
    names = ", ".join(str(path.relative_to(folder)) for path in others)
    wanted = chosen or "onnx/model.onnx"
    raise NotFoundError(f"{folder} has no {wanted}", hint=f"choose one: ?file=NAME, there are {names}" if names else "")


def _read_recipe(folder: Path, options: Mapping[str, str]) -> Recipe:
    prompts = _read_json(folder / "config_sentence_transformers.json").get("prompts") or {}
    passage_prompt = prompts.get("passage", prompts.get("document", ""))
    return Recipe(
        pooling=_read_pooling(folder, options),
        limit_tokens=_read_limit(folder, options),
        query_prefix=options.get("query_prefix", prompts.get("query", "")),
        passage_prefix=options.get("passage_prefix", passage_prompt),
    )


def _read_pooling(folder: Path, options: Mapping[str, str]) -> Pooling:
    stored = _read_json(folder / "1_Pooling/config.json")
    modes = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls"}
    found = [word for key, word in modes.items() if stored.get(key)]
    chosen = options.get("pooling") or (found[0] if len(found) == 1 else "")
    if chosen not in _POOLINGS:
        said = f"pooling is {chosen!r}" if chosen else f"{folder} does not say how its tokens are pooled"
        raise ConfigError(said, hint="add ?pooling=mean, ?pooling=cls or ?pooling=none; the model's page says which")
    return cast(Pooling, chosen)


def _read_limit(folder: Path, options: Mapping[str, str]) -> int:
    stored = _read_json(folder / "sentence_bert_config.json").get("max_seq_length")
    longest = _read_json(folder / "tokenizer_config.json").get("model_max_length")
    # A tokenizer without a limit writes a number of 31 digits.
    fallback = longest if isinstance(longest, int) and 3 < longest <= 1 << 17 else _LIMIT_TOKENS
    raw = options.get("limit_tokens", stored or fallback)
    try:
        limit = int(raw)
    except (TypeError, ValueError):
        limit = 0
    if not 3 < limit <= 1 << 17:
        raise ConfigError(f"limit_tokens is {raw!r}", hint="write a number such as ?limit_tokens=512")
    return limit


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ConfigError(f"{path} is no JSON: {error}") from error
    return content if isinstance(content, dict) else {}


def _data_checksums(model_path: Path) -> list[str]:
    # Models above 2 GB keep their weights in a file beside them, by convention of the exporters.
    return [sha256_of(path) for path in sorted(model_path.parent.glob(f"{model_path.name}[._]data*"))]


def _check_inputs(session: Any, model_path: Path) -> None:
    known = {"input_ids", "attention_mask", "token_type_ids"}
    names = {each.name for each in session.get_inputs()}
    if not {"input_ids", "attention_mask"} <= names <= known:
        raise UnsupportedError(
            f"model {model_path.name}",
            needs="the inputs input_ids and attention_mask",
            has=f"the inputs {', '.join(sorted(names))}",
            hint="export it for the task feature-extraction",
        )
