"""Why something was chosen: reasons as values, which a page can say in any language, and as an English paragraph."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

__all__ = ["SENTENCES", "Explanation", "Reason"]

SENTENCES: Mapping[str, str] = {
    "chosen": "{label} was chosen: {objective} {value}.",
    "recall_shown": "Its recall is {recall:.4f} in {query_count:,} queries, and above {target:g} with a confidence of "
    "{confidence:g}: queries that took no part in the choice show at least {recall_lower:.4f}.",
    "recall_exact": "It compares with every row, so its recall is 1 and was not measured.",
    "rung_below": "The next faster step, {params}, was not shown to reach the target: {recall:.4f} in "
    "{query_count:,} queries, at least {recall_lower:.4f}.",
    "rung_first": "There is no faster step on its ladder.",
    "runner_up": "The next best is {label} with {value}.",
    "only_one": "No other candidate qualified.",
    "less_memory": "{label} takes less memory, {memory}, for {value}.",
    "too_large": "Over the memory budget: {labels}.",
    "too_slow": "Over the speed budget: {labels}.",
    "not_shown": "Not shown to reach the target: {labels}.",
    "too_few_queries": "Not tried, because the target cannot be shown with {query_count:,} queries: {labels}.",
    "failed": "Refused by the server: {labels}.",
}
"""Every reason, with its sentence and so the names of its values."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One reason.

    Attributes:
        code: of `SENTENCES`.
        values: what stands in the sentence.
    """

    code: str
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __str__(self) -> str:
        return SENTENCES[self.code].format(**self.values)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """All reasons of a choice, the most important first."""

    reasons: tuple[Reason, ...]

    @property
    def text(self) -> str:
        """One paragraph in English."""
        return " ".join(map(str, self.reasons))

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        return {
            "text": self.text,
            "reasons": [{"code": reason.code, "values": dict(reason.values)} for reason in self.reasons],
        }
