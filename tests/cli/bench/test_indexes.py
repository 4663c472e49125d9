"""What `milvuslab bench indexes` prints, and what it refuses before any server is started."""

import pytest

from milvuslab.cli.bench.indexes import comparison_lines
from tests.tune.comparison.samples import ANNOY, HNSW, IVF, PQ, sample


def test_the_table_has_the_fastest_first_and_the_others_below():
    lines = list(comparison_lines(sample(IVF, PQ, HNSW, ANNOY)))
    assert lines[0] == "clustered-1000x8: 1,000 x 8, L2, recall@10 >= 0.95"
    assert lines[2].split()[:2] == ["HNSW", "standalone"]
    assert "M=16 efConstruction=200 ef=24  0.9600" in lines[2]
    assert lines[3].split()[0] == "IVF_FLAT"
    assert lines[4:] == [
        "IVF_PQ · standalone: not reached: IVF_PQ <m=4> reaches 0.8 in 500 queries",
        "ANNOY · milvus-2-2: failed: it broke",
        "took 42.0 s",
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--types", "HNWS"), "did you mean HNSW?"),
        (("--metric", "L3"), "L2"),
        (("--recall", "1.0"), "0.95"),
        (("--data", "nowhere.fvecs"), "nowhere.fvecs"),
        (("--servers", "standalon"), "standalone"),
    ],
)
def test_what_cannot_be_measured_is_refused_at_once(run, arguments, told):
    result = run("bench", "indexes", "--rows", "1000", "--dim", "8", *arguments)
    assert result.code == 2
    assert told in result.err
