"""A parameter of an index as a value: what it may be, what it is unless told, and whether it moves recall."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from milvuslab.model.errors import UsageError, suggest

__all__ = ["Parameter", "ParameterKind"]

ParameterKind = Literal["int", "float", "bool", "word"]
_Number = int | float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One build or search parameter, by Milvus's own name.

    Attributes:
        name: as Milvus spells it; upper and lower case differ (`M` and `m` are two parameters).
        kind: what a value is.
        meaning: one phrase for people.
        low: smallest value; None where there is none.
        high: largest value; None where there is none, or it is another value (`high_from`).
        low_from: name of a value that it must not be below: `limit`.
        high_from: name of a value that it must not be above: `nlist`.
        divides: name of a value that it must divide: `dim`.
        default: what the server takes when it is left out; None where it must be given, or the server derives it.
        is_required: whether 2.2.16 or 2.3.5 refuses a request without it (measured); newer ones mostly have a default.
        suggested: what this package builds or searches with when nothing is said; None leaves the server's default.
        choices: the allowed words.
        since: first Milvus with it; empty is as old as its type.
        ladder: values worth trying, from the fastest to the most accurate.
        recall_knob: whether it is the search parameter that is tuned; one type has at most one.
    """

    name: str
    kind: ParameterKind
    meaning: str
    low: _Number | None = None
    high: _Number | None = None
    low_from: str = ""
    high_from: str = ""
    divides: str = ""
    default: Any = None
    is_required: bool = False
    suggested: Any = None
    choices: tuple[str, ...] = ()
    since: str = ""
    ladder: tuple[Any, ...] = ()
    recall_knob: bool = False

    @property
    def allowed(self) -> str:
        """What a value may be, for people: `1 to nlist`, `true or false`, `SQ6, SQ8`."""
        if self.kind == "bool":
            return "true or false"
        if self.kind == "word":
            return ", ".join(self.choices)
        low = self.low_from or _show(self.low)
        high = self.high_from or (_show(self.high) if self.high is not None else "any")
        return f"{low} to {high}" + (f", divides {self.divides}" if self.divides else "")

    def check(self, value: Any, *, known: Mapping[str, Any]) -> Any:
        """The value in its own type.

        Args:
            value: as given; a number may come as text, as servers take it (measured on 2.3.5).
            known: other values that a bound may refer to, `{"limit": 10, "nlist": 128, "dim": 768}`. A bound whose
                value is not known is not checked.

        Raises:
            UsageError: it has another type, or is out of range; the message says what is allowed.
        """
        if self.kind == "word":
            return self._check_word(value)
        if self.kind == "bool":
            return self._check_bool(value)
        number = self._as_number(value)
        self._check_range(number, known)
        return number

    def _check_word(self, value: Any) -> str:
        for choice in self.choices:
            if str(value).upper() == choice.upper():
                return choice
        raise UsageError(f"{self.name} cannot be {value!r}", hint=suggest(str(value), self.choices))

    def _check_bool(self, value: Any) -> bool:
        if isinstance(value, bool):
            return value
        if str(value).lower() in ("true", "false"):
            return str(value).lower() == "true"
        raise UsageError(f"{self.name} cannot be {value!r}", hint="give true or false")

    def _as_number(self, value: Any) -> _Number:
        try:
            number: _Number = float(value)
        except (TypeError, ValueError):
            raise UsageError(f"{self.name} is {value!r}, which is no number", hint=f"give {self.allowed}") from None
        if isinstance(value, bool) or (self.kind == "int" and number != int(number)):
            raise UsageError(f"{self.name} cannot be {value!r}", hint=f"give {self.allowed}")
        return int(number) if self.kind == "int" else number

    def _check_range(self, number: _Number, known: Mapping[str, Any]) -> None:
        lows = [bound for bound in (self.low, known.get(self.low_from)) if bound is not None]
        highs = [bound for bound in (self.high, known.get(self.high_from)) if bound is not None]
        if any(number < low for low in lows) or any(number > high for high in highs):
            now = "".join(f" ({name} is {known[name]})" for name in (self.low_from, self.high_from) if name in known)
            raise UsageError(f"{self.name} is {number}, out of range", hint=f"give {self.allowed}{now}")
        whole = known.get(self.divides)
        if whole is not None and whole % number:
            fitting = [str(one) for one in range(1, int(whole) + 1) if whole % one == 0]
            raise UsageError(
                f"{self.name} is {number}, which does not divide {self.divides} {whole}",
                hint=f"give one of {', '.join(fitting)}",
            )


def _show(number: _Number | None) -> str:
    return f"{number:,}" if isinstance(number, int) else str(number)
