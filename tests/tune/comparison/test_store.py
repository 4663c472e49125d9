"""The folder: read while it grows, taken up again, refused when it answers something else."""

import json

import pytest

from milvuslab.model.errors import ConfigError, ConflictError, NotFoundError
from milvuslab.tune.comparison import PlannedIndex, list_comparisons, read_comparison
from milvuslab.tune.comparison.store import ComparisonStore
from tests.tune.comparison.samples import ANNOY, HNSW, IVF, MANIFEST, QUESTION

PLANNED = tuple(PlannedIndex(index_type=one.index_type, server=one.server) for one in (HNSW, IVF))


@pytest.fixture
def store(tmp_path):
    made = ComparisonStore(folder=tmp_path / "run", question=QUESTION)
    made.open(MANIFEST)
    return made


def test_a_comparison_is_read_as_it_grows(store, tmp_path):
    begun = read_comparison(tmp_path / "run")
    assert (begun.planned, begun.results, begun.is_complete, begun.row_count) == ((), (), False, 1_000)
    store.plan(PLANNED, server="standalone", about={"version": "v2.3.5"})
    store.keep(IVF)
    half = read_comparison(tmp_path / "run")
    assert (half.planned, half.results) == (PLANNED, (IVF,))
    assert half.manifest["servers"] == {"standalone": {"version": "v2.3.5"}}
    store.keep(HNSW)
    store.complete()
    whole = read_comparison(tmp_path / "run")
    assert whole.is_complete
    assert whole.results == (HNSW, IVF), "in the order planned"


def test_the_same_question_takes_up_what_is_there(store, tmp_path):
    store.plan(PLANNED, server="standalone", about={})
    store.keep(HNSW)
    again = ComparisonStore(folder=tmp_path / "run", question=QUESTION)
    assert again.open({"measured_at": "later", "servers": {}}).manifest["measured_at"] == "2026-01-01"
    assert again.planned_of("standalone") == PLANNED
    assert again.planned_of("lite") is None
    assert again.find(PLANNED[0]) == HNSW
    assert again.find(PLANNED[1]) is None


def test_what_failed_is_measured_again(store):
    store.plan([PlannedIndex(index_type="ANNOY", server="milvus-2-2")], server="milvus-2-2", about={})
    store.keep(ANNOY)
    assert store.find(PlannedIndex(index_type="ANNOY", server="milvus-2-2")) is None


def test_another_question_is_refused_by_what_differs(store, tmp_path):
    other = ComparisonStore(folder=tmp_path / "run", question={**QUESTION, "k": 20, "metric": "IP"})
    with pytest.raises(ConflictError, match="other k, metric"):
        other.open(MANIFEST)


def test_another_choice_of_types_is_refused(tmp_path):
    for types in (["HNSW"], ["HNSW"]):
        ComparisonStore(folder=tmp_path, question=QUESTION, asked={"types": types}).open(MANIFEST)
    with pytest.raises(ConflictError, match="other types"):
        ComparisonStore(folder=tmp_path, question=QUESTION, asked={"types": []}).open(MANIFEST)


def test_time_is_added_up_also_of_work_that_broke(store, tmp_path):
    with store.timed():
        pass
    before = read_comparison(tmp_path / "run").wall_s
    with pytest.raises(KeyboardInterrupt), store.timed():
        raise KeyboardInterrupt
    assert read_comparison(tmp_path / "run").wall_s > before > 0


def test_a_folder_without_a_comparison_is_told(tmp_path):
    with pytest.raises(NotFoundError, match="no comparison in"):
        read_comparison(tmp_path)


def test_a_newer_format_is_refused(store, tmp_path):
    path = tmp_path / "run" / "comparison.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 2}))
    with pytest.raises(ConfigError, match="format 2"):
        read_comparison(tmp_path / "run")


def test_comparisons_are_listed_by_their_time(tmp_path):
    for name, moment in (("b", "2026-01-02"), ("a", "2026-01-03"), ("c", "2026-01-01")):
        store = ComparisonStore(folder=tmp_path / name, question=QUESTION)
        store.open({"measured_at": moment, "servers": {}})
    assert [one.folder.name for one in list_comparisons(tmp_path)] == ["c", "b", "a"]
    assert list_comparisons(tmp_path / "empty") == ()
