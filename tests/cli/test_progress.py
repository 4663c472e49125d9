import io

from milvuslab.cli.progress import PlainLines, show_progress
from milvuslab.model.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_lines_come_at_the_beginning_and_the_end_of_a_step():
    stream = io.StringIO()
    with show_progress(stream=stream) as observer:
        for count in range(101):
            observer(Progress(step="embed", done_count=count, total_count=100, unit="passages"))
    assert stream.getvalue().splitlines() == [
        "embed: 0 of 100 passages (0 %)",
        "embed: 100 of 100 passages (100 %)",
    ]


def test_lines_come_between_after_a_while():
    stream = io.StringIO()
    lines = PlainLines(stream, interval_s=0.0)
    for count in range(3):
        lines(Progress(step="read", done_count=count, unit="documents"))
    assert stream.getvalue().splitlines() == ["read", "read: 1 documents", "read: 2 documents"]


def test_the_same_state_is_told_once():
    stream = io.StringIO()
    lines = PlainLines(stream, interval_s=0.0)
    for _ in range(5):
        lines(Progress(step="wait", message="port 1"))
    assert stream.getvalue() == "wait: port 1\n"


def test_a_terminal_gets_bars_that_are_gone_afterwards():
    stream = Terminal()
    with show_progress(stream=stream) as observer:
        observer(Progress(step="fetch", done_count=5_000_000, total_count=10_000_000, unit="bytes"))
    assert "fetch" in stream.getvalue()
    assert "5.0 of 10.0 MB" in stream.getvalue()
