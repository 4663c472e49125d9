"""Folders as Hugging Face and sentence-transformers write them, made of the real models."""

import json

import numpy as np
import pytest

from milvuslab.embed import ENCODERS, open_encoder, prepare_model
from milvuslab.model.errors import CheckFailedError, ConfigError, NotFoundError, UnsupportedError
from tests.embed.samples import ENGLISH, KOREAN


@pytest.fixture
def folder(settings, tmp_path):
    """MiniLM as a folder that says everything about itself."""
    stored = prepare_model(ENCODERS["minilm"], settings=settings).path
    (tmp_path / "onnx").mkdir()
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "onnx" / "model.onnx").symlink_to(stored / "model.onnx")
    (tmp_path / "tokenizer.json").symlink_to(stored / "tokenizer.json")
    write(tmp_path / "1_Pooling" / "config.json", {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False})
    write(tmp_path / "sentence_bert_config.json", {"max_seq_length": 256})
    return tmp_path


def write(path, content):
    path.write_text(json.dumps(content))


def open_folder(folder, settings, options=""):
    return open_encoder(f"onnx:{folder}{options}", settings=settings)


def test_a_folder_gives_the_vectors_of_its_model(folder, settings, minilm):
    encoder = open_folder(folder, settings)
    assert np.array_equal(encoder.encode_passages(ENGLISH), minilm.encode_passages(ENGLISH))
    assert encoder.limit_tokens == 256
    assert encoder.fingerprint.name == f"onnx:{folder.name}" and encoder.fingerprint.dim == 384


def test_the_first_token_can_be_the_vector(folder, settings, minilm):
    encoder = open_folder(folder, settings, "?pooling=cls")
    assert encoder.fingerprint.sha256 != open_folder(folder, settings).fingerprint.sha256
    agreement = (encoder.encode_passages(ENGLISH) * minilm.encode_passages(ENGLISH)).sum(axis=1)
    assert agreement.max() < 0.99


def test_a_model_that_pools_itself_and_has_prompts(settings, tmp_path, e5):
    stored = prepare_model(ENCODERS["e5-small"], settings=settings).path
    for name in ("model.onnx", "tokenizer.json"):
        (tmp_path / name).symlink_to(stored / name)
    prompts = {"query": "query: ", "passage": "passage: "}
    write(tmp_path / "config_sentence_transformers.json", {"prompts": prompts})
    encoder = open_folder(tmp_path, settings, "?pooling=none")
    assert np.array_equal(encoder.encode_passages(KOREAN), e5.encode_passages(KOREAN))
    assert np.array_equal(encoder.encode_queries(KOREAN), e5.encode_queries(KOREAN))


def test_options_win_over_files(folder, settings, minilm):
    encoder = open_folder(folder, settings, "?limit_tokens=8&query_prefix=the%20question%3A%20")
    assert encoder.limit_tokens == 8
    asked = minilm.encode_queries(["the question: why"])
    assert encoder.encode_queries(["why"]) == pytest.approx(asked, abs=1e-6)


def test_a_folder_that_does_not_say_how_to_pool_is_asked(folder, settings):
    (folder / "1_Pooling" / "config.json").unlink()
    with pytest.raises(ConfigError) as caught:
        open_folder(folder, settings)
    assert "?pooling=mean" in caught.value.hint
    assert open_folder(folder, settings, "?pooling=mean").fingerprint.dim == 384


@pytest.mark.parametrize(
    ("options", "error", "word"),
    [
        ("?poolin=mean", ConfigError, "did you mean pooling?"),
        ("?pooling=max", ConfigError, "pooling=mean"),
        ("?pooling=none", ConfigError, "mean or cls"),
        ("?limit_tokens=many", ConfigError, "limit_tokens=512"),
        ("?limit_tokens=0", ConfigError, "limit_tokens=512"),
        ("?file=onnx/other.onnx", NotFoundError, "onnx/model.onnx"),
        ("?file=../../etc/passwd", CheckFailedError, ""),
    ],
)
def test_wrong_options_are_named(folder, settings, options, error, word):
    with pytest.raises(error) as caught:
        open_folder(folder, settings, options)
    assert word in caught.value.hint


@pytest.mark.parametrize(("removed", "word"), [("tokenizer.json", "tokenizer.json"), ("onnx/model.onnx", "model.onnx")])
def test_what_is_missing_is_named(folder, settings, removed, word):
    (folder / removed).unlink()
    with pytest.raises(NotFoundError, match=word):
        open_folder(folder, settings)


def test_a_folder_that_is_not_there(settings, tmp_path):
    with pytest.raises(NotFoundError, match="nowhere"):
        open_folder(tmp_path / "nowhere", settings)


def test_a_file_that_is_no_model_is_named(folder, settings):
    (folder / "onnx" / "model.onnx").unlink()
    (folder / "onnx" / "model.onnx").write_bytes(b"no model")
    with pytest.raises(CheckFailedError, match=r"model\.onnx cannot be run"):
        open_folder(folder, settings)


def test_a_model_with_other_inputs_is_refused(folder, settings, tmp_path):
    from milvuslab.embed.onnx_writer import Graph

    graph = Graph("pictures")
    graph.add_input("pixel_values", dtype="float32", shape=("batch", 4))
    graph.add_output("out", dtype="float32", shape=("batch", 4))
    graph.add_node("Identity", ["pixel_values"], "out")
    (folder / "onnx" / "model.onnx").unlink()
    with (folder / "onnx" / "model.onnx").open("wb") as file:
        graph.write(file)
    with pytest.raises(UnsupportedError, match="pixel_values"):
        open_folder(folder, settings, "?pooling=none")
