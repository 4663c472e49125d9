"""Filters are values that check what goes into them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvuslab.model.errors import FilterError
from milvuslab.model.filter import AllOf, AnyOf, Comparison, Contains, FieldRef, Membership, Not, Prefix, where


@pytest.mark.parametrize(
    "made, operator",
    [
        (where("year") == 2020, "=="),
        (where("year") != 2020, "!="),
        (where("year") < 2020, "<"),
        (where("year") <= 2020, "<="),
        (where("year") > 2020, ">"),
        (where("year") >= 2020, ">="),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_comparisons(made, operator):
    assert isinstance(made, Comparison)
    assert (made.field.name, made.operator, made.value) == ("year", operator, 2020)


def test_combinations():
    ko, new = where("language") == "ko", where("year") > 2020
    assert isinstance(ko & new, AllOf) and (ko & new).parts == (ko, new)
    assert isinstance(ko | new, AnyOf) and (ko | new).parts == (ko, new)
    assert isinstance(~ko, Not) and (~ko).part is ko


def test_the_other_conditions():
    members = where("tag").is_in(["news", "help"])
    assert isinstance(members, Membership) and members.values == ("news", "help")
    prefix, holds = where("title").starts_with("100%_"), where("tags").contains("python")
    assert isinstance(prefix, Prefix) and prefix.prefix == "100%_"
    assert isinstance(holds, Contains) and holds.value == "python"
    assert where("tag").is_in([]).values == ()


def test_paths_into_json():
    field = where("meta")["author"][0]["name"]
    assert (field.name, field.path) == ("meta", ("author", 0, "name"))
    assert isinstance(field, FieldRef)
    for key in (1.5, None, True, ("a",)):
        with pytest.raises(FilterError, match="names and positions"):
            where("meta")[key]


def test_a_filter_has_no_truth_value():
    with pytest.raises(TypeError, match=r"& \| ~"):
        bool(where("a") == 1)
    with pytest.raises(TypeError):
        1 < where("a") < 5  # noqa: B015
    with pytest.raises(TypeError):
        (where("a") == 1) and (where("b") == 2)


@pytest.mark.parametrize(
    "value", [None, b"x", [1], {"a": 1}, float("nan"), float("inf"), 2**63, -(2**63) - 1, object(), "half \ud800"]
)
def test_values_no_server_can_compare_are_refused(value):
    for make in (lambda: where("a") == value, lambda: where("a").is_in([value]), lambda: where("a").contains(value)):
        with pytest.raises(FilterError):
            make()


@pytest.mark.parametrize(
    "value, plain",
    [
        (np.int64(5), 5),
        (np.uint8(5), 5),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("한국"), "한국"),
        (2**63 - 1, 2**63 - 1),
        (-(2**63), -(2**63)),
        (True, True),
    ],
    ids=repr,
)
def test_numbers_of_numpy_become_plain_ones(value, plain):
    made = where("a") == value
    assert made.value == plain and type(made.value) is type(plain)


def test_ids_of_a_search_can_be_members():
    assert where("id").is_in(np.array([3, 1, 2])).values == (3, 1, 2)


def test_members_are_a_list_with_a_limit():
    with pytest.raises(FilterError, match="not one string"):
        where("tag").is_in("news")
    with pytest.raises(FilterError, match="16,385 values"):
        where("tag").is_in(range(16_385))
    assert len(where("tag").is_in(range(16_384)).values) == 16_384


@pytest.mark.parametrize("prefix", ["", None, 5, "\udc00"])
def test_prefixes_are_text(prefix):
    with pytest.raises(FilterError):
        where("title").starts_with(prefix)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_is_kept_as_it_is(text):
    assert (where("a") == text).value == text


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63 - 1) | st.booleans())
def test_any_number_is_kept_as_it_is(number):
    made = where("a") == number
    assert made.value == number and type(made.value) is type(number)
