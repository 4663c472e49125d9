"""The one place where foreign failures become ours.

A server fails in three ways: gRPC itself fails (`from_rpc`), or the answer carries a status with the new code of
Milvus 2.3 and later (`code`), or only the old one (`error_code`, all that 2.2 sends). `from_status` decides, most
specific first: words of a generic failure, new code, old code. What no table knows is `RejectedError`, which is final.

Sources: the old codes are the 64 of `common.proto` as pymilvus 3.0 ships it; the new ones are Milvus's
`pkg/util/merr/errors.go` (2.3 to 2.6); the six of `pymilvus.exceptions.ErrorCode` are among them. Milvus Lite 3.2 uses
numbers of its own in both places (`adapter/grpc/errors.py`), kept apart below where they clash.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from milvuslab.gateway.error_text import (
    class_by_text,
    is_lost_connection,
    is_message_too_large,
    is_wrong_tls,
    plain_words,
)
from milvuslab.model.errors import (
    ConfigError,
    ConflictError,
    FilterError,
    ForbiddenError,
    LimitError,
    MilvusLabError,
    NotFoundError,
    RateLimitedError,
    RejectedError,
    SchemaError,
    TimedOutError,
    UnreachableError,
    UnsupportedError,
    UsageError,
)

__all__ = ["NEW_CODES", "OLD_CODES", "from_rpc", "from_status", "translated"]

_GENERIC_NEW_CODES = frozenset({0, 1, 5, 2000, 65535})
"""New codes that say no more than "failed": the words decide. 1 is "unexpected" in 2.2 and Lite, 5 is "internal"."""

NEW_CODES: dict[int, type[MilvusLabError]] = {
    2: UnreachableError,  # service unavailable
    3: LimitError,  # memory limit exceeded
    4: RateLimitedError,  # request limit exceeded
    6: SchemaError,  # Lite: illegal argument (merr: cross cluster routing, which a single server never says)
    7: LimitError,  # disk limit exceeded
    8: RateLimitedError,  # rate limit
    9: ForbiddenError,  # force deny
    26: RejectedError,  # Lite: index build failed
    35: ConflictError,  # Lite: index exists already
    100: NotFoundError,  # collection
    101: ConflictError,  # collection not loaded
    102: LimitError,  # collection count limit
    103: ConflictError,  # collection not fully loaded
    104: ConflictError,  # loaded collection refuses the change
    105: SchemaError,  # illegal collection schema
    200: NotFoundError,  # partition
    201: ConflictError,  # partition not loaded
    202: ConflictError,  # partition not fully loaded
    250: LimitError,  # general capacity exceeded
    300: NotFoundError,  # resource group
    400: RejectedError,  # replica not found
    401: RejectedError,  # replica not available
    500: RejectedError,  # channel not found
    501: RejectedError,  # channel lacks
    502: RejectedError,  # delegator twice
    503: RejectedError,  # channel not available
    600: RejectedError,  # segment not found
    601: RejectedError,  # segment not loaded
    602: RejectedError,  # segments missing
    603: RejectedError,  # segment twice
    700: NotFoundError,  # index
    701: UnsupportedError,  # index not supported
    702: ConflictError,  # index exists already
    800: NotFoundError,  # database
    801: LimitError,  # database count limit
    802: SchemaError,  # database name
    901: RejectedError,  # node not found
    902: RejectedError,  # node offline
    903: RejectedError,  # nodes missing
    904: RejectedError,  # node does not match
    905: RejectedError,  # node not available
    1000: RejectedError,  # key not found in storage
    1001: RejectedError,  # storage failed
    1002: RejectedError,  # storage: unexpected end
    1100: UsageError,  # parameter invalid
    1101: UsageError,  # parameter missing
    1102: LimitError,  # parameter too large
    1200: RejectedError,  # metrics not found
    1300: RejectedError,  # topic not found
    1301: RejectedError,  # topic not empty
    1302: RejectedError,  # message queue failed
    1303: RejectedError,  # message queue closed for writes
    1400: ForbiddenError,  # not authenticated
    1401: ForbiddenError,  # not permitted
    1600: NotFoundError,  # alias
    1601: ConflictError,  # alias has the name of a collection
    1602: ConflictError,  # alias exists already
    1700: SchemaError,  # field not found
    1701: SchemaError,  # field name
    1804: SchemaError,  # vector dimension
    2100: RejectedError,  # import failed
    2200: RejectedError,  # inconsistent answers
}

OLD_CODES: dict[str, type[MilvusLabError]] = {
    "ConnectFailed": UnreachableError,
    "PermissionDenied": ForbiddenError,
    "CollectionNotExists": NotFoundError,
    "IllegalArgument": UsageError,
    "IllegalDimension": SchemaError,
    "IllegalIndexType": UnsupportedError,
    "IllegalCollectionName": SchemaError,
    "IllegalTOPK": LimitError,
    "IllegalRowRecord": SchemaError,
    "IllegalVectorID": SchemaError,
    "IllegalSearchResult": RejectedError,
    "FileNotFound": NotFoundError,
    "MetaFailed": RejectedError,
    "CacheFailed": RejectedError,
    "CannotCreateFolder": RejectedError,
    "CannotCreateFile": RejectedError,
    "CannotDeleteFolder": RejectedError,
    "CannotDeleteFile": RejectedError,
    "BuildIndexError": RejectedError,
    "IllegalNLIST": UsageError,
    "IllegalMetricType": UsageError,
    "OutOfMemory": LimitError,
    "IndexNotExist": NotFoundError,
    "EmptyCollection": RejectedError,
    "UpdateImportTaskFailure": RejectedError,
    "CollectionNameNotFound": NotFoundError,
    "CreateCredentialFailure": RejectedError,
    "UpdateCredentialFailure": RejectedError,
    "DeleteCredentialFailure": RejectedError,
    "GetCredentialFailure": RejectedError,
    "ListCredUsersFailure": RejectedError,
    "GetUserFailure": RejectedError,
    "CreateRoleFailure": RejectedError,
    "DropRoleFailure": RejectedError,
    "OperateUserRoleFailure": RejectedError,
    "SelectRoleFailure": RejectedError,
    "SelectUserFailure": RejectedError,
    "SelectResourceFailure": RejectedError,
    "OperatePrivilegeFailure": RejectedError,
    "SelectGrantFailure": RejectedError,
    "RefreshPolicyInfoCacheFailure": RejectedError,
    "ListPolicyFailure": RejectedError,
    "NotShardLeader": RejectedError,
    "NoReplicaAvailable": RejectedError,
    "SegmentNotFound": RejectedError,
    "ForceDeny": ForbiddenError,
    "RateLimit": RateLimitedError,
    "NodeIDNotMatch": RejectedError,
    "UpsertAutoIDTrue": UnsupportedError,
    "InsufficientMemoryToLoad": LimitError,
    "MemoryQuotaExhausted": LimitError,
    "DiskQuotaExhausted": LimitError,
    "TimeTickLongDelay": RateLimitedError,
    "NotReadyServe": UnreachableError,
    "NotReadyCoordActivating": UnreachableError,
    "CreatePrivilegeGroupFailure": RejectedError,
    "DropPrivilegeGroupFailure": RejectedError,
    "ListPrivilegeGroupsFailure": RejectedError,
    "OperatePrivilegeGroupFailure": RejectedError,
    "SchemaMismatch": SchemaError,
    "DataCoordNA": UnreachableError,
    "DDRequestRace": ConflictError,
}

_HINTS: dict[type[MilvusLabError], str] = {
    UnreachableError: "is the server running? milvuslab status",
    TimedOutError: "give it longer, or look at the server: milvuslab server logs NAME",
    RateLimitedError: "send less at a time, or later",
    ForbiddenError: "check the token of the profile and the rights of its user",
    LimitError: "make the request smaller, or give the server more room",
}


def from_status(*, old: str, new: int, reason: str, what: str) -> MilvusLabError:
    """The error for a failed status.

    Args:
        old: name of the old code, `UnexpectedError` when there is none.
        new: the new code, 0 when the server sends none.
        reason: the server's words.
        what: what we were doing, `search in docs`.
    """
    reason = plain_words(reason)
    found = class_by_text(reason) if new in _GENERIC_NEW_CODES or new not in NEW_CODES else None
    if found is None and new in NEW_CODES:
        found = class_by_text(reason) if NEW_CODES[new] in (UsageError, SchemaError) else None
        found = found or NEW_CODES[new]
    return _make(found or OLD_CODES.get(old, RejectedError), reason=reason, what=what, server_code=new or old)


def from_rpc(error: Any, *, what: str) -> MilvusLabError:
    """The error for a `grpc.RpcError`."""
    name = error.code().name
    reason = plain_words(error.details() or name.lower())
    if name == "UNAVAILABLE" and is_wrong_tls(reason):
        return ConfigError(
            f"{what}: no agreement on TLS: {reason[:500]}",
            hint="name the certificate authority (ca_pem_path) and the name in the certificate (server_name); "
            "a server without TLS is http://HOST:PORT",
            context={"server_code": name},
        )
    if name == "UNAVAILABLE":
        # Refused before anything was sent, or lost on the way: only the first is safe to repeat.
        found: type[MilvusLabError] = TimedOutError if is_lost_connection(reason) else UnreachableError
    elif "http2 header" in reason:
        # Something answers that speaks no gRPC.
        found, reason = UnreachableError, f"what answers there is no Milvus server ({reason})"
    elif name == "RESOURCE_EXHAUSTED":
        found = LimitError if is_message_too_large(reason) else RateLimitedError
    else:
        found = (
            {
                "DEADLINE_EXCEEDED": TimedOutError,
                "CANCELLED": TimedOutError,
                "UNAUTHENTICATED": ForbiddenError,
                "PERMISSION_DENIED": ForbiddenError,
                "UNIMPLEMENTED": UnsupportedError,
                "INVALID_ARGUMENT": UsageError,
                "NOT_FOUND": NotFoundError,
                "ALREADY_EXISTS": ConflictError,
            }.get(name)
            or class_by_text(reason)
            or RejectedError
        )
    return _make(found, reason=reason, what=what, server_code=name)


@contextlib.contextmanager
def translated(*, what: str) -> Iterator[None]:
    """Runs one gRPC call and turns its failure into ours.

    Raises:
        MilvusLabError: by `from_rpc`; a call on a gateway that somebody closed is `RejectedError`.
    """
    import grpc

    try:
        yield
    except grpc.RpcError as error:
        raise from_rpc(error, what=what) from error
    except ValueError as error:
        # gRPC says "Cannot invoke RPC on closed channel!" with a ValueError.
        raise RejectedError(f"{what}: the gateway is closed", hint="connect again") from error


def _make(found: type[MilvusLabError], *, reason: str, what: str, server_code: int | str) -> MilvusLabError:
    words = reason[:500]
    context = {"server_code": server_code, "server_words": words}
    if found is UnsupportedError:
        unsupported = UnsupportedError(what, needs="another server", has=f"one that says: {words}")
        unsupported.context.update(context)
        return unsupported
    if found is FilterError:
        return FilterError(f"{what}: {words}", source=words)
    return found(f"{what}: {words}", hint=_HINTS.get(found, ""), context=context)
