"""What moves to another proxy and what does not, over real gRPC links to addresses where nobody or somebody answers."""

import random
import re
import socket

import pytest

from milvuslab.gateway import RetryPolicy, connect_any
from milvuslab.gateway.router import Router
from milvuslab.model.errors import ForbiddenError, RejectedError, TimedOutError, UnreachableError
from milvuslab.model.server import Endpoint


class Lane:
    """A caller that answers, or fails, as the test says, and remembers what it was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def read(self, method, body, *, what, timeout_s):
        return self._answer(method, timeout_s)

    change = read

    def _answer(self, method, timeout_s):
        self.asked.append((method, timeout_s))
        answer = self.answers.pop(0) if self.answers else "fine"
        if isinstance(answer, Exception):
            raise answer
        return answer


AWAY, LATE = UnreachableError("nobody there"), TimedOutError("no answer")


def make_router(*lanes, retry=None, begin=0):
    class Dice(random.Random):
        def randrange(self, *_):
            return begin

    return Router(lanes, call_timeout_s=5, retry=retry or RetryPolicy.never(), dice=Dice(0))


def search(router):
    return router.read("Search", b"", what="search")


def insert(router):
    return router.change("Insert", b"", what="insert into docs")


def test_a_client_stays_where_it_is_answered():
    first, second = Lane(), Lane()
    router = make_router(first, second)
    assert [search(router) for _ in range(3)] == ["fine"] * 3
    assert (len(first.asked), len(second.asked), router.moved_count) == (3, 0, 0)


@pytest.mark.parametrize("failure", [AWAY, LATE], ids=["nobody there", "no answer"])
def test_a_search_goes_on_elsewhere_and_later_ones_begin_there(failure):
    first, second = Lane(failure), Lane()
    router = make_router(first, second)
    assert search(router) == search(router) == "fine"
    assert (len(first.asked), len(second.asked), router.moved_count) == (1, 2, 1)


def test_a_write_that_reached_nobody_goes_on_elsewhere():
    first, second = Lane(AWAY), Lane()
    assert insert(make_router(first, second)) == "fine"
    assert len(second.asked) == 1


def test_a_write_without_an_answer_is_unknown_and_never_sent_again():
    first, second = Lane(LATE), Lane()
    router = make_router(first, second, retry=RetryPolicy(attempt_count=5, first_pause_s=0.001))
    with pytest.raises(TimedOutError, match="whether it was executed is unknown") as caught:
        insert(router)
    assert caught.value.context["outcome"] == "unknown" and caught.value.hint
    assert (len(first.asked), len(second.asked)) == (1, 0)
    assert router.current == 1, "what comes next begins at a proxy that may live"


@pytest.mark.parametrize("failure", [RejectedError("no"), ForbiddenError("no")], ids=lambda error: error.code)
def test_an_answer_that_says_no_is_an_answer(failure):
    first, second = Lane(failure), Lane()
    with pytest.raises(type(failure)):
        search(make_router(first, second))
    assert second.asked == []


def test_the_last_failure_is_told_when_nobody_answers():
    router = make_router(Lane(AWAY), Lane(LATE), begin=1)
    with pytest.raises(UnreachableError):
        search(router)


def test_all_are_tried_again_as_the_policy_allows():
    lanes = Lane(AWAY, AWAY), Lane(AWAY, AWAY)
    router = make_router(*lanes, retry=RetryPolicy(attempt_count=3, first_pause_s=0.001))
    assert search(router) == "fine"
    assert [len(lane.asked) for lane in lanes] == [3, 2]


def test_clients_begin_at_different_proxies():
    begun = {
        Router([Lane(), Lane()], call_timeout_s=5, retry=RetryPolicy.never(), dice=random.Random(seed)).current
        for seed in range(20)
    }
    assert begun == {0, 1}


def test_a_deadline_is_that_of_each_try():
    first, second = Lane(LATE), Lane()
    make_router(first, second).read("Search", b"", what="search", timeout_s=2)
    assert first.asked == second.asked == [("Search", 2)]


def test_a_dead_proxy_at_the_beginning_is_skipped(lite_endpoint):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        dead = Endpoint(uri=f"http://127.0.0.1:{listener.getsockname()[1]}")
    for seed in range(4):
        with connect_any([dead, lite_endpoint], retry=RetryPolicy.never(), dice=random.Random(seed)) as gateway:
            assert "lite" in gateway.server_version
            assert gateway.session.caller.current == 1


def test_nobody_at_all_is_told_with_an_address():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        uri = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(UnreachableError, match=re.escape(uri)):
        connect_any([Endpoint(uri=uri)], retry=RetryPolicy.never())
