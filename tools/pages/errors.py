"""The page of all errors, from the classes in `model/errors.py`."""

from __future__ import annotations

import inspect
from pathlib import Path

from milvuslab.model import errors

__all__ = ["render_page"]

_HEAD = """# Errors

Every failure that a person may see is one of these. A command prints the message and the next step to standard error and
ends with the exit code; with `--json` it prints the object instead. The HTTP API answers with the status and the same object:

```json
{"code": "not_found", "message": "what failed, on what, with which value", "hint": "the next step", "context": {}}
```

HTTP answers carry a `request_id` besides. *Retryable* means that a machine may repeat the call as it is: nothing was executed.

| code | class | exit code | HTTP status | retryable | meaning |
|---|---|---|---|---|---|
"""

_TAIL = """
Other exit codes of the command: 0 when all went well, 70 for a fault of ours (please report it), 130 when stopped by Ctrl-C,
143 when told to end.
"""


def render_page(root_dir: Path) -> str:
    """The tree as drawn in the code, and a table with one row a class."""
    del root_dir
    drawing = inspect.cleandoc(errors.__doc__ or "").split("\n\n")[1]
    rows = "\n".join(_row(kind) for kind in _below(errors.MilvusLabError))
    return f"{_HEAD}{rows}\n\n## The tree\n\n```\n{inspect.cleandoc(drawing)}\n```\n{_TAIL}"


def _below(kind: type[errors.MilvusLabError]) -> list[type[errors.MilvusLabError]]:
    below = [kind]
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            below += _below(child)
    return below


def _row(kind: type[errors.MilvusLabError]) -> str:
    # The code is a property of a value; it depends on the class alone.
    code = kind.code.fget(kind.__new__(kind))  # type: ignore[attr-defined]
    meaning = (inspect.getdoc(kind) or "").split("\n\n")[0].replace("\n", " ").rstrip(".")
    retryable = "yes" if kind.retryable else "no"
    return f"| `{code}` | {kind.__name__} | {kind.exit_code} | {kind.http_status} | {retryable} | {meaning} |"
