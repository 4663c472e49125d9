"""Aliases: second names of collections, moved in one step."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from milvuslab.gateway.session import Session
from milvuslab.model.collection import check_name
from milvuslab.model.errors import ConflictError, NotFoundError, UnsupportedError

__all__ = ["Aliases"]


class Aliases:
    """Makes, moves, lists and drops aliases."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def create(self, name: str, alias: str) -> None:
        """Gives the collection a second name.

        Raises:
            ConflictError: the alias, or a collection of that name, exists.
        """
        check_name(alias, what="alias")
        with contextlib.suppress(NotFoundError):
            # Servers would answer "yes" again to an alias that leads there already.
            taken = self._session.spec(alias).name
            raise ConflictError(f"{alias} is taken, it leads to {taken}", hint="alter it, or take another name")
        request = self._session.protos.milvus.CreateAliasRequest(collection_name=name, alias=alias)
        self._change("CreateAlias", request, what=f"create alias {alias} for {name}")

    def alter(self, name: str, alias: str) -> None:
        """Points the alias to another collection, without a moment in between on one proxy."""
        request = self._session.protos.milvus.AlterAliasRequest(collection_name=name, alias=alias)
        self._change("AlterAlias", request, what=f"point alias {alias} to {name}")

    def drop(self, alias: str) -> None:
        """Removes the alias; the collection stays."""
        request = self._session.protos.milvus.DropAliasRequest(alias=alias)
        self._change("DropAlias", request, what=f"drop alias {alias}")

    def list(self, name: str) -> list[str]:
        """Aliases of the collection, sorted."""
        request = self._session.protos.milvus.DescribeCollectionRequest(collection_name=name)
        answer = self._session.caller.read("DescribeCollection", request, what=f"list aliases of {name}")
        if answer.aliases:
            return sorted(answer.aliases)
        # Lite leaves them out of the description but lists them; 2.2 and 2.3 do it the other way round.
        return [*self._list_by_call(name)]

    def _list_by_call(self, name: str) -> Sequence[str]:
        request = self._session.protos.milvus.ListAliasesRequest(collection_name=name)
        try:
            answer = self._session.caller.read("ListAliases", request, what=f"list aliases of {name}")
        except UnsupportedError:
            return []
        return sorted(answer.aliases)

    def _change(self, method: str, request: object, *, what: str) -> None:
        self._session.caller.change(method, request, what=what, timeout_s=self._session.slow_timeout_s)
        self._session.forget_all()
