"""The errors of milvuslab: one tree, one exit code and one HTTP status per class.

    MilvusLabError
    ├── UsageError               the caller must change something
    │   ├── ConfigError          a setting or a profile is wrong
    │   ├── SchemaError          a collection, field or row does not fit its schema
    │   ├── FilterError          a filter is wrong, or names a field that is not there
    │   ├── NotFoundError        a collection, document, server or file is not there
    │   ├── ConflictError        the thing exists already, or is in use
    │   ├── UnsupportedError     this server, platform or installation cannot do it
    │   ├── LimitError           the request is larger than a limit allows
    │   ├── MediaError           a file is of no type that is read, or is damaged
    │   └── ForbiddenError       the caller did not show the right to do it
    ├── ServerError              a server refused or is away
    │   ├── UnreachableError     nothing answers at the address; retryable
    │   ├── TimedOutError        no answer in time; the outcome is unknown
    │   ├── RateLimitedError     the server asks for less; retryable
    │   ├── RejectedError        the server answered with a failure of its own
    │   └── StartError           a program that we start did not become ready
    ├── PartialError             some of it happened
    └── CheckFailedError         a check found a difference

A message says what failed, on what, with which value. `hint` is the next command or setting to try.
Unknown failures are final: only classes marked retryable may be tried again by a machine.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

__all__ = [
    "CheckFailedError",
    "ConfigError",
    "ConflictError",
    "FilterError",
    "ForbiddenError",
    "LimitError",
    "MediaError",
    "MilvusLabError",
    "NotFoundError",
    "PartialError",
    "RateLimitedError",
    "RejectedError",
    "SchemaError",
    "ServerError",
    "StartError",
    "TimedOutError",
    "UnreachableError",
    "UnsupportedError",
    "UsageError",
    "missing_extra",
    "suggest",
]


class MilvusLabError(Exception):
    """Base of every error a person may see.

    Args:
        message: one sentence: what failed, on what, with which value.
        hint: the next command or setting to try; empty when there is none.
        context: values for machines (names, codes, limits). Never a secret.
    """

    exit_code: ClassVar[int] = 3
    http_status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str = "", context: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.context: dict[str, Any] = dict(context or {})

    @property
    def code(self) -> str:
        """Name of the class in snake case without `Error`: the stable word for machines, `not_found`."""
        name = type(self).__name__.removesuffix("Error")
        return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")

    def as_dict(self) -> dict[str, Any]:
        """The error as the CLI's `--json` and the HTTP API print it."""
        return {"code": self.code, "message": self.message, "hint": self.hint, "context": self.context}


class UsageError(MilvusLabError):
    """The caller must change something: a name, a value, a setting."""

    exit_code = 2
    http_status = 400


class ConfigError(UsageError):
    """A setting, a profile or a file of ours is wrong."""


class SchemaError(UsageError):
    """A collection, field or row does not fit its schema."""

    http_status = 422


class FilterError(UsageError):
    """A filter is wrong, or names a field that is not there.

    Args:
        source: the filter as it was given or rendered.
        column: offset of the fault in `source`, or None where the server does not say.
    """

    http_status = 422

    def __init__(self, message: str, *, source: str = "", column: int | None = None, hint: str = "") -> None:
        super().__init__(message, hint=hint, context={"source": source, "column": column})
        self.source = source
        self.column = column


class NotFoundError(UsageError):
    """A collection, document, server, setting or file is not there."""

    http_status = 404


class ConflictError(UsageError):
    """The thing exists already with other properties, or somebody else is using it."""

    http_status = 409


class UnsupportedError(UsageError):
    """This server, platform or installation cannot do what was asked; nothing was created.

    Args:
        feature: what was asked, `index:ANNOY`.
        needs: what would provide it, `Milvus 2.2.16`.
        has: what is there instead.
    """

    http_status = 501

    def __init__(self, feature: str, *, needs: str, has: str, hint: str = "") -> None:
        super().__init__(
            f"{feature} is not supported here: it needs {needs}, there is {has}",
            hint=hint,
            context={"feature": feature, "needs": needs, "has": has},
        )
        self.feature = feature
        self.needs = needs
        self.has = has


class LimitError(UsageError):
    """The request is larger than a limit allows; the message names the limit and its setting."""

    http_status = 413


class MediaError(UsageError):
    """A file that was handed over is of no type that is read here, or is damaged."""

    http_status = 415


class ForbiddenError(UsageError):
    """The caller did not show the right to do it: a key is missing or wrong, or an address is not allowed."""

    http_status = 403


class ServerError(MilvusLabError):
    """A server refused or is away."""

    exit_code = 3
    http_status = 502


class UnreachableError(ServerError):
    """Nothing answers at the address. Nothing was executed, so the call may be repeated."""

    http_status = 503
    retryable = True


class TimedOutError(ServerError):
    """No answer in time. The outcome is unknown: repeat only calls that are idempotent."""

    http_status = 504


class RateLimitedError(ServerError):
    """The server asks for less. Nothing was executed, so the call may be repeated later."""

    http_status = 429
    retryable = True


class RejectedError(ServerError):
    """The server answered with a failure that is neither the caller's mistake nor a passing state."""


class StartError(ServerError):
    """A program that we start did not become ready; the message carries its last log lines."""

    http_status = 503


class PartialError(MilvusLabError):
    """Some of it happened.

    Args:
        done_count: how many items were applied and acknowledged.
        failed_ids: ids of the items that were not.
        resume_token: what to pass to go on; empty when the call is simply repeated.
    """

    exit_code = 4

    def __init__(
        self, message: str, *, done_count: int, failed_ids: Sequence[Any] = (), resume_token: str = "", hint: str = ""
    ) -> None:
        super().__init__(
            message,
            hint=hint,
            context={"done_count": done_count, "failed_ids": list(failed_ids), "resume_token": resume_token},
        )
        self.done_count = done_count
        self.failed_ids = tuple(failed_ids)
        self.resume_token = resume_token


class CheckFailedError(MilvusLabError):
    """A gate, drift check or diagnosis found a difference.

    Args:
        findings: one sentence per difference.
    """

    exit_code = 1

    def __init__(self, message: str, *, findings: Sequence[str], hint: str = "") -> None:
        super().__init__(message, hint=hint, context={"findings": list(findings)})
        self.findings = tuple(findings)


def suggest(wrong: str, valid: Iterable[str]) -> str:
    """A hint for a mistyped name: the nearest valid one, or the list of all.

    >>> suggest("standalon", ["lite", "standalone"])
    'did you mean standalone?'
    >>> suggest("xyz", ["lite", "standalone"])
    'valid: lite, standalone'
    """
    names = sorted(valid)
    near = difflib.get_close_matches(wrong, names, n=1)
    if near:
        return f"did you mean {near[0]}?"
    return f"valid: {', '.join(names)}" if names else "there is none yet"


def missing_extra(package: str, extra: str) -> UnsupportedError:
    """The error for a feature whose optional packages are not installed.

    >>> missing_extra("onnxruntime", "text").hint
    "pip install 'milvuslab[text]'"
    """
    return UnsupportedError(
        f"package {package}",
        needs=f"the extra {extra}",
        has="an installation without it",
        hint=f"pip install 'milvuslab[{extra}]'",
    )
