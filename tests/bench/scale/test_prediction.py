import dataclasses
import json

import pytest

from benchmarks.manifest import RESULTS_DIR
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


def test_the_peak_is_the_last_staged_part_or_the_indexes_that_come_after_it():
    assert PREDICTION.disk_peak_bytes == PREDICTION.disk_bytes, "the indexes of ten million are larger than a part"
    one_part = predict(ScaleCase(row_count=2_000_000, core_count=1, index_type="IVF_SQ8"))
    assert one_part.disk_peak_bytes > one_part.disk_bytes


def test_memory_and_disk_are_those_of_the_run_that_they_come_from():
    said = predict(ScaleCase(row_count=1_000_000))
    measured = {
        "server_memory_bytes": 1.5e9,
        "loaded_memory_bytes": 869e6,
        "disk_bytes": 1.2e9,
        "client_memory_bytes": 274e6,
    }
    for name, value in measured.items():
        assert getattr(said, name) == pytest.approx(value, rel=0.15), name


@pytest.mark.parametrize("path", sorted(RESULTS_DIR.glob("scale-[1-9]*.json")), ids=lambda path: path.stem)
def test_the_kept_runs_are_predicted(path):
    kept = json.loads(path.read_text("utf-8"))
    said = predict(
        ScaleCase(row_count=kept["case"]["row_count"], dim=kept["case"]["dim"], index_type=kept["case"]["index_type"])
    )
    for name in ("total_s", "server_memory_bytes", "loaded_memory_bytes", "disk_bytes", "client_memory_bytes"):
        assert getattr(said, name) == pytest.approx(kept["metrics"][name], rel=0.15), name


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
