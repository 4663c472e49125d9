import threading
import time

import pytest

from milvuslab.model.errors import StartError
from milvuslab.model.progress import Progress
from milvuslab.ops.together import run_together


def test_results_come_by_name_and_pieces_run_side_by_side():
    barrier = threading.Barrier(2, timeout=10)

    def piece(observer):
        barrier.wait()
        return threading.current_thread().name

    results = run_together({"a": piece, "b": piece})
    assert results == {"a": "together-a", "b": "together-b"}


def test_nothing_to_do_is_done():
    assert run_together({}) == {}


def test_events_of_all_are_seen_one_at_a_time():
    inside, seen = [], []

    def observer(progress):
        inside.append(1)
        assert len(inside) == 1
        seen.append(progress.step)
        inside.pop()

    def piece(observe):
        for _ in range(200):
            observe(Progress(step="x"))

    run_together({"a": piece, "b": piece, "c": piece}, observer=observer)
    assert len(seen) == 600


def wait_politely(ended):
    def piece(observe):
        try:
            while True:
                observe(Progress(step="wait"))
                time.sleep(0.01)
        finally:
            ended.set()

    return piece


def test_the_first_failure_ends_the_others_and_is_raised():
    ended = threading.Event()

    def fail(observe):
        raise StartError("it died")

    with pytest.raises(StartError, match="it died"):
        run_together({"fails": fail, "waits": wait_politely(ended)})
    assert ended.is_set()


def test_ctrl_c_ends_all_pieces():
    ended = threading.Event()

    def observer(progress):
        raise KeyboardInterrupt  # what a bar may do; raised in the piece

    with pytest.raises(KeyboardInterrupt):
        run_together({"waits": wait_politely(ended)}, observer=observer)
    assert ended.is_set()


def test_what_a_piece_waits_for_is_taken_away_when_it_does_not_end():
    gone, called = threading.Event(), []

    def deaf(observe):
        gone.wait(30)

    def fail(observe):
        raise StartError("it died")

    def take_away():
        called.append(1)
        gone.set()

    began_s = time.monotonic()
    with pytest.raises(StartError):
        run_together({"deaf": deaf, "fails": fail}, on_stop=take_away, stop_timeout_s=20)
    assert called == [1]
    assert time.monotonic() - began_s < 15


def test_a_piece_that_cannot_be_stopped_is_left_after_its_time():
    gone = threading.Event()

    def fail(observe):
        raise StartError("it died")

    with pytest.raises(StartError):
        run_together({"deaf": lambda observe: gone.wait(30), "fails": fail}, stop_timeout_s=0.1)
    gone.set()
