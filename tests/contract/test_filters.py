"""Filters on real servers against the slow and obvious way, with values that would like to be syntax."""

import secrets

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from milvuslab.model.collection import Consistency, DataType, FieldSpec
from milvuslab.model.errors import FilterError
from milvuslab.model.filter import where
from tests.contract.conftest import FLAT, KEY, PREFIX, VECTOR, drop_all, make_filled, vectors
from tests.contract.naive_filter import matches

HOSTILE = (
    "", " ", "plain", '"', "'", "\\", '\\"', "a\\", '" or 1==1 or "', '") or (id >= 0', "'; drop", "line\nbreak",
    "carriage\rreturn", "tab\tstop", "nul\x00byte", "bell\x07", "\x1f", "\x7f", "\x85", "100%", "_", "%", "a%b_c",
    "100\\%", "한국어", "가", "é", "e\u0301", "🦆", "👩‍👩‍👧", "\U0010ffff", "\U0010ffffx", "\ud7ff", "\ue000", "zero\u200bwidth",
    "\u202eright", "{name}", "${x}", "$meta", "id", "true", "1", "1.5", "null", "\\n", "\\u0041", "\\x41", "a" * 190,
    "/* */", "--", "[1]", "&&", "json_contains(tags, 1)", "like", "in",
)  # fmt: skip
INTS = (0, 1, -1, 7, 2**31 - 1, -(2**31), 2**53, 2**53 + 1, 2**63 - 1, -(2**63), -(2**63) + 1)
FLOATS = (0.0, 1.5, -1.5, 0.1, 1e-30, 3.4e38, -3.4e38, 16777217.0, 1e10)
DOUBLES = (*FLOATS, 1e308, 5e-324, 0.1 + 0.2, 1e16)

FIELDS = (
    KEY,
    VECTOR,
    FieldSpec(name="text", data_type=DataType.VARCHAR, max_length_bytes=1000),
    FieldSpec(name="flag", data_type=DataType.BOOL),
    FieldSpec(name="tiny", data_type=DataType.INT8),
    FieldSpec(name="big", data_type=DataType.INT64),
    FieldSpec(name="single", data_type=DataType.FLOAT),
    FieldSpec(name="double", data_type=DataType.DOUBLE),
)


@pytest.fixture(scope="session")
def zoo(gateway):
    """A loaded collection of one row per hostile string, and the rows as Python sees them."""
    name = f"{PREFIX}{secrets.token_hex(6)}"
    count = len(HOSTILE)
    columns = {
        "id": np.arange(count),
        "vector": vectors(count),
        "text": list(HOSTILE),
        "flag": [row % 3 == 0 for row in range(count)],
        "tiny": [(row * 5) % 256 - 128 for row in range(count)],
        "big": [INTS[row % len(INTS)] for row in range(count)],
        "single": np.array([FLOATS[row % len(FLOATS)] for row in range(count)], dtype=np.float32),
        "double": [DOUBLES[row % len(DOUBLES)] for row in range(count)],
    }
    make_filled(gateway, name, FIELDS, columns, (FLAT,))
    lists = {field: column.tolist() if isinstance(column, np.ndarray) else column for field, column in columns.items()}
    rows = [{field: lists[field][row] for field in lists} for row in range(count)]
    yield name, rows, gateway.collections.describe(name)
    drop_all(gateway, name)


texts = st.sampled_from(HOSTILE) | st.text(max_size=20)
ints = st.sampled_from(INTS) | st.integers(-(2**63), 2**63 - 1) | st.integers(-200, 200)
floats = st.sampled_from(DOUBLES) | st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def comparisons(draw):
    name = draw(st.sampled_from(["text", "flag", "tiny", "big", "id", "single", "double"]))
    field = where(name)
    if name == "flag":
        return field == draw(st.booleans()) if draw(st.booleans()) else field.is_in(draw(st.lists(st.booleans())))
    values = {"text": texts, "single": floats | st.integers(-99, 99), "double": floats}.get(name, ints)
    if draw(st.integers(0, 3)) == 0:
        return field.is_in(draw(st.lists(values, max_size=6)))
    if name == "text" and draw(st.booleans()):
        return field.starts_with(draw(texts.filter(bool)))
    symbol = draw(st.sampled_from(["__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"]))
    return getattr(field, symbol)(draw(values))


filters = st.recursive(
    comparisons(),
    lambda inner: st.builds(lambda a, b: a & b, inner, inner) | st.builds(lambda a, b: a | b, inner, inner) | inner.map(lambda a: ~a),
    max_leaves=6,
)  # fmt: skip


def found(gateway, name, condition):
    columns = gateway.rows.query(name, where=condition, fields=["id"], limit=500, consistency=Consistency.EVENTUALLY)
    return sorted(columns["id"].tolist())


def expected(rows, condition, spec):
    return [row["id"] for row in rows if matches(condition, row, spec)]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_string_finds_itself_and_nothing_else(gateway, zoo, text):
    name, rows, spec = zoo
    for condition in (where("text") == text, where("text").is_in([text, "nowhere"]), where("text") != text):
        assert found(gateway, name, condition) == expected(rows, condition, spec)


@hypothesis.settings(
    max_examples=120, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture], print_blob=True
)
@hypothesis.given(condition=filters)
def test_filters_mean_what_they_mean(gateway, zoo, condition):
    name, rows, spec = zoo
    assert found(gateway, name, condition) == expected(rows, condition, spec)


JSON_KEYS = (
    "plain", 'q"uote', "q'uote", "back\\slash", "a[b", "a]b", "a[b]", "a.b", "a/b", "til~de", "~0", "~1", "한국어",
    "new\nline", "tab\t", " space ", "🦆", "$meta", "0", "a,b", "(x)", "%", "{k}", '"] == 1 or meta["',
)  # fmt: skip
JSON_VALUES = (1, 0, -5, 2.5, "text", "1", "true", 'q"x', "", None, 2**53 + 1, 1e300, "line\nx", "back\\s", "한")


@pytest.fixture(scope="session")
def papers(gateway, capabilities):
    """A loaded collection with a JSON field, dynamic fields, and the rows as Python sees them."""
    if not (capabilities.has("json") and capabilities.has("dynamic_field")):
        pytest.skip("no JSON or no dynamic fields")
    name = f"{PREFIX}{secrets.token_hex(6)}"
    count = 45
    documents = []
    for row in range(count):
        document = {"value": JSON_VALUES[row % len(JSON_VALUES)], "deep": {"list": [{"z": row % 3}, row % 2]}}
        # 2.2.16 overlooks a number behind a string, so each list is of one kind.
        document |= {"numbers": [row % 4, -(row % 3) - 1], "words": ["all", f"tag {row % 4}"]}
        if row < len(JSON_KEYS):
            document[JSON_KEYS[row]] = "here"
        if row % 7 == 0:
            del document["value"]
        documents.append(document)
    colors = [["red", 5, None, {"a": "b"}, "blue"][row % 5] for row in range(count)]
    columns = {"id": np.arange(count), "vector": vectors(count), "meta": documents, "color": colors}
    fields = (KEY, VECTOR, FieldSpec(name="meta", data_type=DataType.JSON))
    make_filled(gateway, name, fields, columns, (FLAT,), has_dynamic_field=True)
    rows = [{"id": row, "meta": documents[row], "color": colors[row]} for row in range(count)]
    yield name, rows, gateway.collections.describe(name)
    drop_all(gateway, name)


@pytest.mark.parametrize("key", JSON_KEYS, ids=range(len(JSON_KEYS)))
def test_a_hostile_key_leads_to_its_own_value(gateway, papers, key):
    name, rows, spec = papers
    condition = where("meta")[key] == "here"
    assert found(gateway, name, condition) == expected(rows, condition, spec) == [JSON_KEYS.index(key)]


def test_values_inside_json_are_compared_by_kind_and_value(gateway, papers):
    name, rows, spec = papers
    value = where("meta")["value"]
    conditions = []
    for wanted in (one for one in JSON_VALUES if one is not None):
        conditions += [value == wanted, value != wanted, value < wanted, value >= wanted, ~(value < wanted)]
        conditions += [value.is_in([wanted, "nowhere"]), ~value.is_in([wanted, 7]), value.contains(wanted)]
    for condition in conditions:
        assert found(gateway, name, condition) == expected(rows, condition, spec), condition


def test_true_inside_json_is_not_one(gateway, needs, filled):
    needs("json_bool")
    field = FieldSpec(name="meta", data_type=DataType.JSON)
    documents = [{"a": value} for value in (True, 1, False, 0, "true")]
    name = filled(KEY, VECTOR, field, columns={"id": np.arange(5), "vector": vectors(5), "meta": documents})
    flag = where("meta")["a"]
    assert [found(gateway, name, flag == value) for value in (True, 1, False, 0)] == [[0], [1], [2], [3]]
    assert found(gateway, name, flag.is_in([1, True])) == [0, 1]


def test_paths_lists_and_dynamic_fields(gateway, papers):
    name, rows, spec = papers
    meta, color = where("meta"), where("color")
    for condition in (
        meta["deep"]["list"][0]["z"] == 1,
        meta["deep"]["list"][1] == 1,
        meta["deep"]["list"][7] == 1,
        meta["numbers"].contains(3),
        meta["numbers"].contains(-2),
        meta["words"].contains("tag 2"),
        ~meta["words"].contains("tag 2"),
        meta["value"].starts_with("t"),
        ~meta["value"].starts_with("t"),
        meta["value"].is_in([1, "text", 2.5]),
        color == "red",
        color != "red",
        color == 5,
        color["a"] == "b",
        where("nothing") == 1,
        where("nothing") != 1,
        (color == "red") & ~(meta["value"] == 1) | (where("id") >= 40),
    ):
        assert found(gateway, name, condition) == expected(rows, condition, spec), condition


def test_a_key_that_no_server_can_look_up_is_refused(gateway, papers):
    name, _, _ = papers
    for key in ("nul\x00", ""):
        with pytest.raises(FilterError):
            found(gateway, name, where("meta")[key] == 1)


ARRAYS = {
    "INT64": ([[1, 2], [], [-3], [2**62], [1, 1, 1]], [1, -3, 2**62, 9]),
    "VARCHAR": ([["a", 'q"x'], [], ["line\nx"], ["back\\"], ["한", "a"]], ["a", 'q"x', "line\nx", "back\\", "한", "z"]),
    "DOUBLE": ([[0.5], [], [-1.5, 0.1], [1e300], [2.0]], [0.5, -1.5, 0.1, 1e300, 2]),
    "BOOL": ([[True], [], [False], [True, False], [False]], [True, False]),
}


def test_arrays_hold_what_they_hold(gateway, needs, filled):
    needs("array")
    fields = [
        FieldSpec(
            name=f"of_{kind.lower()}",
            data_type=DataType.ARRAY,
            element_type=DataType(kind),
            max_capacity=8,
            max_length_bytes=100 if kind == "VARCHAR" else None,
        )
        for kind in ARRAYS
    ]
    columns = {field.name: ARRAYS[str(field.element_type)][0] for field in fields}
    name = filled(KEY, VECTOR, *fields, columns={"id": np.arange(5), "vector": vectors(5), **columns})
    spec = gateway.collections.describe(name)
    rows = [{"id": row, **{field: column[row] for field, column in columns.items()}} for row in range(5)]
    for field in fields:
        for value in ARRAYS[str(field.element_type)][1]:
            for condition in (where(field.name).contains(value), ~where(field.name).contains(value)):
                assert found(gateway, name, condition) == expected(rows, condition, spec), condition
    first = where("of_int64")[0] == 1
    assert found(gateway, name, first) == expected(rows, first, spec)
