"""Filters as values. A filter is built from field names and typed values; nobody writes expression text.

    where("language") == "ko"
    (where("year") >= 2020) & where("tag").is_in(["news", "help"]) & ~where("title").starts_with("draft")
    where("meta")["author"]["name"] == "Kim"          # a path into a JSON field
    where("tags").contains("python")                   # an ARRAY or JSON list

The gateway turns a filter into what the server understands, checks the field names against the collection and encodes
each value by its type, so no value can become syntax.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from milvuslab.model.errors import FilterError

__all__ = [
    "AllOf",
    "AnyOf",
    "Comparison",
    "Contains",
    "FieldRef",
    "Filter",
    "Membership",
    "Not",
    "Operator",
    "Prefix",
    "Scalar",
    "where",
]

Scalar = bool | int | float | str
Operator = Literal["==", "!=", "<", "<=", ">", ">="]
_MEMBERS_MAX = 16_384


class Filter:
    """A condition on a row; combine with `&`, `|` and `~`."""

    def __and__(self, other: Filter) -> Filter:
        return AllOf((self, other))

    def __or__(self, other: Filter) -> Filter:
        return AnyOf((self, other))

    def __invert__(self) -> Filter:
        return Not(self)

    def __bool__(self) -> bool:
        raise TypeError("a filter has no truth value: combine filters with & | ~, not with and, or, not")


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class FieldRef:
    """A field, or a path into a JSON or dynamic field, waiting for a condition."""

    name: str
    path: tuple[str | int, ...] = ()

    def __getitem__(self, key: str | int) -> FieldRef:
        if not isinstance(key, str | int) or isinstance(key, bool):
            raise FilterError(f"a path into {self.name} takes names and positions, not {key!r}")
        return FieldRef(self.name, (*self.path, key))

    def __eq__(self, value: object) -> Filter:  # type: ignore[override]
        return Comparison(self, "==", _scalar(value))

    def __ne__(self, value: object) -> Filter:  # type: ignore[override]
        return Comparison(self, "!=", _scalar(value))

    def __lt__(self, value: Scalar) -> Filter:
        return Comparison(self, "<", _scalar(value))

    def __le__(self, value: Scalar) -> Filter:
        return Comparison(self, "<=", _scalar(value))

    def __gt__(self, value: Scalar) -> Filter:
        return Comparison(self, ">", _scalar(value))

    def __ge__(self, value: Scalar) -> Filter:
        return Comparison(self, ">=", _scalar(value))

    __hash__ = None  # type: ignore[assignment]

    def is_in(self, values: Sequence[Scalar]) -> Filter:
        """The field equals one of the values; none at all matches no row."""
        if isinstance(values, str):
            raise FilterError(f"is_in on {self.name} takes a list of values, not one string")
        if len(values) > _MEMBERS_MAX:
            raise FilterError(f"is_in on {self.name} has {len(values):,} values, more than {_MEMBERS_MAX:,}")
        return Membership(self, tuple(_scalar(value) for value in values))

    def starts_with(self, prefix: str) -> Filter:
        """The string begins with `prefix`, taken literally."""
        if not isinstance(prefix, str) or not prefix:
            raise FilterError(f"starts_with on {self.name} takes a non-empty string")
        return Prefix(self, _text(prefix))

    def contains(self, value: Scalar) -> Filter:
        """The ARRAY or JSON list holds the value."""
        return Contains(self, _scalar(value))


@dataclasses.dataclass(frozen=True, slots=True)
class Comparison(Filter):
    """`field OP value`."""

    field: FieldRef
    operator: Operator
    value: Scalar


@dataclasses.dataclass(frozen=True, slots=True)
class Membership(Filter):
    """`field in (values)`."""

    field: FieldRef
    values: tuple[Scalar, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Prefix(Filter):
    """`field` begins with `prefix`."""

    field: FieldRef
    prefix: str


@dataclasses.dataclass(frozen=True, slots=True)
class Contains(Filter):
    """The list in `field` holds `value`."""

    field: FieldRef
    value: Scalar


@dataclasses.dataclass(frozen=True, slots=True)
class AllOf(Filter):
    """Every part holds."""

    parts: tuple[Filter, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class AnyOf(Filter):
    """At least one part holds."""

    parts: tuple[Filter, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Not(Filter):
    """The part does not hold."""

    part: Filter


def where(name: str) -> FieldRef:
    """The field of that name, to put a condition on."""
    return FieldRef(name)


def _scalar(value: object) -> Scalar:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise FilterError(f"{value} does not fit 64 bits")
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise FilterError(f"{value} cannot be compared by a server")
        return value
    raise FilterError(f"a filter takes bool, int, float and str, not {type(value).__name__}")


def _text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise FilterError(f"{value!r} is no valid text: half of a character pair stands alone") from None
    return value
