"""Small files are the old one or the new one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from milvuslab.journal.durable import read_json, write_json
from milvuslab.model.errors import ConfigError


def test_what_is_written_is_read_back_with_parents_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.json"
    write_json(path, {"이름": "값", "n": 1}, format_name="x", version=2)
    assert read_json(path, format_name="x", version=2) == {"이름": "값", "n": 1}
    assert [child.name for child in path.parent.iterdir()] == ["b.json"]


def test_a_file_that_is_not_there_is_none(tmp_path: Path) -> None:
    assert read_json(tmp_path / "none.json", format_name="x", version=1) is None


def test_a_secret_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    write_json(path, {}, format_name="x", version=1, mode=0o600)
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "damaged"),
        ("\xff", "damaged"),
        ('{"format": "y", "version": 1}', "no x file"),
        ("[]", "no x file"),
        ('{"format": "x", "version": 9}', "version 9"),
        ('{"format": "x"}', "version None"),
    ],
)
def test_a_foreign_or_damaged_file_is_named(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "f.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=reason) as caught:
        read_json(path, format_name="x", version=1)
    assert str(path) in caught.value.message
    assert caught.value.hint


def test_content_that_is_no_json_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    write_json(path, {"n": 1}, format_name="x", version=1)
    with pytest.raises(TypeError):
        write_json(path, {"n": object()}, format_name="x", version=1)
    assert read_json(path, format_name="x", version=1) == {"n": 1}
    assert [child.name for child in tmp_path.iterdir()] == ["f.json"]


def test_a_writer_killed_at_any_moment_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    write_json(path, {"n": -1, "pad": "x" * 10_000}, format_name="x", version=1)
    code = (
        "import sys; from pathlib import Path; from milvuslab.journal.durable import write_json\n"
        "n = 0\nwhile True:\n write_json(Path(sys.argv[1]), {'n': n, 'pad': 'x' * 10000}, format_name='x', version=1)\n n += 1"
    )
    for _ in range(3):
        writer = subprocess.Popen([sys.executable, "-c", code, str(path)])
        deadline_s = time.monotonic() + 20
        while json.loads(path.read_text())["n"] < 20 and time.monotonic() < deadline_s:
            pass
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        content = read_json(path, format_name="x", version=1)
        assert content is not None and content["n"] >= 20 and len(content["pad"]) == 10_000
        write_json(path, {"n": -1, "pad": "x" * 10_000}, format_name="x", version=1)
