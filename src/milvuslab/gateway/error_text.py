"""The words of servers, where a code says no more than "failed".

Every rule here answers to messages recorded from real servers (`tests/gateway/cases/server_messages.json`).
"""

from __future__ import annotations

import re

from milvuslab.model.errors import (
    ConflictError,
    FilterError,
    ForbiddenError,
    LimitError,
    MilvusLabError,
    NotFoundError,
    RateLimitedError,
    SchemaError,
    TimedOutError,
    UnreachableError,
    UnsupportedError,
    UsageError,
)

__all__ = ["class_by_text", "is_lost_connection", "is_message_too_large", "is_wrong_tls", "plain_words"]

_RULES: tuple[tuple[str, type[MilvusLabError]], ...] = (
    (r"auth check fail|unauthenticated|password|not authenticated|permission deny", ForbiddenError),
    (r"rate ?limit|request is rejected by grpc RateLimiter", RateLimitedError),
    (r"cannot parse expression|expression is empty|empty expression|invalid expression|parse error", FilterError),
    (r"failed to create (query|delete|expr) plan|at column \d+", FilterError),
    (r"not ready|is not healthy|is not serving|find no available \w*coord", UnreachableError),
    (
        r"on loaded collection|not (fully )?loaded|has not been loaded|is in loading state|collection.*was not loaded",
        ConflictError,
    ),
    (r"already exist|duplicated? (collection|partition|alias)|at most one (distinct )?index|is loaded", ConflictError),
    (r"context deadline exceeded", TimedOutError),
    (r"not support|unsupported|unimplemented|not implemented|invalid index type", UnsupportedError),
    (r"can'?t find|not exist|non-exist|does not exist|not found|doesn'?t exist|no index on", NotFoundError),
    (
        r"topk \[?\d+\]? is invalid|top k should be|nodes? not enough|exceeds? the limit|out of memory|too large|exceed",
        LimitError,
    ),
    (r"cannot unmarshal|dim(ension)?\b|schema|field|varchar", SchemaError),
    (r"invalid|illegal|should be|must be|out of range", UsageError),
)
_WRAPPER = re.compile(r"(rpc error: code = \w+ desc = |code: \w+, reason: |timestamp = \d+: |attempt #\d+: )")
_COMPILED = tuple((re.compile(pattern, re.IGNORECASE), found) for pattern, found in _RULES)


def class_by_text(reason: str) -> type[MilvusLabError] | None:
    """The class that the words point to, first rule that fits; None when they say nothing we know."""
    for pattern, found in _COMPILED:
        if pattern.search(reason):
            return found
    return None


def plain_words(reason: str) -> str:
    """The message itself, without the stack trace, time and wrappers that 2.2 and 2.3 put before it.

    >>> plain_words("timestamp = 47: collection not found[collection=docs]")
    'collection not found[collection=docs]'
    """
    words = reason.strip()
    if words.startswith("stack trace:"):
        words = re.sub(r"^\S+\.go:\d+ \S+: ", "", words.splitlines()[-1])
    while (found := _WRAPPER.match(words)) is not None and found.end() < len(words):
        words = words[found.end() :]
    return " ".join(words.split())


def is_wrong_tls(reason: str) -> bool:
    """Whether the two sides could not agree on TLS: a certificate not trusted, another name, or none at all."""
    return bool(re.search(r"certificate|handshake failed|verification|wrong_version_number", reason, re.IGNORECASE))


def is_lost_connection(reason: str) -> bool:
    """Whether a connection that stood was lost, so that the call may have been executed."""
    if "failed to connect" in reason:
        return False
    return bool(re.search(r"socket closed|goaway|reset by peer|broken pipe|recvmsg|keepalive", reason, re.IGNORECASE))


def is_message_too_large(reason: str) -> bool:
    """Whether gRPC refused a message for its size."""
    return "larger than max" in reason.lower()
