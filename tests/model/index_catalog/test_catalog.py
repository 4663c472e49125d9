"""The catalogue is whole, and the checks find what servers ignore."""

import pytest

from milvuslab.model.errors import NotFoundError, UsageError
from milvuslab.model.index_catalog import INDEX_TYPES, check_build_params, check_search_params, get_index_type
from milvuslab.model.metric import Metric

WANTED = {
    "FLAT", "IVF_FLAT", "IVF_SQ8", "IVF_PQ", "IVF_RABITQ", "HNSW", "HNSW_SQ", "HNSW_PQ", "HNSW_PRQ", "ANNOY", "SCANN",
    "DISKANN", "AUTOINDEX", "BIN_FLAT", "BIN_IVF_FLAT", "MINHASH_LSH", "SPARSE_INVERTED_INDEX", "SPARSE_WAND",
    "GPU_IVF_FLAT", "GPU_IVF_PQ", "GPU_CAGRA", "GPU_BRUTE_FORCE", "INVERTED", "BITMAP", "STL_SORT", "Trie", "NGRAM",
}  # fmt: skip
TYPES = list(INDEX_TYPES.values())
PARAMETERS = [(one.name, parameter) for one in TYPES for parameter in (*one.build, *one.search)]


def test_every_index_type_of_2_2_to_2_6_is_there():
    assert set(INDEX_TYPES) >= WANTED
    assert INDEX_TYPES["HNSW"].other_kinds["INT8_VECTOR"] == "2.6"


@pytest.mark.parametrize("one", TYPES, ids=lambda one: one.name)
def test_an_entry_says_where_it_comes_from(one):
    assert "Milvus docs 2." in one.source
    assert one.summary.endswith(".")
    assert one.vector_kind in ("FLOAT_VECTOR", "BINARY_VECTOR", "SPARSE_FLOAT_VECTOR", "")
    assert bool(one.metrics) == bool(one.vector_kind)
    assert not one.until or one.since <= one.until
    assert sum(parameter.recall_knob for parameter in one.search) <= 1


@pytest.mark.parametrize(("name", "parameter"), PARAMETERS, ids=lambda one: getattr(one, "name", one))
def test_defaults_suggestions_and_ladders_are_within_range(name, parameter):
    for value in (parameter.default, parameter.suggested, *parameter.ladder):
        if value is not None:
            assert parameter.check(value, known={}) == value
    assert not parameter.since or parameter.since > get_index_type(name).since
    assert not parameter.recall_knob or len(parameter.ladder) >= 5


def test_a_name_is_found_in_any_case_and_a_wrong_one_is_corrected():
    assert get_index_type("hnsw").name == "HNSW"
    assert get_index_type("trie").name == "Trie"
    with pytest.raises(NotFoundError) as caught:
        get_index_type("IVFFLAT")
    assert caught.value.hint == "did you mean IVF_FLAT?"


@pytest.mark.parametrize(
    ("name", "params", "told"),
    [
        ("HNSW", {"epf": 64}, "did you mean ef?"),
        ("HNSW", {"EF": 64}, "did you mean ef?"),
        ("HNSW", {"efConstruction": 64}, "ef: limit to"),
        ("HNSW", {"nprobe": 8}, "valid: ef"),
        ("HNSW", {"params": {"ef": 64}}, "write them directly"),
        ("HNSW", {"ef": 9}, "limit is 10"),
        ("IVF_FLAT", {"nprob": 8}, "did you mean nprobe?"),
        ("IVF_FLAT", {"nprobe": 0}, "1 to nlist"),
        ("IVF_FLAT", {"nprobe": 129}, "nlist is 128"),
        ("IVF_SQ8", {"metric_type": "L2"}, "metric=..."),
        ("IVF_SQ8", {"topk": 10}, "limit=..."),
        ("IVF_SQ8", {"radius": 1.0}, "within=..."),
        ("FLAT", {"nprobe": 8}, "FLAT has no search parameters"),
        ("SCANN", {"nprobe": 8, "reorder_k": 5}, "limit is 10"),
        ("ANNOY", {}, "search_k: limit to"),
        ("AUTOINDEX", {"level": 3}, "valid: ef"),
        ("SPARSE_INVERTED_INDEX", {"drop_ratio_search": 1.5}, "0 to 1"),
    ],
)
def test_a_search_parameter_that_would_be_ignored_or_refused_is_named(name, params, told):
    with pytest.raises(UsageError) as caught:
        check_search_params(name, params, limit=10, build_params={"nlist": 128})
    assert told in caught.value.hint


def test_a_misplaced_parameter_is_told_where_it_belongs():
    with pytest.raises(UsageError, match=r"it is one of BIN_IVF_FLAT, .*IVF_FLAT"):
        check_search_params("HNSW", {"nprobe": 8}, limit=10)
    with pytest.raises(UsageError, match="is a build parameter of HNSW; a search ignores it"):
        check_search_params("HNSW", {"M": 8}, limit=10)
    with pytest.raises(UsageError, match="is a search parameter of HNSW; a build ignores it"):
        check_build_params("HNSW", {"M": 8, "efConstruction": 40, "ef": 10}, dim=8)


@pytest.mark.parametrize(
    ("name", "params", "told"),
    [
        ("HNSW", {"M": 16, "efConstruct": 200}, "did you mean efConstruction?"),
        ("HNSW", {"m": 16, "efConstruction": 200}, "did you mean M?"),
        ("HNSW", {"M": 16}, "efConstruction: 1 to"),
        ("HNSW", {"M": 4_096, "efConstruction": 200}, "2 to 2,048"),
        ("IVF_PQ", {"nlist": 128, "m": 5}, "give one of 1, 2, 3, 4, 6, 12"),
        ("IVF_PQ", {"nlist": 128}, "m: 1 to"),
        ("IVF_FLAT", {"nlist": 70_000}, "1 to 65,536"),
        ("HNSW_SQ", {"sq_type": "SQ9"}, "SQ"),
        ("FLAT", {"nlist": 8}, "FLAT has no build parameters"),
    ],
)
def test_a_wrong_build_parameter_is_named(name, params, told):
    with pytest.raises(UsageError) as caught:
        check_build_params(name, params, dim=12)
    assert told in caught.value.hint


def test_right_parameters_come_back_as_they_reach_the_server():
    assert check_build_params("IVF_PQ", {"nlist": "128", "m": 4, "nbits": 8}, dim=12) == {
        "nlist": 128,
        "m": 4,
        "nbits": 8,
    }
    assert check_search_params("IVF_PQ", {"nprobe": "8"}, limit=10) == {"nprobe": 8}
    assert check_search_params("FLAT", {}, limit=10) == {}


@pytest.mark.parametrize("one", [one for one in TYPES if one.vector_kind], ids=lambda one: one.name)
def test_every_step_of_a_ladder_passes_the_check_and_they_only_grow_dearer(one):
    build = {**one.suggested_params, **({"m": 8} if "m" in {p.name for p in one.build} else {})}
    if "PQM" in {p.name for p in one.build}:
        build["PQM"] = 8
    check_build_params(one.name, build, dim=64)
    ladder = one.search_ladder(build_params=build, limit=10, row_count=50_000)
    for step in ladder:
        check_search_params(one.name, step, limit=10, build_params=build)
    if one.recall_knob:
        values = [step[one.recall_knob.name] for step in ladder]
        assert values in (sorted(set(values)), sorted(set(values), reverse=True))


def test_a_ladder_ends_where_everything_is_searched():
    ivf = get_index_type("IVF_FLAT").search_ladder(build_params={"nlist": 100}, limit=10)
    assert (ivf[0], ivf[-1]) == ({"nprobe": 1}, {"nprobe": 100})
    hnsw = get_index_type("HNSW").search_ladder(build_params={}, limit=30, row_count=500)
    assert (hnsw[0], hnsw[-1]) == ({"ef": 30}, {"ef": 448})
    assert get_index_type("FLAT").search_ladder(build_params={}, limit=10) == ({},)
    scann = get_index_type("SCANN").search_ladder(build_params={"nlist": 16}, limit=500)
    assert scann[0] == {"nprobe": 1, "reorder_k": 500}


def test_metrics_we_know_are_written_alike():
    assert Metric.COSINE in get_index_type("HNSW").metrics
    assert {str(one) for one in Metric} <= {word for one in TYPES for word in one.metrics}
