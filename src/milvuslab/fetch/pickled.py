"""Pickles of others, read without running anything: only the names that a caller allows stand for something.

A pickle is a program, and its instruction "take this name of that module and call it" is what makes it dangerous. Here
every such name is looked up in a table of the caller's own functions; nothing is imported. What remains (numbers, texts,
lists, dictionaries) can take memory of the order of the file's size and nothing else.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from typing import IO, Any

from milvuslab.model.errors import CheckFailedError

__all__ = ["read_pickle"]


def read_pickle(
    file: IO[bytes],
    *,
    allowed: Mapping[tuple[str, str], Any],
    find_external: Callable[[Any], Any] | None = None,
    encoding: str = "bytes",
) -> Any:
    """The next value of a file, which is left behind it.

    Args:
        allowed: (module, name) to what stands for it: a function or class of the caller.
        find_external: gives the object of a persistent id, which some formats use for data beside the pickle.
        encoding: of the byte strings of Python 2; `bytes` leaves them as they are.

    Raises:
        CheckFailedError: the file names something else, or is no pickle.
    """
    try:
        return _Restricted(file, allowed, find_external, encoding).load()
    except CheckFailedError:
        raise
    # The reader of pickles raises whatever the damage makes of the instruction it meets.
    except Exception as error:  # noqa: BLE001 - at the border to a stranger's file; every failure means the same
        raise CheckFailedError(f"it is no pickle that can be read: {error}"[:300], findings=["pickle"]) from None


class _Restricted(pickle.Unpickler):
    def __init__(
        self,
        file: IO[bytes],
        allowed: Mapping[tuple[str, str], Any],
        find_external: Callable[[Any], Any] | None,
        encoding: str,
    ) -> None:
        super().__init__(file, encoding=encoding)
        self._allowed = allowed
        self._find_external = find_external

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._allowed[module, name]
        except KeyError:
            raise CheckFailedError(
                f"the pickle wants to use {module}.{name}, which is not allowed here"[:300],
                findings=[f"{module}.{name}"[:200]],
                hint="do not open it with Python's own pickle: it may run a program",
            ) from None

    def persistent_load(self, pid: Any) -> Any:
        if self._find_external is None:
            raise CheckFailedError("the pickle refers to data beside it", findings=["persistent id"])
        return self._find_external(pid)
