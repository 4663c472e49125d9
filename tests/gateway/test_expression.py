"""Filters as text: what is decided here, what is refused, and that a value never becomes syntax."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvuslab.gateway.expression import render_filter, render_ids
from milvuslab.model.collection import CollectionSpec, DataType, FieldSpec
from milvuslab.model.errors import FilterError, NotFoundError
from milvuslab.model.filter import where

SPEC = CollectionSpec(
    name="docs",
    fields=(
        FieldSpec(name="id", data_type=DataType.INT64, is_primary=True),
        FieldSpec(name="vector", data_type=DataType.FLOAT_VECTOR, dim=2),
        FieldSpec(name="title", data_type=DataType.VARCHAR, max_length_bytes=100),
        FieldSpec(name="tiny", data_type=DataType.INT8),
        FieldSpec(name="flag", data_type=DataType.BOOL),
        FieldSpec(name="single", data_type=DataType.FLOAT),
        FieldSpec(name="double", data_type=DataType.DOUBLE),
        FieldSpec(name="meta", data_type=DataType.JSON),
        FieldSpec(name="tags", data_type=DataType.ARRAY, element_type=DataType.INT32, max_capacity=9),
    ),
)
STRING = re.compile(r'"(?:[^"\\\n\r]|\\["\\nrt])*"')


def render(condition):
    return render_filter(condition, SPEC)


@given(st.text())
def test_a_string_stays_one_literal(text):
    rendered = render(where("title") == text)
    literal = rendered.removeprefix("(title == ").removesuffix(")")
    assert STRING.fullmatch(literal)
    plain = {"n": "\n", "r": "\r", "t": "\t"}
    assert re.sub(r"\\(.)", lambda found: plain.get(found[1], found[1]), literal[1:-1]) == text


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_many_strings_stay_as_many_literals(texts):
    rendered = render(where("title").is_in(texts))
    assert len(STRING.findall(rendered)) == len(set(texts))
    assert STRING.sub("", rendered).strip("(tile n[],)") == ""


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (where("id") == 5, "(id == 5)"),
        (where("id") == 5.0, "(id == 5)"),
        (where("id") != 5, "(not (id == 5))"),
        (where("id") == -(2**63), "(id < -9223372036854775807)"),
        (where("id") <= -(2**63), "(id < -9223372036854775807)"),
        (where("id") > -(2**63), "(id >= -9223372036854775807)"),
        (where("id") >= -(2**63), True),
        (where("id") < -(2**63), False),
        (where("id").is_in([3, 1, 3]), "(id in [3,1])"),
        (where("id").is_in([]), False),
        (where("id").is_in([-(2**63), 1]), "((id in [1]) or (id < -9223372036854775807))"),
        (~where("id").is_in([]), True),
        (where("tiny") == 300, False),
        (where("tiny") != 300, True),
        (where("tiny") < 300, True),
        (where("tiny") > 300, False),
        (where("tiny") >= -300, True),
        (where("tiny").is_in([300, 5]), "(tiny in [5])"),
        (where("flag") == True, "(flag == true)"),  # noqa: E712
        (where("single") == 0.1, "(single == 0.10000000149011612)"),
        (where("single") < 1e39, True),
        (where("double") == 1, "(double == 1.0)"),
        (where("double") == -0.0, "(double == 0.0)"),
        (where("title").starts_with("ab"), '(title >= "ab" and title < "ac")'),
        (where("title").starts_with("a\U0010ffff"), '(title >= "a\U0010ffff" and title < "b")'),
        (where("title").starts_with("\U0010ffff"), '(title >= "\U0010ffff")'),
        (where("title").starts_with("\ud7ff"), '(title >= "\ud7ff" and title < "\ue000")'),
        (where("meta")["a"]["b"] == 'x"', '(meta["a"]["b"] == "x\\"")'),
        (where("meta")["l"][0] == 1, '(meta["l"][0] == 1)'),
        (where("meta")["l"].contains(-1), 'json_contains(meta["l"], (-1))'),
        (where("tags").contains(3), "array_contains(tags, 3)"),
        (where("tags").contains(2**40), False),
        (where("tags")[1] == 3, "(tags[1] == 3)"),
        ((where("id") == 1) & where("id").is_in([]), False),
        ((where("id") == 1) | where("id").is_in([]), "(id == 1)"),
        ((where("id") == 1) & (where("id") == 2) & (where("id") == 3), "((id == 1) and (id == 2) and (id == 3))"),
    ],
)
def test_rendering(condition, text):
    assert render(condition) == text


@pytest.mark.parametrize(
    ("condition", "error"),
    [
        (where("titel") == "x", NotFoundError),
        (where("titel").is_in([]), NotFoundError),
        (where("title") == 1, FilterError),
        (where("title").is_in(["a", 1]), FilterError),
        (where("id") == "1", FilterError),
        (where("id") == 1.5, FilterError),
        (where("id") == True, FilterError),  # noqa: E712
        (where("flag") == 1, FilterError),
        (where("flag") > False, FilterError),
        (where("double") == "1", FilterError),
        (where("double") == 2**53 + 1, FilterError),
        (where("vector") == 1, FilterError),
        (where("meta") == "x", FilterError),
        (where("meta")["a"] < True, FilterError),
        (where("meta")["a"] == -(2**63), FilterError),
        (where("meta")[""] == 1, FilterError),
        (where("meta")[-1] == 1, FilterError),
        (where("meta")["nul\0"] == 1, FilterError),
        (where("meta")["\ud800"] == 1, FilterError),
        (where("tags") == 1, FilterError),
        (where("tags")["a"] == 1, FilterError),
        (where("tags").contains("a"), FilterError),
        (where("title").contains("a"), FilterError),
        (where("title")["a"] == "x", FilterError),
        (where("id").starts_with("1"), FilterError),
        # Decided parts do not hide a wrong one beside them.
        (where("id").is_in([]) & (where("titel") == "x"), NotFoundError),
    ],
)
def test_what_does_not_fit_is_refused(condition, error):
    with pytest.raises(error):
        render(condition)


def test_a_mistyped_name_gets_a_suggestion():
    with pytest.raises(NotFoundError) as caught:
        render(where("titel") == "x")
    assert caught.value.hint == "did you mean title?"


def test_dynamic_fields_are_looked_up_in_their_place():
    spec = CollectionSpec(name="docs", fields=SPEC.fields, has_dynamic_field=True)
    assert render_filter(where('co"lor') == "red", spec) == '($meta["co\\"lor"] == "red")'


def test_nesting_has_a_bound_but_chains_do_not():
    condition = where("id") == 0
    for number in range(2_000):
        condition = condition | (where("id") == number)
    assert render(condition).count(" or ") == 2_000
    deep = where("id") == 0
    for _ in range(70):
        deep = ~deep
    with pytest.raises(FilterError, match="deeper"):
        render(deep)


def test_keys():
    assert render_ids(SPEC, [3, 4]) == "(id in [3,4])"
    assert render_ids(SPEC, []) is False
