"""What a comparison may ask for."""

import pytest

from milvuslab.bench.vectordbbench import TOOL_LIMITS, ToolCase
from milvuslab.model.errors import UsageError
from milvuslab.model.metric import Metric


def test_the_case_says_the_index_and_how_it_is_searched():
    case = ToolCase()
    assert case.index.index_type == "HNSW"
    assert case.index.params == {"M": 16, "efConstruction": 200}
    assert case.search_params == {"ef": 64}
    assert case.as_dict()["metric"] == "L2"


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"metric": Metric.HAMMING}, "HAMMING"),
        ({"ef": 5}, "ef is 5"),
        ({"in_flight": 0}, "in_flight"),
        ({"k": 0}, "k is 0"),
    ],
    ids=["metric", "ef", "in-flight", "k"],
)
def test_what_the_tool_cannot_do_is_refused_before_anything_runs(values, word):
    with pytest.raises(UsageError, match=word):
        ToolCase(**values)


def test_the_limits_of_the_tool_are_whole_sentences():
    assert all(limit.endswith(".") for limit in TOOL_LIMITS)
