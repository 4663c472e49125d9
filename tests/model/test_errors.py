"""The tree of errors is the tree that is drawn, and every class says what a door needs to know."""

import inspect
import json
import re

import pytest

from milvuslab.model import errors
from milvuslab.model.errors import (
    CheckFailedError,
    FilterError,
    MilvusLabError,
    NotFoundError,
    PartialError,
    RateLimitedError,
    ServerError,
    UnsupportedError,
    UsageError,
    missing_extra,
    suggest,
)

CLASSES = [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, Exception)]


def drawn_parents() -> dict[str, str]:
    """Each class of the drawing with the class it hangs from, read from the indentation."""
    parents, path = {}, ["MilvusLabError"]
    for line in (errors.__doc__ or "").splitlines():
        if branch := re.match(r"^    ((?:│   |    )*)[├└]── (\w+)", line):
            depth = len(branch[1]) // 4 + 1
            path[depth:] = [branch[2]]
            parents[branch[2]] = path[depth - 1]
    return parents


def test_the_drawing_is_the_tree():
    assert drawn_parents() == {kind.__name__: kind.__base__.__name__ for kind in CLASSES if kind is not MilvusLabError}


def test_the_drawing_marks_what_is_retryable():
    marked = {name for name in drawn_parents() if re.search(rf"{name} .*; retryable", errors.__doc__)}
    assert marked == {kind.__name__ for kind in CLASSES if kind.retryable} == {"UnreachableError", "RateLimitedError"}


@pytest.mark.parametrize(
    "base, exit_code", [(UsageError, 2), (ServerError, 3), (PartialError, 4), (CheckFailedError, 1)]
)
def test_a_branch_has_one_exit_code(base, exit_code):
    assert {kind.exit_code for kind in CLASSES if issubclass(kind, base)} == {exit_code}


def test_http_statuses_tell_the_caller_from_the_server():
    for kind in CLASSES:
        if kind not in (UnsupportedError, RateLimitedError):
            assert kind.http_status // 100 == (4 if issubclass(kind, UsageError) else 5), kind


def test_codes_are_the_names_in_snake_case():
    codes = {kind.__name__: kind.code.fget(kind.__new__(kind)) for kind in CLASSES}
    assert codes["NotFoundError"] == "not_found"
    assert codes["TimedOutError"] == "timed_out"
    assert len(set(codes.values())) == len(codes)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in codes.values())


def test_as_dict_is_one_shape_and_json():
    error = NotFoundError("there is no collection books", hint="milvuslab collection list", context={"name": "books"})
    assert str(error) == "there is no collection books"
    assert json.loads(json.dumps(error.as_dict())) == {
        "code": "not_found",
        "message": "there is no collection books",
        "hint": "milvuslab collection list",
        "context": {"name": "books"},
    }


def test_context_is_a_copy():
    context = {"name": "books"}
    error = MilvusLabError("x", context=context)
    context["name"] = "changed"
    assert error.context == {"name": "books"}


def test_special_errors_keep_their_values():
    assert UnsupportedError("index:ANNOY", needs="Milvus 2.2.16", has="Milvus 2.3.5").message == (
        "index:ANNOY is not supported here: it needs Milvus 2.2.16, there is Milvus 2.3.5"
    )
    partial = PartialError("3 of 5", done_count=3, failed_ids=[4, 5], resume_token="row 3")
    assert partial.context == {"done_count": 3, "failed_ids": [4, 5], "resume_token": "row 3"}
    assert FilterError("bad", source="a ==", column=4).context == {"source": "a ==", "column": 4}
    assert CheckFailedError("2 differ", findings=["a", "b"]).findings == ("a", "b")


def test_missing_extra_names_the_command_that_installs_it():
    error = missing_extra("kiwipiepy", "korean")
    assert error.code == "unsupported"
    assert "kiwipiepy" in error.message
    assert error.hint == "pip install 'milvuslab[korean]'"


@pytest.mark.parametrize(
    "wrong, valid, hint",
    [
        ("standalon", ["lite", "standalone"], "did you mean standalone?"),
        ("qqq", ["standalone", "lite"], "valid: lite, standalone"),
        ("qqq", [], "there is none yet"),
    ],
)
def test_suggestions(wrong, valid, hint):
    assert suggest(wrong, valid) == hint
