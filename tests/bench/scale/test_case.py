import itertools

import pytest

from milvuslab.bench.scale.case import PART_BYTES_MAX, ScaleCase
from milvuslab.model.errors import UsageError


@pytest.mark.parametrize("row_count", [2_048, 5_000, 20_001, 1_000_000, 10_000_000, 123_456_789])
@pytest.mark.parametrize("core_count", [1, 2, 5])
def test_parts_cover_every_row_once_and_none_is_too_small_or_too_large(row_count, core_count):
    case = ScaleCase(row_count=row_count, core_count=core_count)
    bounds = [case.bounds(part) for part in range(case.part_count)]
    assert bounds[0][0] == 0 and bounds[-1][1] == row_count
    assert all(before[1] == after[0] for before, after in itertools.pairwise(bounds))
    sizes = [stop - start for start, stop in bounds]
    assert max(sizes) == case.part_rows and max(sizes) - min(sizes) <= 1
    assert min(sizes) >= 2_048 and max(sizes) * (128 * 4 + 24) <= PART_BYTES_MAX


def test_ten_million_are_four_segments_on_two_cores():
    case = ScaleCase(row_count=10_000_000)
    assert (case.part_count, case.part_rows, case.list_count) == (4, 2_500_000, 1_024)


def test_parts_may_be_made_smaller():
    assert ScaleCase(row_count=40_000, part_limit_rows=10_000).part_count == 4


def test_cases_of_other_rows_have_other_names():
    cases = [
        ScaleCase(row_count=20_000),
        ScaleCase(row_count=20_000, seed=8),
        ScaleCase(row_count=20_000, dim=64),
        ScaleCase(row_count=20_000, part_limit_rows=5_000),
    ]
    assert len({case.name for case in cases}) == 4
    assert ScaleCase(row_count=20_000, rate_per_s=9).name == cases[0].name


@pytest.mark.parametrize(
    "values",
    [{"row_count": 2_047}, {"row_count": 9_000, "dim": 1}, {"row_count": 9_000, "part_limit_rows": 100},
     {"row_count": 9_000, "recall_target": 1.5}],
    ids=["rows", "dim", "parts", "recall"],
)  # fmt: skip
def test_what_cannot_be_is_refused(values):
    with pytest.raises(UsageError):
        ScaleCase(**values)
