import os

import pytest

from milvuslab.model.errors import StartError
from milvuslab.runtime.disk import check_free_space, measure_folder


def test_a_disk_with_room_passes_and_the_folder_is_made(tmp_path):
    check_free_space(tmp_path / "a" / "b", needed_bytes=1_000, purpose="a test")
    assert (tmp_path / "a" / "b").is_dir()


def test_a_full_disk_is_named_with_both_sizes(small_disk):
    with pytest.raises(StartError, match=r"is full: \d+ MB free, a test takes 500 MB"):
        check_free_space(small_disk, needed_bytes=500_000_000, purpose="a test")


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match="file/below cannot be made for a test: Not a directory"):
        check_free_space(tmp_path / "file" / "below", needed_bytes=1, purpose="a test")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StartError, match="cannot be written"):
        check_free_space(tmp_path, needed_bytes=1, purpose="a test")


def test_the_size_of_a_folder_counts_what_is_on_disk(tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "a").write_bytes(os.urandom(100_000))
    (tmp_path / "b").symlink_to("/usr/bin")
    with (tmp_path / "hole").open("wb") as file:
        file.truncate(50_000_000)
    assert 100_000 <= measure_folder(tmp_path) < 200_000
    assert measure_folder(tmp_path / "none") == 0
