"""A file that outlives its writer: every word said before the death is there, and a half-said one is recognised."""

import signal
import subprocess
import sys
import threading
import zlib

import pytest

from milvuslab.journal.ledger import Entry, Ledger, read_ledger
from milvuslab.model.errors import ConfigError, ConflictError, NotFoundError

WRITER = """
import sys
from pathlib import Path
from milvuslab.journal.ledger import Entry, Ledger
ledger = Ledger(Path(sys.argv[1]))
for key in range(1_000_000):
    number = ledger.invoke("insert", [Entry(key, 1, "d%d" % key)])
    ledger.ok(number)
    print(number, flush=True)
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger"


def write_some(path):
    with Ledger(path) as ledger:
        ledger.ok(ledger.invoke("insert", [Entry(1, 1, "a"), Entry("문서", 1, "b")]))
        ledger.fail(ledger.invoke("upsert", [Entry(1, 2, "c")]), "refused")
        ledger.unknown(ledger.invoke("delete", [Entry(1, 3)]), "no answer")
        ledger.invoke("insert", [Entry(2, 1, "d")])


def outcomes(history):
    return [(operation.number, operation.action, operation.outcome) for operation in history.operations]


def test_what_was_said_is_read(path):
    write_some(path)
    history = read_ledger(path)
    assert outcomes(history) == [
        (1, "insert", "ok"),
        (2, "upsert", "fail"),
        (3, "delete", "unknown"),
        (4, "insert", "unknown"),
    ]
    assert history.operations[0].entries == (Entry(1, 1, "a"), Entry("문서", 1, "b"))
    assert history.operations[1].reason == "refused"
    assert history.operations[3].ended is None and not history.is_torn


def test_a_second_writer_goes_on_with_new_numbers(path):
    write_some(path)
    with Ledger(path) as ledger:
        assert ledger.invoke("upsert", [Entry(1, 4, "e")]) == 5
    assert [number for number, _, _ in outcomes(read_ledger(path))] == [1, 2, 3, 4, 5]


def test_cut_anywhere_only_the_last_line_is_missing(path):
    write_some(path)
    content = path.read_bytes()
    whole = outcomes(read_ledger(path))
    ends = [0, *(index + 1 for index, letter in enumerate(content) if letter == ord("\n"))]
    for length in range(len(content)):
        path.write_bytes(content[:length])
        history = read_ledger(path)
        assert history.is_torn == (length not in ends)
        assert history.whole_bytes == max(end for end in ends if end <= length)
        assert [one[:2] for one in outcomes(history)] == [one[:2] for one in whole[: len(history.operations)]]


def test_writing_on_after_a_torn_line_cuts_it_off(path):
    write_some(path)
    content = path.read_bytes()
    for length in (5, len(content) - 3):
        path.write_bytes(content[:length])
        with Ledger(path) as ledger:
            ledger.ok(ledger.invoke("insert", [Entry(9, 1, "z")]))
        history = read_ledger(path)
        assert not history.is_torn and history.operations[-1].outcome == "ok"
        assert history.operations[-1].entries == (Entry(9, 1, "z"),)


def test_a_flipped_bit_in_the_middle_is_damage(path):
    write_some(path)
    content = bytearray(path.read_bytes())
    content[60] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ConfigError, match="damaged at line 2"):
        read_ledger(path)
    with pytest.raises(ConfigError, match="damaged at line 2"):
        Ledger(path)


def test_everything_said_before_a_kill_is_there(path):
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    seen = [int(writer.stdout.readline()) for _ in range(500)]
    writer.send_signal(signal.SIGKILL)
    seen += [int(line) for line in writer.stdout.read().splitlines() if line]
    writer.wait(10)
    writer.stdout.close()
    ended = {operation.number for operation in read_ledger(path).operations if operation.outcome == "ok"}
    assert set(seen) <= ended and len(ended) - len(seen) <= 1
    with Ledger(path) as ledger:
        assert ledger.invoke("insert", [Entry("next", 1, "n")]) >= max(seen) + 1


def test_threads_write_side_by_side(path):
    with Ledger(path) as ledger:

        def write(first):
            for key in range(first, first + 200):
                ledger.ok(ledger.invoke("insert", [Entry(key, 1, str(key))]))

        threads = [threading.Thread(target=write, args=(first,)) for first in (0, 1000, 2000, 3000)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    history = read_ledger(path)
    assert len(history.operations) == 800 and {one.outcome for one in history.operations} == {"ok"}
    assert sorted(one.number for one in history.operations) == list(range(1, 801))


def test_two_writers_at_once_are_refused(path):
    with Ledger(path), pytest.raises(ConflictError, match="writing"):
        Ledger(path)


def test_lines_may_be_forced_to_the_disk(path):
    with Ledger(path, is_synced=True) as ledger:
        ledger.ok(ledger.invoke("insert", [Entry(1, 1, "a")]))
    assert len(read_ledger(path).operations) == 1


def test_an_outcome_is_told_once(path):
    with Ledger(path) as ledger:
        number = ledger.invoke("insert", [Entry(1, 1, "a")])
        ledger.ok(number)
        with pytest.raises(AssertionError, match="not under way"):
            ledger.fail(number)


def test_what_is_no_ledger_is_refused(tmp_path, path):
    with pytest.raises(NotFoundError):
        read_ledger(path)
    path.write_bytes(b"some text\nand more\n")
    with pytest.raises(ConfigError, match="damaged at line 1"):
        read_ledger(path)


def test_a_newer_format_is_refused(path):
    path.write_bytes(b'%08x {"format":2}\n' % zlib.crc32(b'{"format":2}'))
    with pytest.raises(ConfigError, match="has format 2"):
        read_ledger(path)
