"""What a filter means, row by row, the slow and obvious way."""

import operator

import numpy as np

from milvuslab.model.collection import DataType
from milvuslab.model.filter import AllOf, AnyOf, Comparison, Contains, Membership, Not, Prefix

OPERATORS = {
    "==": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
NOTHING = object()


def matches(condition, row, spec):  # noqa: PLR0911  (one return a kind of filter)
    """Whether the row passes."""
    match condition:
        case AllOf(parts):
            return all(matches(part, row, spec) for part in parts)
        case AnyOf(parts):
            return any(matches(part, row, spec) for part in parts)
        case Not(part):
            return not matches(part, row, spec)
        case Comparison(field, "!=", value):
            return not _compare(_value(field, row), "==", value, field, spec)
        case Comparison(field, symbol, value):
            return _compare(_value(field, row), symbol, value, field, spec)
        case Membership(field, values):
            return any(_compare(_value(field, row), "==", value, field, spec) for value in values)
        case Prefix(field, prefix):
            value = _value(field, row)
            return isinstance(value, str) and value.startswith(prefix)
        case Contains(field, wanted):
            value = _value(field, row)
            return isinstance(value, list) and any(_compare(one, "==", wanted, field, spec) for one in value)
    raise AssertionError(f"no meaning for {condition!r}")


def _compare(value, symbol, wanted, field, spec):
    if value is NOTHING or _kind(value) != _kind(wanted):
        return False
    is_single = any(
        one.name == field.name and DataType.FLOAT in (one.data_type, one.element_type) for one in spec.fields
    )
    if is_single and abs(wanted) <= float(np.finfo(np.float32).max):
        wanted = float(np.float32(wanted))
    return OPERATORS[symbol](value, wanted)


def _kind(value):
    """Values of different kinds are never equal and have no order."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else "other"


def _value(field, row):
    value = row.get(field.name, NOTHING)
    for key in field.path:
        if isinstance(key, str) and isinstance(value, dict):
            value = value.get(key, NOTHING)
        elif isinstance(key, int) and isinstance(value, list) and key < len(value):
            value = value[key]
        else:
            return NOTHING
    return value
