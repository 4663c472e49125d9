"""The one form of an error over HTTP: `code`, `message`, `hint`, `context`, `request_id`.

Errors of ours keep their code and status (`model/errors.py`). The door adds five codes that only HTTP knows:
`bad_request`, `unauthorized`, `method_not_allowed`, `validation`, `internal`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from milvuslab.model.errors import MilvusLabError

__all__ = ["HTTP_CODES", "Problem", "problem_of"]

HTTP_CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "timed_out",
    413: "limit",
    415: "media",
    422: "validation",
    429: "rate_limited",
    500: "internal",
}
"""Code of an error that did not come from our tree, by status."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An error on its way out.

    Attributes:
        status: of the HTTP answer.
        code: the stable word for machines.
        message: one sentence.
        hint: the next step; may be empty.
        context: values for machines.
        headers: that go with the answer: `Retry-After`, `WWW-Authenticate`, `Allow`.
    """

    status: int
    code: str
    message: str
    hint: str = ""
    context: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def body(self, request_id: str) -> bytes:
        """The JSON body."""
        content = {
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "context": dict(self.context),
            "request_id": request_id,
        }
        # A surrogate in a message (from a hostile file name, say) must not break the answer: it is escaped.
        return json.dumps(content, default=str).encode("ascii")


def problem_of(error: MilvusLabError) -> Problem:
    """An error of ours as an answer; a retryable one, or a thing that is starting, says when to come back."""
    headers = {"Retry-After": "2"} if error.http_status in (429, 503) else {}
    return Problem(
        status=error.http_status,
        code=error.code,
        message=error.message,
        hint=error.hint,
        context=error.context,
        headers=headers,
    )
