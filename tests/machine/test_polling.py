import time

from milvuslab.machine.polling import poll_until


def test_the_first_answer_ends_the_polling():
    answers = iter([None, False, 7, 8])
    assert poll_until(lambda: next(answers), timeout_s=5, interval_s=0.001) == 7


def test_the_deadline_ends_it_too():
    started_s = time.monotonic()
    assert poll_until(lambda: None, timeout_s=0.1, interval_s=0.01) is None
    assert 0.1 <= time.monotonic() - started_s < 2


def test_it_asks_once_even_without_any_time():
    assert poll_until(lambda: "yes", timeout_s=0) == "yes"
