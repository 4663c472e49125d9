"""Unpacking: limits, damage and names that want out of their folder."""

import io
import struct
import zipfile

import pytest

from milvuslab.fetch import extract_members, read_member, safe_path
from milvuslab.model.errors import CheckFailedError, LimitError, NotFoundError


def make_zip(path, members, *, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.fixture
def archive(tmp_path):
    return make_zip(tmp_path / "sample.zip", {"a/one.txt": b"one", "a/two.txt": b"two", "three.bin": bytes(1000)})


def test_one_member_is_read(archive):
    assert read_member(archive, "a/one.txt") == b"one"


def test_named_members_are_unpacked_under_their_names(archive, tmp_path):
    out_dir = tmp_path / "out"
    written = extract_members(archive, ["three.bin", "a/two.txt"], out_dir)
    assert written == [out_dir / "three.bin", out_dir / "a" / "two.txt"]
    assert written[1].read_bytes() == b"two"
    assert sorted(path.name for path in out_dir.rglob("*")) == ["a", "three.bin", "two.txt"]


def test_unpacking_again_replaces(archive, tmp_path):
    (target,) = extract_members(archive, ["a/one.txt"], tmp_path / "out")
    target.write_bytes(b"old")
    extract_members(archive, ["a/one.txt"], tmp_path / "out")
    assert target.read_bytes() == b"one"


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_every_compression_is_read(tmp_path, compression):
    archive = make_zip(tmp_path / "a.zip", {"x": b"x" * 10_000}, compression=compression)
    assert read_member(archive, "x") == b"x" * 10_000


def test_a_missing_member_is_named(archive, tmp_path):
    with pytest.raises(NotFoundError, match=r"sample.zip holds no gone.txt"):
        read_member(archive, "gone.txt")
    with pytest.raises(NotFoundError, match=r"gone.txt"):
        extract_members(archive, ["gone.txt"], tmp_path / "out")


def test_a_folder_is_no_member(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"folder/": b""})
    with pytest.raises(NotFoundError, match="as a folder"):
        extract_members(archive, ["folder/"], tmp_path / "out")


def test_a_missing_archive_is_named(tmp_path):
    with pytest.raises(NotFoundError, match=r"gone.zip"):
        read_member(tmp_path / "gone.zip", "x")


@pytest.mark.parametrize("name", ["../out.txt", "/etc/out.txt", "a/../../out.txt", "a/../../../out.txt"])
def test_names_that_leave_the_folder_are_refused(tmp_path, name):
    archive = make_zip(tmp_path / "evil.zip", {name: b"evil"})
    out_dir = tmp_path / "deep" / "out"
    with pytest.raises(CheckFailedError, match="leaves its folder"):
        extract_members(archive, [name], out_dir)
    assert [path.name for path in tmp_path.rglob("*.txt")] == []


def test_a_link_out_of_the_folder_is_not_followed(tmp_path):
    outside, out_dir = tmp_path / "outside", tmp_path / "out"
    outside.mkdir()
    out_dir.mkdir()
    (out_dir / "link").symlink_to(outside)
    with pytest.raises(CheckFailedError):
        safe_path(out_dir, "link/file.txt")


@pytest.mark.parametrize("name", ["a.txt", "a/b.txt", "./a.txt", "a/../b.txt", "..a/b..c"])
def test_names_that_stay_are_taken(tmp_path, name):
    assert safe_path(tmp_path, name).is_relative_to(tmp_path.resolve())


def test_a_bomb_is_refused_before_it_unpacks(tmp_path):
    bomb = make_zip(tmp_path / "bomb.zip", {"zeros": bytes(5_000_000)})
    assert bomb.stat().st_size < 10_000
    with pytest.raises(LimitError, match=r"5,000,000 bytes, more than the 1,000,000"):
        read_member(bomb, "zeros", limit_bytes=1_000_000)
    with pytest.raises(LimitError):
        extract_members(bomb, ["zeros"], tmp_path / "out", limit_bytes=1_000_000)
    assert not (tmp_path / "out" / "zeros").exists()


def test_the_limit_counts_all_members_together(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"one": bytes(600), "two": bytes(600)})
    with pytest.raises(LimitError):
        extract_members(archive, ["one", "two"], tmp_path / "out", limit_bytes=1_000)


def test_a_bomb_that_lies_about_its_size_stops_at_the_stated_size(tmp_path):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(5_000_000))
    lying = bytearray(content.getvalue())
    # The uncompressed size stands at offset 24 of the entry in the central directory.
    entry = lying.index(b"PK\x01\x02")
    assert struct.unpack_from("<I", lying, entry + 24) == (5_000_000,)
    struct.pack_into("<I", lying, entry + 24, 100)
    path = tmp_path / "liar.zip"
    path.write_bytes(lying)
    with pytest.raises(CheckFailedError):
        extract_members(path, ["zeros"], tmp_path / "out", limit_bytes=1_000)
    assert [item for item in (tmp_path / "out").rglob("*") if item.is_file()] == []


def test_a_flipped_byte_is_found_and_nothing_is_left(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"x": b"content that is stored"}, compression=zipfile.ZIP_STORED)
    damaged = bytearray(archive.read_bytes())
    damaged[damaged.index(b"stored")] ^= 1
    archive.write_bytes(damaged)
    with pytest.raises(CheckFailedError, match="damaged"):
        read_member(archive, "x")
    with pytest.raises(CheckFailedError, match="damaged"):
        extract_members(archive, ["x"], tmp_path / "out")
    assert [item for item in (tmp_path / "out").rglob("*") if item.is_file()] == []


@pytest.mark.parametrize("kept_bytes", [0, 10, 150])
def test_a_truncated_archive_is_found(archive, kept_bytes):
    archive.write_bytes(archive.read_bytes()[:kept_bytes])
    with pytest.raises(CheckFailedError) as caught:
        read_member(archive, "a/one.txt")
    assert str(archive) in caught.value.hint
