"""Studies are made once, one at a time, kept, and their failures are told."""

import threading

import pytest

from milvuslab.model.errors import ConflictError, RateLimitedError, RejectedError
from milvuslab.studio.image_studies import StudyRoom
from tests.studios import wait_for


@pytest.fixture
def room():
    opened = StudyRoom()
    yield opened
    opened.close()


def wait_until_done(room, key, make):
    return wait_for(lambda: study if (study := room.get(key, make)).state == "done" else None, timeout_s=5)


def test_a_study_is_made_once_and_kept(room):
    calls = []
    make = lambda: calls.append(1) or "a map"  # noqa: E731
    assert room.get("map", make).state == "running"
    assert wait_until_done(room, "map", make).value == "a map"
    assert room.get("map", make).value == "a map"
    assert calls == [1]


def test_a_failure_is_told_once_and_then_it_is_tried_again(room):
    outcomes = [ConflictError("not now"), "made"]

    def make():
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    with pytest.raises(ConflictError, match="not now"):
        wait_until_done(room, "clusters", make)
    assert wait_until_done(room, "clusters", make).value == "made"


def test_a_fault_of_ours_is_logged_and_told(room, caplog):
    with pytest.raises(RejectedError):
        wait_until_done(room, "map", lambda: 1 / 0)
    assert "ZeroDivisionError" in caplog.text


def test_only_some_may_wait_and_only_some_are_kept(room):
    gate = threading.Event()
    for number in range(8):
        room.get(number, gate.wait)
    with pytest.raises(RateLimitedError):
        room.get("one more", gate.wait)
    gate.set()
    for number in range(8):
        assert wait_until_done(room, number, lambda: "again").value is True
    wait_until_done(room, "ninth", lambda: 9)
    assert room.get(0, lambda: "anew").state == "running"
