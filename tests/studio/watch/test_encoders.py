"""Encoders that open in the background: nobody waits, everybody is told how far, failures are tried again."""

import threading

import pytest

from milvuslab.model.errors import StartError, UnreachableError
from milvuslab.model.progress import Progress
from milvuslab.studio.watch import encoders as module
from milvuslab.studio.watch.encoders import EncoderWatch
from tests.studios import wait_for


def test_an_encoder_is_given_once_it_is_open_and_opened_once():
    may_open, opened = threading.Event(), []

    def open_encoder(name, observer):
        opened.append(name)
        observer(Progress(step="build graph", done_count=3, total_count=4, unit="parts"))
        assert may_open.wait(10)
        return f"encoder {name}"

    watch = EncoderWatch(open_encoder)
    with pytest.raises(StartError, match="is being prepared"):
        watch.get("minilm")
    wait_for(lambda: watch.views()[0].done_ratio == 0.75)
    with pytest.raises(StartError, match=r"build graph \(75%\)") as caught:
        watch.get("minilm")
    assert caught.value.context["done_ratio"] == 0.75
    may_open.set()
    wait_for(lambda: watch.views()[0].state == "ready")
    assert watch.get("minilm") == "encoder minilm"
    assert opened == ["minilm"]


def test_a_failure_is_told_and_tried_again_later(monkeypatch):
    outcomes = [UnreachableError("no network", hint="connect"), "an encoder"]

    def open_encoder(name, observer):
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    watch = EncoderWatch(open_encoder)
    watch.warm("e5-small")
    wait_for(lambda: watch.views()[0].state == "failed")
    with pytest.raises(UnreachableError, match="no network"):
        watch.get("e5-small")
    assert (watch.views()[0].failure, watch.views()[0].hint) == ("no network", "connect")
    monkeypatch.setattr(module, "_RETRY_S", 0.0)
    watch.warm("e5-small")
    wait_for(lambda: watch.views()[0].state == "ready")
    assert watch.get("e5-small") == "an encoder"


def test_a_fault_becomes_a_failure_with_its_traceback_in_the_log(caplog):
    def open_encoder(name, observer):
        raise ZeroDivisionError("a fault")

    watch = EncoderWatch(open_encoder)
    watch.warm("minilm")
    wait_for(lambda: watch.views()[0].state == "failed")
    assert "ZeroDivisionError" in caplog.text
    with pytest.raises(StartError, match="could not be opened"):
        watch.get("minilm")
