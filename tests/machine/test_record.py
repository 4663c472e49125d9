import multiprocessing
import stat

import pytest

from milvuslab.machine.record import read_record, write_record, write_text
from milvuslab.model.errors import ConfigError


def test_what_was_written_is_read(tmp_path):
    write_record(tmp_path / "a.json", {"name": "여름", "ports": {"proxy": 1}}, version=1)
    assert read_record(tmp_path / "a.json", version=1) == {"name": "여름", "ports": {"proxy": 1}}


def test_its_folder_is_made(tmp_path):
    write_record(tmp_path / "a" / "b" / "c.json", {"n": 1}, version=1)
    assert read_record(tmp_path / "a" / "b" / "c.json", version=1) == {"n": 1}


def test_only_the_owner_can_read_it(tmp_path):
    write_text(tmp_path / "token", "secret")
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600


def test_an_older_format_is_read(tmp_path):
    write_record(tmp_path / "a.json", {"name": "x"}, version=1)
    assert read_record(tmp_path / "a.json", version=2) == {"name": "x"}


def test_a_newer_format_is_refused_with_the_path(tmp_path):
    write_record(tmp_path / "a.json", {}, version=3)
    with pytest.raises(ConfigError, match=r"a\.json has format 3, this milvuslab knows up to 2"):
        read_record(tmp_path / "a.json", version=2)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": "1"}', "null"])
def test_what_is_no_record_is_refused_with_the_path(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ConfigError, match=r"a\.json"):
        read_record(tmp_path / "a.json", version=1)


def test_a_record_that_is_not_there_says_so(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_record(tmp_path / "a.json", version=1)


def write_often(path):
    number = 0
    while True:
        number += 1
        write_record(path, {"number": number, "filling": "x" * 10_000}, version=1)


def test_a_writer_that_is_killed_leaves_a_whole_record(tmp_path):
    path = tmp_path / "a.json"
    context = multiprocessing.get_context("spawn")
    for _ in range(3):
        writer = context.Process(target=write_often, args=(path,))
        writer.start()
        while writer.is_alive() and not path.exists():
            writer.join(0.01)
        writer.join(0.05)
        writer.kill()
        writer.join()
        assert len(read_record(path, version=1)["filling"]) == 10_000


def test_a_write_that_fails_leaves_the_old_content_and_no_other_file(tmp_path):
    write_record(tmp_path / "a.json", {"name": "old"}, version=1)
    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "a.json", "\ud800")
    assert read_record(tmp_path / "a.json", version=1) == {"name": "old"}
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
