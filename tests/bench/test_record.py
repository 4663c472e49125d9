"""Records: on disk and back, and answers that are kept until they are parsed."""

import dataclasses
import json

import numpy as np
import pytest

from milvuslab.bench.answers import Answers
from milvuslab.bench.record import CODES, Record, code_number, id_numbers, read_record, tables_of, write_record
from milvuslab.model import errors
from milvuslab.model.errors import ConfigError, MilvusLabError
from milvuslab.model.metric import Metric
from milvuslab.model.search import Hits

RECORD = Record(
    kind="open",
    intended_ns=np.array([0, 10, 20]),
    sent_ns=np.array([1, 10, 25]),
    done_ns=np.array([5, 30, 26]),
    query_row=np.array([0, 2, 4]),
    code=np.array([0, 2, 0], dtype=np.int16),
    batch_rows=2,
    ids=np.array([[1, 2], [3, -1], [-1, -1], [-1, -1], [5, 6], [7, 8]]),
    distances=np.array([[0.5, 1], [2, np.inf], [np.inf] * 2, [np.inf] * 2, [0, 0], [1, 1]], dtype=np.float32),
    errors={"timed_out": "search books: no answer"},
    client_cpu_s=0.25,
    parse_cpu_s=0.125,
    wall_s=2.0,
    warm_up_count=10,
    in_flight_max=2,
)


def test_a_record_comes_back_as_it_was(tmp_path):
    write_record(RECORD, tmp_path / "run")
    found = read_record(tmp_path / "run")
    for field in dataclasses.fields(Record):
        before, after = getattr(RECORD, field.name), getattr(found, field.name)
        if isinstance(before, np.ndarray):
            assert after.dtype == before.dtype and after.tolist() == before.tolist(), field.name
        else:
            assert after == before, field.name


def test_a_record_that_was_not_written_to_the_end_is_none(tmp_path):
    write_record(RECORD, tmp_path)
    (tmp_path / "record.json").unlink()
    with pytest.raises(FileNotFoundError):
        read_record(tmp_path)


def test_a_damaged_record_is_refused(tmp_path):
    write_record(RECORD, tmp_path)
    whole = (tmp_path / "columns.npz").read_bytes()
    (tmp_path / "columns.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ConfigError, match="damaged"):
        read_record(tmp_path)


def test_a_record_of_a_later_format_is_refused(tmp_path):
    write_record(RECORD, tmp_path)
    values = json.loads((tmp_path / "record.json").read_text())
    (tmp_path / "record.json").write_text(json.dumps({**values, "format": 99}))
    with pytest.raises(ConfigError, match="format 99"):
        read_record(tmp_path)


def test_counts_and_rows_of_a_record():
    assert RECORD.error_counts == {"timed_out": 1}
    assert RECORD.is_answered.tolist() == [True, False, True]
    assert RECORD.query_of_row.tolist() == [0, 1, 2, 3, 4, 5]


def test_every_error_of_ours_has_a_number():
    classes = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, MilvusLabError)]
    unused = {"StartError", "CheckFailedError", "MediaError"}  # nothing that a request ends with
    codes = {one("x", **extra(one)).code for one in classes if one.__name__ not in unused and not needs_more(one)}
    assert codes <= set(CODES) and len(set(CODES)) == len(CODES)
    assert CODES[code_number("timed_out")] == "timed_out" and CODES[code_number("of tomorrow")] == "milvus_lab"


def needs_more(one):
    return one.__name__ == "UnsupportedError"


def extra(one):
    return {"done_count": 0} if one.__name__ == "PartialError" else {}


def test_text_keys_become_numbers():
    keys = np.array(["a", "b", "a"], dtype=object)
    first, second, third = id_numbers(keys)
    assert first == third != second and min(first, second) >= 0
    assert id_numbers(np.array([3, -4])).tolist() == [3, -4]


def test_short_answers_are_padded_and_scores_become_distances():
    hits = Hits(
        ids=np.array([4, 2, 9]),
        scores=np.array([0.75, 0.5, 1.0], dtype=np.float32),
        offsets=np.array([0, 2, 2, 3]),
        metric=Metric.COSINE,
    )
    ids, distances = tables_of(hits, k=2)
    assert ids.tolist() == [[4, 2], [-1, -1], [9, -1]]
    assert distances.tolist() == [[0.25, 0.5], [np.inf, np.inf], [0, np.inf]]


@pytest.mark.parametrize(("memory_bytes", "spilled_count"), [(10**6, 0), (0, 300), (40, 296)])
def test_answers_come_back_in_order_wherever_they_lay(memory_bytes, spilled_count):
    answers = Answers(memory_bytes=memory_bytes)
    kept = [(row, b"answer%03d" % row if row else b"0000000000") for row in range(300)]
    for row, answer in kept:
        answers.append(row, answer[:10])
    assert len(answers) == 300 and answers.spilled_count == pytest.approx(spilled_count, abs=1)
    assert list(answers.drain()) == [(row, answer[:10]) for row, answer in kept]
