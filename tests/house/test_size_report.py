"""The size report counts what it says it counts."""

from tests.house.size_report import size_lines
from tests.house.source import parse


def test_longest_first_with_counts():
    long = parse("milvuslab.data.long", "def short():\n    return 1\n\n\nclass Big:\n    a = 1\n    b = 2\n    c = 3\n")
    short = parse("milvuslab.data.short", "x = 1\n")
    modules, functions, classes = size_lines([short, long], shown_count=1)
    assert modules == "2 modules, median 1 lines; longest: milvuslab.data.long 8"
    assert functions == "1 functions, median 2 lines; longest: data.long.short 2"
    assert classes == "1 classes, median 4 lines; longest: data.long.Big 4"
