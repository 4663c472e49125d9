"""Progress says how far, and nothing where that is unknown."""

import pytest

from milvuslab.model.progress import Progress, silent


@pytest.mark.parametrize(
    "done_count, total_count, ratio", [(0, 10, 0.0), (5, 10, 0.5), (10, 10, 1.0), (12, 10, 1.0), (5, None, None), (0, 0, None)]
)  # fmt: skip
def test_the_ratio_lies_between_nothing_and_all(done_count, total_count, ratio):
    assert Progress(step="load", done_count=done_count, total_count=total_count).done_ratio == ratio


def test_a_negative_count_is_a_bug():
    with pytest.raises(AssertionError, match="-1"):
        Progress(step="load", done_count=-1)


def test_nobody_has_to_look():
    assert silent(Progress(step="load")) is None
