"""What a server holds: its collections and their rows."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from milvuslab.model.collection import Consistency
from milvuslab.model.errors import ConflictError, ServerError

if TYPE_CHECKING:
    from milvuslab.gateway import Gateway

__all__ = ["CollectionSummary", "collect_contents", "count_rows"]

_AT_ONCE = 8


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CollectionSummary:
    """A collection in a list.

    Attributes:
        name: of the collection.
        row_count: rows; deleted ones left out when `is_exact`.
        is_exact: whether the rows were counted by a query. A collection that is not loaded can only be estimated: its
            rows in sealed segments, deleted ones among them.
    """

    name: str
    row_count: int
    is_exact: bool

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        return dataclasses.asdict(self)


def collect_contents(gateway: Gateway) -> list[CollectionSummary]:
    """All collections of the server, by name; our probe collections left out."""
    # A strong read waits for the server's next time tick, up to 200 ms; side by side they wait together.
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda name: count_rows(gateway, name), gateway.collections.list()))


def count_rows(gateway: Gateway, name: str) -> CollectionSummary:
    """The rows of one collection.

    Raises:
        NotFoundError: there is none of that name.
    """
    gateway.collections.describe(name)
    try:
        row_count = gateway.rows.count(name, consistency=Consistency.STRONG)
        return CollectionSummary(name=name, row_count=row_count, is_exact=True)
    except (ConflictError, ServerError):
        # Not loaded, or, just after a start, not yet loaded again.
        return CollectionSummary(name=name, row_count=gateway.collections.row_count(name), is_exact=False)
