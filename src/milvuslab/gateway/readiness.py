"""Whether a server answers a real search: the only meaning of "ready".

An open port, `/healthz` and a loaded collection all come seconds to a minute before the first answered search
(measured on 2.3.5: 0.3 s, 6 to 10 s, 9 to 68 s).
"""

from __future__ import annotations

import time
from collections.abc import Callable

from milvuslab.gateway.catalog import HIDDEN_PREFIX
from milvuslab.gateway.client import Gateway, connect
from milvuslab.gateway.retry import RetryPolicy
from milvuslab.model.collection import CollectionSpec, Consistency, DataType, FieldSpec
from milvuslab.model.errors import ConflictError, NotFoundError, ServerError, TimedOutError, UnreachableError
from milvuslab.model.index import IndexSpec
from milvuslab.model.metric import Metric
from milvuslab.model.server import Endpoint

__all__ = ["READY_COLLECTION", "check_ready"]

READY_COLLECTION = f"{HIDDEN_PREFIX}ready"
"""One row of four numbers, kept on the server so that the next check is a single search."""

_INDEX = IndexSpec(field_name="vector", index_type="FLAT", metric=Metric.L2)
_SPEC = CollectionSpec(
    name=READY_COLLECTION,
    fields=(
        FieldSpec(name="id", data_type=DataType.INT64, is_primary=True),
        FieldSpec(name="vector", data_type=DataType.FLOAT_VECTOR, dim=4),
    ),
    description="milvuslab asks this collection whether the server answers searches",
)
_VECTOR = [[0.0, 0.0, 0.0, 1.0]]


def check_ready(endpoint: Endpoint, timeout_s: float) -> None:
    """Returns once a search on our probe collection was answered. Tries once, retries nothing.

    The first check on a server makes the collection (2 to 4 s on 2.3.5, measured), later ones only search. The search
    is STRONG, so it also proves that the server's clock of writes moves.

    Args:
        endpoint: the server.
        timeout_s: for everything together.

    Raises:
        UnreachableError: nothing answers, or the server says that it is not there yet.
        TimedOutError: no answer in time.
        ForbiddenError: it answers, but not to this token.
        ConfigError: a certificate cannot be read.
    """
    deadline_s = time.monotonic() + timeout_s

    def left_s() -> float:
        left = deadline_s - time.monotonic()
        if left <= 0:
            raise TimedOutError(f"{endpoint.safe_uri} answered no search within {timeout_s:g} s")
        return left

    try:
        with connect(endpoint, call_timeout_s=left_s(), retry=RetryPolicy.never()) as gateway:
            _prepare(gateway, left_s)
            _search(gateway, left_s)
    except (ConflictError, NotFoundError) as error:
        # A server that is coming up does not know yet what it holds.
        raise UnreachableError(f"{endpoint.safe_uri} is not ready: {error.message}") from error
    except (UnreachableError, TimedOutError):
        raise
    except ServerError as error:
        raise UnreachableError(f"{endpoint.safe_uri} is not ready: {error.message}") from error


def _prepare(gateway: Gateway, left_s: Callable[[], float]) -> None:
    """Makes whatever is missing: a check that was killed half-way is finished by the next."""
    if not gateway.collections.exists(READY_COLLECTION):
        try:
            gateway.collections.create(_SPEC)
        except ConflictError:
            pass  # somebody else checks at the same time
        else:
            gateway.rows.insert(READY_COLLECTION, {"id": [1], "vector": _VECTOR})
    if not gateway.indexes.list(READY_COLLECTION):
        gateway.indexes.build(READY_COLLECTION, _INDEX, wait=False)
    if gateway.collections.load_state(READY_COLLECTION) != "loaded":
        gateway.collections.load(READY_COLLECTION, timeout_s=left_s())


def _search(gateway: Gateway, left_s: Callable[[], float]) -> None:
    try:
        _search_once(gateway, left_s())
    except ConflictError:
        # After an upgrade in place a collection says "loaded" and is not (measured, 2.2.16 to 2.3.5).
        gateway.collections.release(READY_COLLECTION)
        gateway.collections.load(READY_COLLECTION, timeout_s=left_s())
        _search_once(gateway, left_s())


def _search_once(gateway: Gateway, timeout_s: float) -> None:
    gateway.search(READY_COLLECTION, _VECTOR, limit=1, consistency=Consistency.STRONG, timeout_s=timeout_s)
