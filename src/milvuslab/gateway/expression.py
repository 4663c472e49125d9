"""Filters rendered for a server. Values are encoded by their type; no value can become syntax.

Names are checked against the collection, and a value that a server could not hold exactly is refused, never
approximated. What is decided without a server is decided here: an empty `is_in` is no row, an INT8 never equals 300.

The text uses only what Milvus 2.2.16, 2.3.5 and Lite 3.2 were measured to read alike
(`tests/contract/test_filters.py`): in strings, `"` `\\` newline, carriage return and tab are escaped and everything
else stands as it is; prefixes are ranges, because `like` reads `%` and `_` as wildcards and 2.3 cannot escape them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from milvuslab.model.collection import CollectionSpec, DataType, FieldSpec
from milvuslab.model.errors import FilterError, NotFoundError, suggest
from milvuslab.model.filter import (
    AllOf,
    AnyOf,
    Comparison,
    Contains,
    FieldRef,
    Filter,
    Membership,
    Not,
    Prefix,
    Scalar,
)

__all__ = ["render_filter", "render_ids"]

_Text = str | bool
"""An expression, or what it comes to on every row."""

_DEPTH_MAX = 64
_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1
_INT_LIMITS = {
    DataType.INT8: (-(2**7), 2**7 - 1),
    DataType.INT16: (-(2**15), 2**15 - 1),
    DataType.INT32: (-(2**31), 2**31 - 1),
    DataType.INT64: (_INT64_MIN, _INT64_MAX),
}
_FLOAT32_MAX = float(np.finfo(np.float32).max)
_ESCAPES = str.maketrans({'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})
_LAST_POINT = 0x10FFFF


def render_filter(condition: Filter, spec: CollectionSpec) -> _Text:
    """The filter as the server reads it; True when every row passes, False when none can.

    Raises:
        NotFoundError: a field that the collection does not have; the hint names the nearest.
        FilterError: a value that does not fit its field, or that cannot be sent exactly.
    """
    return _render(condition, spec, depth=0, is_negated=False)


def render_ids(spec: CollectionSpec, ids: Sequence[int] | Sequence[str]) -> _Text:
    """The filter for rows with those primary keys."""
    return _render_membership(Membership(FieldRef(spec.primary.name), tuple(ids)), spec, is_negated=False)


def _render(condition: Filter, spec: CollectionSpec, *, depth: int, is_negated: bool) -> _Text:
    if depth > _DEPTH_MAX:
        raise FilterError(f"a filter nests deeper than {_DEPTH_MAX}", hint="use is_in for long lists of values")
    if isinstance(condition, AllOf | AnyOf):
        return _render_group(condition, spec, depth=depth, is_negated=is_negated)
    if isinstance(condition, Not):
        return _negated(_render(condition.part, spec, depth=depth + 1, is_negated=not is_negated))
    if isinstance(condition, Comparison):
        return _render_comparison(condition, spec, is_negated=is_negated)
    if isinstance(condition, Membership):
        return _render_membership(condition, spec, is_negated=is_negated)
    if isinstance(condition, Prefix):
        return _render_prefix(condition, spec, is_negated=is_negated)
    if isinstance(condition, Contains):
        return _render_contains(condition, spec)
    raise FilterError(f"{type(condition).__name__} is no filter this gateway knows")


def _render_group(condition: AllOf | AnyOf, spec: CollectionSpec, *, depth: int, is_negated: bool) -> _Text:
    is_all = isinstance(condition, AllOf)
    texts: list[str] = []
    decided: bool | None = None
    for part in _flat(condition):
        text = _render(part, spec, depth=depth + 1, is_negated=is_negated)
        if isinstance(text, str):
            texts.append(text)
        elif text is not is_all:
            decided = text  # one False decides an `and`, one True an `or`; the rest is still checked
    if decided is not None or not texts:
        return decided if decided is not None else is_all
    return texts[0] if len(texts) == 1 else "(" + (" and " if is_all else " or ").join(texts) + ")"


def _flat(condition: AllOf | AnyOf) -> list[Filter]:
    """The parts, with groups of the same kind dissolved: `a & b & c` is one group, however it was built."""
    parts: list[Filter] = []
    pending = list(reversed(condition.parts))
    while pending:
        part = pending.pop()
        if type(part) is type(condition):
            pending.extend(reversed(part.parts))
        else:
            parts.append(part)
    return parts


def _negated(text: _Text) -> _Text:
    return not text if isinstance(text, bool) else f"(not {text})"


def _any(texts: Sequence[_Text]) -> _Text:
    if any(text is True for text in texts):
        return True
    parts = [text for text in texts if isinstance(text, str)]
    if not parts:
        return False
    return parts[0] if len(parts) == 1 else "(" + " or ".join(parts) + ")"


def _render_comparison(condition: Comparison, spec: CollectionSpec, *, is_negated: bool) -> _Text:
    name, field = _resolve(condition.field, spec)
    kind = _kind_of(condition.field, field)
    if condition.operator == "!=":
        # `!=` is the opposite of `==` also where a path leads nowhere.
        return _negated(_compare(name, kind, "==", condition.value, is_negated=not is_negated))
    return _compare(name, kind, condition.operator, condition.value, is_negated=is_negated)


def _compare(name: str, kind: DataType, operator: str, value: Scalar, *, is_negated: bool) -> _Text:
    if kind in _INT_LIMITS:
        return _compare_int(name, kind, operator, _int_value(name, value))
    if kind in (DataType.FLOAT, DataType.DOUBLE):
        return _compare_float(name, kind, operator, value)
    if kind is DataType.BOOL:
        if not isinstance(value, bool) or operator != "==":
            raise FilterError(
                f"{name} is BOOL and is compared with == or != to True or False, not {operator} {value!r}"
            )
        return f"({name} == {'true' if value else 'false'})"
    if kind is DataType.VARCHAR:
        if not isinstance(value, str):
            raise FilterError(f"{name} is VARCHAR and is compared to a string, not {value!r}")
        return f"({name} {operator} {_string(value)})"
    return _compare_json(name, operator, value, is_negated=is_negated)


def _compare_json(name: str, operator: str, value: Scalar, *, is_negated: bool) -> _Text:
    if isinstance(value, bool) and operator != "==":
        raise FilterError(f"{name} {operator} {value}: True and False have no order")
    text = f"{name} {operator} {_json_literal(value)}"
    if not is_negated:
        return f"({text})"
    text = f"({text})"
    if operator == "==":
        return _definite(name, text)
    is_text = f'({name} like "%")'
    return _definite(name, is_text if isinstance(value, str) else f"(not {is_text})", text)


def _definite(name: str, *parts: str) -> str:
    """The condition with guards, so that a row without the value, or with one of another kind, fails it.

    Lite reckons with unknown: a comparison with nothing is neither true nor false, and so is its opposite.
    """
    return f"((exists {name}) and {' and '.join(parts)})"


def _compare_int(name: str, kind: DataType, operator: str, value: int) -> _Text:
    low, high = _INT_LIMITS[kind]
    if value > high or value < low:
        is_above = value > high
        return {"==": False, "<": is_above, "<=": is_above, ">": not is_above, ">=": not is_above}[operator]
    if value == _INT64_MIN:
        # The literal is read as minus 2^63, and 2^63 does not fit 64 bits.
        if operator in ("<", ">="):
            return operator == ">="
        operator, value = {"==": ("<", value + 1), "<=": ("<", value + 1), ">": (">=", value + 1)}[operator]
    return f"({name} {operator} {value})"


def _compare_float(name: str, kind: DataType, operator: str, value: Scalar) -> _Text:
    if isinstance(value, bool | str):
        raise FilterError(f"{name} is {kind} and is compared to a number, not {value!r}")
    number = float(value)
    if isinstance(value, int) and int(number) != value:
        raise FilterError(f"{name} is {kind}, which cannot hold {value} exactly")
    if kind is DataType.FLOAT:
        if abs(number) > _FLOAT32_MAX:
            is_above = number > 0
            return {"==": False, "<": is_above, "<=": is_above, ">": not is_above, ">=": not is_above}[operator]
        number = float(np.float32(number))
    return f"({name} {operator} {_float(number)})"


def _int_value(name: str, value: Scalar) -> int:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise FilterError(f"{name} holds integers and is compared to an integer, not {value!r}")
    return value


def _render_membership(condition: Membership, spec: CollectionSpec, *, is_negated: bool) -> _Text:
    name, field = _resolve(condition.field, spec)
    kind = _kind_of(condition.field, field)
    if kind in _INT_LIMITS:
        low, high = _INT_LIMITS[kind]
        numbers = dict.fromkeys(_int_value(name, value) for value in condition.values)
        inside = [number for number in numbers if max(low, _INT64_MIN + 1) <= number <= high]
        lowest = [_compare_int(name, kind, "==", _INT64_MIN)] if _INT64_MIN in numbers and low == _INT64_MIN else []
        return _any([f"({name} in [{','.join(map(str, inside))}])" if inside else False, *lowest])
    if kind is DataType.VARCHAR:
        for value in condition.values:
            if not isinstance(value, str):
                raise FilterError(f"{name} is VARCHAR and is compared to strings, not {value!r}")
        literals = dict.fromkeys(_string(str(value)) for value in condition.values)
        return f"({name} in [{','.join(literals)}])" if literals else False
    # True, 1 and 1.0 are one key to Python, but True is another value inside JSON.
    values = {(type(value), value): value for value in condition.values}.values()
    return _any([_compare(name, kind, "==", value, is_negated=is_negated) for value in values])


def _render_prefix(condition: Prefix, spec: CollectionSpec, *, is_negated: bool) -> _Text:
    name, field = _resolve(condition.field, spec)
    kind = _kind_of(condition.field, field)
    if kind not in (DataType.VARCHAR, DataType.JSON):
        raise FilterError(f"{name} is {kind}; only strings begin with something")
    after = _after_prefix(condition.prefix)
    parts = [f"{name} >= {_string(condition.prefix)}"]
    if after is not None:
        parts.append(f"{name} < {_string(after)}")
    if is_negated and kind is DataType.JSON:
        return _definite(name, f'({name} like "%")', *[f"({part})" for part in parts])
    return f"({' and '.join(parts)})"


def _after_prefix(prefix: str) -> str | None:
    """The first string after all that begin with `prefix`, in order of code points (which UTF-8 keeps)."""
    kept = prefix.rstrip(chr(_LAST_POINT))
    if not kept:
        return None
    point = ord(kept[-1]) + 1
    return kept[:-1] + chr(0xE000 if 0xD800 <= point <= 0xDFFF else point)


def _render_contains(condition: Contains, spec: CollectionSpec) -> _Text:
    name, field = _resolve(condition.field, spec)
    if field is not None and field.data_type is DataType.ARRAY and not condition.field.path:
        kind = field.element_type or DataType.JSON
        if kind in (DataType.FLOAT, DataType.DOUBLE, DataType.BOOL) or kind is DataType.VARCHAR:
            decided = _compare(name, kind, "==", condition.value, is_negated=False)
        else:
            decided = _compare_int(name, kind, "==", _int_value(name, condition.value))
        if isinstance(decided, bool):
            return decided
        return _call_contains("array_contains", name, _array_literal(kind, condition.value))
    if _kind_of(condition.field, field) is not DataType.JSON:
        raise FilterError(f"{name} is no list", hint="contains works on ARRAY and JSON fields")
    return _call_contains("json_contains", name, _json_literal(condition.value))


def _call_contains(function: str, name: str, literal: str) -> str:
    # Lite reads a minus sign in this place only within parentheses.
    return f"{function}({name}, {f'({literal})' if literal.startswith('-') else literal})"


def _array_literal(kind: DataType, value: Scalar) -> str:
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if kind is DataType.FLOAT:
        return _float(float(np.float32(value)))
    return _float(float(value)) if kind is DataType.DOUBLE else str(int(value))


def _resolve(reference: FieldRef, spec: CollectionSpec) -> tuple[str, FieldSpec | None]:
    """The name as the server reads it, and the field; None for a dynamic one."""
    known = {field.name: field for field in spec.fields}
    field = known.get(reference.name)
    if field is None and not spec.has_dynamic_field:
        raise NotFoundError(f"{spec.name} has no field {reference.name}", hint=suggest(reference.name, known))
    if field is None:
        return "$meta" + "".join(map(_step, (reference.name, *reference.path))), None
    if field.data_type.is_vector:
        raise FilterError(f"{field.name} is a vector; a filter works on scalar fields")
    if reference.path and field.data_type is DataType.ARRAY:
        if len(reference.path) > 1 or not isinstance(reference.path[0], int):
            raise FilterError(f"{field.name} is an ARRAY: one position, not {list(reference.path)}")
    elif reference.path and field.data_type is not DataType.JSON:
        raise FilterError(f"{field.name} is {field.data_type} and has nothing inside", hint="paths go into JSON fields")
    return field.name + "".join(map(_step, reference.path)), field


def _step(key: str | int) -> str:
    if isinstance(key, int):
        if key < 0:
            raise FilterError(f"a position counts from 0, not {key}")
        return f"[{key}]"
    if not key or "\0" in key:
        raise FilterError(f"a path has the name {key!r}, which servers cannot look up")
    return f"[{_string(key)}]"


def _kind_of(reference: FieldRef, field: FieldSpec | None) -> DataType:
    """The type that a value is compared with: the field's, an array's element's, or JSON."""
    if field is None:
        return DataType.JSON
    if field.data_type is DataType.ARRAY:
        if not reference.path:
            raise FilterError(f"{field.name} is an ARRAY", hint=f'use where("{field.name}").contains(value) or [0]')
        return field.element_type or DataType.JSON
    if field.data_type is DataType.JSON and not reference.path:
        raise FilterError(f"{field.name} is JSON", hint=f'name what is inside: where("{field.name}")["key"]')
    return field.data_type


def _string(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise FilterError(f"{value!r} holds half a surrogate pair, which is no text") from error
    return f'"{value.translate(_ESCAPES)}"'


def _float(value: float) -> str:
    assert math.isfinite(value), "a filter value was checked to be finite"
    return repr(value + 0.0)


def _json_literal(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, float):
        return _float(value)
    if value == _INT64_MIN:
        raise FilterError(f"{value} cannot be compared inside JSON", hint="compare with < -9223372036854775807")
    return str(value)
