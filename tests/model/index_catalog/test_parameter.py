"""A parameter takes what it should and says what it takes."""

import pytest

from milvuslab.model.errors import UsageError
from milvuslab.model.index_catalog import Parameter

NPROBE = Parameter(name="nprobe", kind="int", meaning="clusters searched", low=1, high_from="nlist")
EF = Parameter(name="ef", kind="int", meaning="candidates", low=1, low_from="limit")
PARTS = Parameter(name="m", kind="int", meaning="parts", low=1, divides="dim")
RATIO = Parameter(name="ratio", kind="float", meaning="share", low=0, high=1)
RAW = Parameter(name="with_raw_data", kind="bool", meaning="keep vectors")
WORD = Parameter(name="sq_type", kind="word", meaning="quantizer", choices=("SQ6", "SQ8"))


@pytest.mark.parametrize(
    ("parameter", "given", "taken"),
    [
        (NPROBE, 8, 8),
        (NPROBE, "8", 8),
        (NPROBE, 8.0, 8),
        (RATIO, 0, 0.0),
        (RAW, "True", True),
        (RAW, False, False),
        (WORD, "sq8", "SQ8"),
    ],
)
def test_a_value_comes_back_in_its_own_type(parameter, given, taken):
    found = parameter.check(given, known={})
    assert (found, type(found)) == (taken, type(taken))


@pytest.mark.parametrize(
    ("parameter", "given"),
    [
        (NPROBE, 0),
        (NPROBE, 8.5),
        (NPROBE, "many"),
        (NPROBE, True),
        (NPROBE, None),
        (RATIO, 1.5),
        (RAW, 1),
        (WORD, "SQ7"),
    ],
)
def test_a_wrong_value_is_refused_with_what_is_allowed(parameter, given):
    with pytest.raises(UsageError) as caught:
        parameter.check(given, known={})
    assert parameter.name in caught.value.message
    assert caught.value.hint


def test_bounds_by_other_values_count_where_those_are_known():
    assert NPROBE.check(65, known={}) == 65
    with pytest.raises(UsageError, match="nprobe is 65") as caught:
        NPROBE.check(65, known={"nlist": 64})
    assert caught.value.hint == "give 1 to nlist (nlist is 64)"
    with pytest.raises(UsageError, match="ef is 9"):
        EF.check(9, known={"limit": 10})


def test_a_divisor_is_told_with_those_that_fit():
    assert PARTS.check(4, known={"dim": 12}) == 4
    with pytest.raises(UsageError) as caught:
        PARTS.check(5, known={"dim": 12})
    assert caught.value.hint == "give one of 1, 2, 3, 4, 6, 12"


@pytest.mark.parametrize(
    ("parameter", "allowed"),
    [
        (NPROBE, "1 to nlist"),
        (EF, "limit to any"),
        (PARTS, "1 to any, divides dim"),
        (RAW, "true or false"),
        (WORD, "SQ6, SQ8"),
    ],
)
def test_what_is_allowed_is_said(parameter, allowed):
    assert parameter.allowed == allowed
