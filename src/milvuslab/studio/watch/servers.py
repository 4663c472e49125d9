"""Servers as they stand, looked at every few seconds on a thread of their own each.

Nothing of the studio waits for a server: a page shows the last look, a search on a server that did not answer it fails at
once with a clear sentence, and the next good look makes it work again.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import logging
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Protocol

from milvuslab.model.errors import MilvusLabError, ServerError, UnreachableError

if TYPE_CHECKING:
    from milvuslab.gateway import Gateway
    from milvuslab.model.server import Capabilities
    from milvuslab.studio.metrics import StudioMetrics

__all__ = ["CollectionView", "ServerFacts", "ServerSource", "ServerState", "ServerView", "ServerWatch"]

_LOG = logging.getLogger(__name__)
_INTERVAL_S = 4.0
_INTERVAL_STARTING_S = 1.0

ServerState = Literal["starting", "ready", "unreachable", "stopped"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """What is known of a server without asking it.

    Attributes:
        name: of the profile.
        kind: `lite`, `standalone` or `remote`.
        uri: its address, nothing secret in it; changes when a server gets other ports.
        is_running: whether its process is there; True of a remote one, which nobody here can know.
        memory_bytes: resident memory of its process; None where there is none.
        disk_bytes: what its folder takes.
    """

    name: str
    kind: str
    uri: str
    is_running: bool
    memory_bytes: int | None = None
    disk_bytes: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CollectionView:
    """A collection at the last look.

    Attributes:
        name: of the collection.
        row_count: rows that searches see.
        load_state: `loaded`, `loading` or `not_loaded`.
        kind: `text` for passages of ours, else empty.
        encoder: name of the encoder of a text collection.
        dim: of its first float vector, None when it has none.
    """

    name: str
    row_count: int
    load_state: str = ""
    kind: str = ""
    encoder: str = ""
    dim: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServerView:
    """A server at the last look.

    Attributes:
        facts: what is known without asking it.
        state: `starting` until the first good look, then `ready` or `unreachable`; `stopped` without its process.
        failure: why the last look failed, one sentence.
        hint: the next step then.
        capabilities: what it can do; None until probed.
        collections: by name.
        looked_at: when, UTC; None before the first look.
    """

    facts: ServerFacts
    state: ServerState = "starting"
    failure: str = ""
    hint: str = ""
    capabilities: Capabilities | None = None
    collections: tuple[CollectionView, ...] = ()
    looked_at: dt.datetime | None = None

    @property
    def name(self) -> str:
        """Of the profile."""
        return self.facts.name

    @property
    def row_count(self) -> int:
        """Rows of all collections."""
        return sum(collection.row_count for collection in self.collections)


class ServerSource(Protocol):
    """Where servers come from, and how they are asked."""

    def list_facts(self) -> Sequence[ServerFacts]:
        """All servers there are now; asks none of them."""
        ...

    def connect(self, name: str) -> Gateway:
        """A connection that shows every failure at once: whoever waits for it is a person."""
        ...

    def look(self, gateway: Gateway) -> tuple[CollectionView, ...]:
        """What the server holds."""
        ...

    def probe(self, gateway: Gateway) -> Capabilities:
        """What the server can do; slow the first time, remembered afterwards."""
        ...


class ServerWatch:
    """Looks at all servers of a source, and hands out their connections; safe to use from many threads.

    Args:
        source: of the servers.
        metrics: told of every look.
        interval_s: between two looks at a server that answers.
    """

    def __init__(self, source: ServerSource, *, metrics: StudioMetrics, interval_s: float = _INTERVAL_S) -> None:
        self._source = source
        self._metrics = metrics
        self._interval_s = interval_s
        self._views: dict[str, ServerView] = {}
        self._gateways: dict[str, tuple[str, Gateway]] = {}
        self._wakes: dict[str, threading.Event] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self.is_listed = False

    def start(self) -> None:
        """Begins to look, now and again."""
        threading.Thread(target=self._follow_source, name="servers", daemon=True).start()

    def stop(self) -> None:
        """Ends the looking and closes the connections."""
        self._stopped.set()
        with self._lock:
            wakes, gateways = list(self._wakes.values()), [gateway for _, gateway in self._gateways.values()]
        for wake in wakes:
            wake.set()
        for gateway in gateways:
            gateway.close()

    def views(self) -> tuple[ServerView, ...]:
        """All servers at their last look, by name."""
        with self._lock:
            return tuple(self._views[name] for name in sorted(self._views))

    def gateway(self, name: str) -> Gateway:
        """The connection to a server that answered its last look.

        Raises:
            UnreachableError: the server is starting, stopped, or did not answer.
        """
        with self._lock:
            view, entry = self._views.get(name), self._gateways.get(name)
        if view is not None and view.state == "ready" and entry is not None:
            return entry[1]
        if view is not None and view.state == "stopped":
            raise UnreachableError(f"the server {name} is not running", hint=f"milvuslab server start {name}")
        if view is None or view.state == "starting":
            raise UnreachableError(f"the server {name} is starting", hint="try again in a few seconds")
        raise UnreachableError(f"the server {name} does not answer: {view.failure}", hint=view.hint)

    def look_now(self, name: str) -> None:
        """Asks for a look at once: somebody saw a failure, or changed what is there."""
        with self._lock:
            wake = self._wakes.get(name)
        if wake is not None:
            wake.set()

    def _follow_source(self) -> None:
        while not self._stopped.is_set():
            try:
                self._take_facts({facts.name: facts for facts in self._source.list_facts()})
            except MilvusLabError:
                _LOG.exception("the list of servers could not be read")
            self.is_listed = True
            self._stopped.wait(min(2.0, self._interval_s))

    def _take_facts(self, facts: dict[str, ServerFacts]) -> None:
        with self._lock:
            for gone in self._views.keys() - facts.keys():
                del self._views[gone]
                self._gateways.pop(gone, None)
                self._wakes.pop(gone).set()
            added = sorted(facts.keys() - self._views.keys())
            for name in added:
                self._views[name] = ServerView(facts=facts[name])
                self._wakes[name] = threading.Event()
            for name, view in self._views.items():
                self._views[name] = dataclasses.replace(view, facts=facts[name])
        for name in added:
            threading.Thread(
                target=self._watch, args=(name, self._wakes[name]), name=f"server-{name}", daemon=True
            ).start()

    def _watch(self, name: str, wake: threading.Event) -> None:
        while not self._stopped.is_set() and self._wakes.get(name) is wake:
            view = self._publish(name, self._look_at(name))
            if view.state == "ready" and view.capabilities is None:
                # Searches work from here on; what else the server can do may take a while to try out.
                self._publish(name, self._probe(name))
            wake.wait(self._interval_s if view.state == "ready" else _INTERVAL_STARTING_S)
            wake.clear()

    def _publish(self, name: str, changes: dict[str, object]) -> ServerView:
        now = dt.datetime.now(dt.timezone.utc)
        with self._lock:
            before = self._views.get(name)
            if before is None:  # removed meanwhile
                return ServerView(facts=ServerFacts(name=name, kind="remote", uri="", is_running=False))
            view = self._views[name] = dataclasses.replace(before, looked_at=now, **changes)  # type: ignore[arg-type]
        self._metrics.server_seen(name, is_up=view.state == "ready", row_count=view.row_count)
        return view

    def _look_at(self, name: str) -> dict[str, object]:
        with self._lock:
            before = self._views[name]
        if not before.facts.is_running:
            return {"state": "stopped", "failure": "", "hint": "", "capabilities": None}
        try:
            collections = self._source.look(self._connect(before.facts))
        except MilvusLabError as error:
            return _failed(before, error)
        except Exception:  # noqa: BLE001  a worker's edge: a fault in one look must not end the watching
            _LOG.exception("looking at server %s failed", name)
            return _failed(before, ServerError("the studio could not read it", hint="see the studio's log"))
        return {"state": "ready", "failure": "", "hint": "", "collections": collections}

    def _probe(self, name: str) -> dict[str, object]:
        with self._lock:
            entry = self._gateways.get(name)
        try:
            return {"capabilities": self._source.probe(entry[1])} if entry else {}
        except MilvusLabError as error:
            _LOG.warning("probing server %s failed: %s", name, error)
        except Exception:  # noqa: BLE001  a worker's edge, as above
            _LOG.exception("probing server %s failed", name)
        return {}

    def _connect(self, facts: ServerFacts) -> Gateway:
        with self._lock:
            entry = self._gateways.get(facts.name)
        if entry is not None and entry[0] == facts.uri:
            return entry[1]
        gateway = self._source.connect(facts.name)
        with self._lock:
            self._gateways[facts.name] = (facts.uri, gateway)
        if entry is not None:
            entry[1].close()
        return gateway


def _failed(before: ServerView, error: MilvusLabError) -> dict[str, object]:
    # A running server that never answered is starting: after `milvuslab up` that is the ordinary first minute.
    is_starting = before.state in ("starting", "stopped")
    return {"state": "starting" if is_starting else "unreachable", "failure": error.message, "hint": error.hint}
