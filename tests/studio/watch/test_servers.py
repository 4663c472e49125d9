"""The watch over servers, with a scripted source: what it says while servers start, answer, fall silent and come back."""

import threading

import pytest

from milvuslab.model.errors import UnreachableError
from milvuslab.model.server import Capabilities
from milvuslab.studio.metrics import StudioMetrics
from milvuslab.studio.watch.servers import CollectionView, ServerFacts, ServerWatch
from tests.studios import wait_for


class ScriptedGateway:
    def __init__(self):
        self.is_closed = False

    def close(self):
        self.is_closed = True


class ScriptedSource:
    """Servers that do as the test says."""

    def __init__(self):
        self.facts = {}
        self.failure = None
        self.gateways = []

    def add(self, name, *, uri="http://127.0.0.1:1", is_running=True):
        self.facts[name] = ServerFacts(name=name, kind="standalone", uri=uri, is_running=is_running, memory_bytes=1)

    def list_facts(self):
        return list(self.facts.values())

    def connect(self, name):
        if self.failure:
            raise self.failure
        self.gateways.append(ScriptedGateway())
        return self.gateways[-1]

    def look(self, gateway):
        if self.failure:
            raise self.failure
        return (CollectionView(name="text_en", row_count=7),)

    def probe(self, gateway):
        return Capabilities(server_version="2.3.5")


@pytest.fixture
def source():
    return ScriptedSource()


@pytest.fixture
def watch(source):
    watch = ServerWatch(source, metrics=StudioMetrics(with_process=False), interval_s=0.05)
    watch.start()
    yield watch
    watch.stop()


def state_of(watch, name):
    return next((view.state for view in watch.views() if view.name == name), None)


def wait_state(watch, name, state):
    wait_for(lambda: state_of(watch, name) == state, timeout_s=10, what=lambda: str(watch.views()))


def test_a_server_that_answers_is_ready_with_all_it_holds(source, watch):
    source.add("alpha")
    wait_state(watch, "alpha", "ready")
    wait_for(lambda: watch.views()[0].capabilities is not None)
    (view,) = watch.views()
    assert (view.row_count, view.capabilities.server_version) == (7, "2.3.5")
    assert watch.gateway("alpha") is source.gateways[0]


def test_a_server_that_never_answered_is_starting(source, watch):
    source.failure = UnreachableError("nothing answers", hint="wait")
    source.add("alpha")
    wait_for(lambda: watch.views() and watch.views()[0].failure)
    assert state_of(watch, "alpha") == "starting"
    with pytest.raises(UnreachableError, match="is starting"):
        watch.gateway("alpha")


def test_a_server_that_falls_silent_fails_at_once_and_comes_back(source, watch):
    source.add("alpha")
    wait_state(watch, "alpha", "ready")
    source.failure = UnreachableError("nothing answers", hint="start it")
    wait_state(watch, "alpha", "unreachable")
    with pytest.raises(UnreachableError, match="does not answer: nothing answers") as caught:
        watch.gateway("alpha")
    assert caught.value.hint == "start it"
    source.failure = None
    watch.look_now("alpha")
    wait_state(watch, "alpha", "ready")
    assert watch.gateway("alpha") is source.gateways[0]


def test_a_stopped_server_is_not_asked(source, watch):
    source.add("alpha", is_running=False)
    wait_state(watch, "alpha", "stopped")
    assert source.gateways == []
    with pytest.raises(UnreachableError, match="not running") as caught:
        watch.gateway("alpha")
    assert caught.value.hint == "milvuslab server start alpha"


def test_a_server_with_another_address_gets_another_connection(source, watch):
    source.add("alpha")
    wait_state(watch, "alpha", "ready")
    source.add("alpha", uri="http://127.0.0.1:2")
    wait_for(lambda: len(source.gateways) == 2)
    wait_for(lambda: source.gateways[0].is_closed)


def test_a_removed_server_is_forgotten(source, watch):
    source.add("alpha")
    wait_state(watch, "alpha", "ready")
    del source.facts["alpha"]
    wait_for(lambda: watch.views() == ())
    with pytest.raises(UnreachableError):
        watch.gateway("alpha")


def test_a_fault_in_a_look_is_shown_and_does_not_end_the_watching(source, watch, caplog):
    source.failure = RuntimeError("a fault")
    source.add("alpha")
    wait_for(lambda: watch.views() and watch.views()[0].failure)
    assert "a fault" in caplog.text
    source.failure = None
    wait_state(watch, "alpha", "ready")


def test_stopping_closes_the_connections_and_ends_the_threads(source):
    watch = ServerWatch(source, metrics=StudioMetrics(with_process=False), interval_s=0.05)
    source.add("stopping")
    watch.start()
    wait_state(watch, "stopping", "ready")
    watch.stop()
    assert source.gateways[0].is_closed
    wait_for(lambda: not any(thread.name == "server-stopping" for thread in threading.enumerate()))
