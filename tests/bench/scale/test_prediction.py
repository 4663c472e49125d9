import dataclasses

import pytest

from milvuslab.bench.scale.case import ScaleCase
from milvuslab.bench.scale.prediction import check_fits, predict
from milvuslab.model.errors import LimitError

PREDICTION = predict(ScaleCase(row_count=10_000_000))


def fits(prediction=PREDICTION, **changed):
    free = {"disk_free_bytes": prediction.disk_peak_bytes, "memory_free_bytes": prediction.memory_bytes}
    check_fits(prediction, **{**free, **changed})


def test_more_rows_take_more_of_everything():
    larger = predict(ScaleCase(row_count=30_000_000))
    for field in dataclasses.fields(PREDICTION):
        assert getattr(larger, field.name) >= getattr(PREDICTION, field.name), field.name
    assert larger.total_s > 2 * PREDICTION.total_s


def test_the_peak_holds_one_staged_part_more():
    case = ScaleCase(row_count=10_000_000)
    assert PREDICTION.disk_peak_bytes - PREDICTION.disk_bytes == case.part_rows * (4 * 128 + 8)


def test_what_just_fits_is_let_through():
    fits()


@pytest.mark.parametrize("what", ["disk", "memory"])
def test_one_byte_less_is_refused_with_the_numbers(what):
    needed = PREDICTION.disk_peak_bytes if what == "disk" else PREDICTION.memory_bytes
    with pytest.raises(LimitError, match=f"the {what} is too small") as raised:
        fits(**{f"{what}_free_bytes": needed - 1})
    assert raised.value.context[f"{what}_needed_bytes"] == needed
    assert f"{needed / 1e9:.1f} GB" in raised.value.message


def test_what_an_interrupted_run_has_on_disk_counts_as_there():
    fits(disk_free_bytes=10, disk_used_bytes=PREDICTION.disk_peak_bytes - 10)
