"""Recall of what is served: measured aside, kept, and measured again when the collection has changed."""

import threading
from types import SimpleNamespace

from milvuslab.apps.text.served_recall import ServedRecall
from milvuslab.model.errors import UsageError
from milvuslab.studio.watch.recall import RecallWatch
from tests.studios import wait_for

NOTES, OTHERS = SimpleNamespace(name="notes"), SimpleNamespace(name="others")


def make_recall(passage_count):
    return ServedRecall(recall=0.99, k=10, query_count=20, passage_count=passage_count, ef=256)


def test_nobody_waits_for_the_figure_and_one_is_measured_at_a_time():
    gate, asked = threading.Event(), []

    def measure(collection):
        asked.append(collection.name)
        assert gate.wait(10)
        return make_recall(100)

    watch = RecallWatch(measure)
    assert watch.get(NOTES, row_count=100) is None
    assert watch.get(OTHERS, row_count=100) is None
    wait_for(lambda: asked == ["notes"])
    gate.set()
    wait_for(lambda: watch.get(NOTES, row_count=100) == make_recall(100))
    assert watch.get(NOTES, row_count=101) == make_recall(100)
    wait_for(lambda: watch.get(OTHERS, row_count=100) is not None)
    assert asked == ["notes", "others"]


def test_what_cannot_be_measured_is_no_figure_and_no_noise(caplog):
    def refuse(collection):
        raise UsageError("too few passages", hint="load more")

    watch = RecallWatch(refuse)
    assert watch.get(NOTES, row_count=3) is None
    wait_for(lambda: not any(each.name == "recall-notes" for each in threading.enumerate()))
    assert watch.get(NOTES, row_count=3) is None
    assert not [record for record in caplog.records if record.levelname != "INFO"]


def test_nothing_and_too_much_are_not_measured():
    watch = RecallWatch(lambda collection: (_ for _ in ()).throw(AssertionError("it was measured")))
    assert watch.get(NOTES, row_count=0) is None
    assert watch.get(NOTES, row_count=300_001) is None
