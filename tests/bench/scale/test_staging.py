import numpy as np
import pytest

from milvuslab.bench.scale.case import ScaleCase
from milvuslab.bench.scale.staging import Staging
from milvuslab.data.truth import find_truth
from milvuslab.data.vectors.clustered import make_clustered
from milvuslab.model.metric import Metric

CASE = ScaleCase(row_count=9_001, dim=16, part_limit_rows=3_100, query_count=50, core_count=1)
VECTORS = make_clustered(row_count=9_001, dim=16, query_count=50)


@pytest.fixture
def staging(tmp_path):
    return Staging(tmp_path / "staged", CASE, VECTORS)


def staged_rows(staging, part):
    ids, vectors = (np.load(path) for path in staging.files(part))
    return ids, vectors


def expected_truth():
    return find_truth(VECTORS, metric=Metric.L2, k=10, cache_dir=None)


def test_the_files_hold_every_row_with_its_number(staging):
    for part in range(CASE.part_count):
        assert staging.stage(part)
        ids, vectors = staged_rows(staging, part)
        start, stop = CASE.bounds(part)
        np.testing.assert_array_equal(ids, np.arange(start, stop))
        np.testing.assert_array_equal(vectors, VECTORS.read_rows(start, stop))
        assert vectors.dtype == np.float32 and vectors.flags.c_contiguous


def test_the_answers_gathered_meanwhile_are_those_of_exact_search(staging):
    for part in range(CASE.part_count):
        staging.stage(part)
        staging.discard(part)
    np.testing.assert_array_equal(staging.answers().ids, expected_truth().ids)


def test_another_process_goes_on_where_a_part_was_cut_short(staging, tmp_path):
    def break_off(progress):
        if progress.step.startswith("generate part 2"):
            raise KeyboardInterrupt

    staging.stage(0)
    staging.discard(0)
    with pytest.raises(KeyboardInterrupt):
        staging.stage(1, break_off)
    again = Staging(tmp_path / "staged", CASE, VECTORS)
    assert all(again.stage(part) for part in range(1, CASE.part_count))
    np.testing.assert_array_equal(again.answers().ids, expected_truth().ids)
    np.testing.assert_array_equal(staged_rows(again, 1)[1], VECTORS.read_rows(*CASE.bounds(1)))


def test_a_part_that_is_whole_is_not_made_again(staging, tmp_path):
    staging.stage(0)
    assert not Staging(tmp_path / "staged", CASE, VECTORS).stage(0)


def test_at_most_one_part_lies_on_the_disk_and_nothing_at_the_end(staging, tmp_path):
    for part in range(CASE.part_count):
        staging.stage(part)
        assert len(list((tmp_path / "staged").glob("part-*"))) == 1
        staging.discard(part)
    assert [path.suffix for path in (tmp_path / "staged").iterdir()] == [".npz"]
    staging.clear()
    assert not (tmp_path / "staged").exists()
