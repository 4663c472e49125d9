"""Searches against exact search in numpy."""

import concurrent.futures

import numpy as np
import pytest

from milvuslab.model.collection import Consistency, DataType, FieldSpec, FunctionSpec
from milvuslab.model.errors import FilterError, NotFoundError, SchemaError, UnsupportedError
from milvuslab.model.filter import where
from milvuslab.model.index import IndexSpec
from milvuslab.model.metric import Metric, score_to_distance
from milvuslab.model.search import AnnQuery, DistanceRange, RrfRanker, WeightedRanker
from tests.contract.conftest import FLAT, KEY, VECTOR, vectors

STRONG = Consistency.STRONG


def exact_scores(queries, stored, metric):
    """(nq, n) scores as Milvus defines them."""
    inner = queries @ stored.T
    if metric is Metric.IP:
        return inner
    if metric is Metric.COSINE:
        return inner / np.linalg.norm(queries, axis=1)[:, None] / np.linalg.norm(stored, axis=1)[None, :]
    return ((queries[:, None, :] - stored[None, :, :]) ** 2).sum(axis=2)


def exact_order(scores, metric):
    return np.argsort(score_to_distance(scores, metric=metric), axis=1, kind="stable")


def test_the_nearest_rows_of_many_queries(gateway, library):
    stored, queries = vectors(100), vectors(7, seed=5)
    scores = exact_scores(queries, stored, Metric.L2)
    hits = gateway.search(library, queries, limit=10, output_fields=["title", "year", "vector", "id"])
    assert hits.metric is Metric.L2
    np.testing.assert_array_equal(hits.id_table(k=10), exact_order(scores, Metric.L2)[:, :10])
    np.testing.assert_allclose(hits.scores, np.sort(scores, axis=1)[:, :10].ravel(), rtol=1e-4)
    assert hits.columns["title"] == [f"book {key}" for key in hits.ids]
    assert hits.columns["year"].tolist() == (1900 + hits.ids).tolist()
    np.testing.assert_array_equal(hits.columns["vector"], stored[hits.ids])
    assert hits.columns["id"].tolist() == hits.ids.tolist()
    assert hits.latency_ms > 0


def test_one_query_needs_no_table(gateway, library):
    assert gateway.search(library, vectors(100)[3], limit=1).ids.tolist() == [3]
    assert gateway.search(library, vectors(100)[3].tolist(), limit=1).ids.tolist() == [3]


def test_a_filter_is_kept_by_every_hit(gateway, library):
    stored, queries = vectors(100), vectors(3, seed=5)
    condition = (where("year") >= 1950) & ~where("title").is_in(["book 60", "book 61"])
    hits = gateway.search(library, queries, limit=5, where=condition)
    allowed = np.array([key for key in range(50, 100) if key not in (60, 61)])
    order = allowed[exact_order(exact_scores(queries, stored[allowed], Metric.L2), Metric.L2)]
    np.testing.assert_array_equal(hits.id_table(k=5), order[:, :5])
    empty = gateway.search(library, queries, limit=5, where=where("title").is_in([]), output_fields=["year"])
    assert (empty.query_count, len(empty.ids), len(empty.columns["year"])) == (3, 0, 0)
    nothing = gateway.search(library, queries, limit=5, where=where("year") < 0, output_fields=["year"])
    assert (nothing.query_count, len(nothing.ids), len(nothing.columns["year"])) == (3, 0, 0)


def test_an_offset_skips_the_best(gateway, library):
    query = vectors(1, seed=9)
    everything = gateway.search(library, query, limit=12)
    rest = gateway.search(library, query, limit=8, offset=4)
    assert rest.ids.tolist() == everything.ids.tolist()[4:]


def test_a_range_keeps_its_borders(gateway, library, needs):
    needs("range_search")
    distances = np.sort(exact_scores(vectors(1, seed=9), vectors(100), Metric.L2)[0])
    inner, outer = (distances[9] + distances[10]) / 2, (distances[29] + distances[30]) / 2
    hits = gateway.search(library, vectors(1, seed=9), limit=100, within=DistanceRange(below=outer, at_least=inner))
    np.testing.assert_allclose(hits.distances, distances[10:30], rtol=1e-4)
    near = gateway.search(library, vectors(1, seed=9), limit=100, within=DistanceRange(below=inner))
    assert len(near.ids) == 10


def test_a_range_that_is_ignored_is_an_error(gateway, library, capabilities):
    if capabilities.has("range_search"):
        pytest.skip("has ranges")
    with pytest.raises(UnsupportedError, match="range"):
        gateway.search(library, vectors(1), limit=50, within=DistanceRange(below=0.5))


def test_a_grouping_that_is_ignored_is_an_error(gateway, name, filled, capabilities):
    if capabilities.has("group_by"):
        pytest.skip("groups")
    shelf = FieldSpec(name="shelf", data_type=DataType.INT64)
    filled(KEY, VECTOR, shelf, columns={"id": np.arange(9), "vector": vectors(9), "shelf": np.zeros(9, dtype=int)})
    with pytest.raises(UnsupportedError, match="grouped"):
        gateway.search(name, vectors(1), limit=5, group_by="shelf")


def test_pages_behind_the_window_go_on_by_distance(gateway, library, needs, monkeypatch):
    needs("range_search")
    monkeypatch.setattr("milvuslab.gateway.searching.LIMIT_MAX", 40)
    query = vectors(1, seed=11)
    pages = list(gateway.search_iterator(library, query, batch_rows=20))
    keys = np.concatenate([page.ids for page in pages])
    order = exact_order(exact_scores(query, vectors(100), Metric.L2), Metric.L2)[0]
    assert keys.tolist() == order.tolist()


def test_pages_of_a_search_hold_every_row_once(gateway, library):
    query = vectors(1, seed=11)
    pages = list(gateway.search_iterator(library, query, batch_rows=30, output_fields=["year"]))
    keys = np.concatenate([page.ids for page in pages])
    order = exact_order(exact_scores(query, vectors(100), Metric.L2), Metric.L2)[0]
    assert keys.tolist() == order.tolist()
    assert [len(page.columns["year"]) for page in pages] == [len(page.ids) for page in pages]


def test_grouping_shows_each_value_once(gateway, name, needs, filled):
    needs("group_by")
    shelf = FieldSpec(name="shelf", data_type=DataType.INT64)
    stored = vectors(40)
    filled(KEY, VECTOR, shelf, columns={"id": np.arange(40), "vector": stored, "shelf": np.arange(40) % 4})
    hits = gateway.search(name, vectors(1, seed=3), limit=10, group_by="shelf", output_fields=["shelf"])
    assert sorted(hits.columns["shelf"].tolist()) == [0, 1, 2, 3]
    order = exact_order(exact_scores(vectors(1, seed=3), stored, Metric.L2), Metric.L2)[0]
    best = [next(key for key in order if key % 4 == shelf) for shelf in range(4)]
    assert sorted(hits.ids.tolist()) == sorted(best)


@pytest.mark.parametrize("metric", [Metric.IP, Metric.COSINE])
def test_other_metrics_mean_what_the_table_says(gateway, filled, capabilities, metric):
    if str(metric) not in capabilities.metrics["FLOAT_VECTOR"]:
        pytest.skip(f"no {metric}")
    stored, queries = vectors(60), vectors(4, seed=2)
    index = IndexSpec(field_name="vector", index_type="FLAT", metric=metric)
    name = filled(KEY, VECTOR, columns={"id": np.arange(60), "vector": stored}, indexes=(index,))
    scores = exact_scores(queries, stored, metric)
    hits = gateway.search(name, queries, limit=6)
    assert hits.metric is metric
    np.testing.assert_array_equal(hits.id_table(k=6), exact_order(scores, metric)[:, :6])
    np.testing.assert_allclose(hits.scores, -np.sort(-scores, axis=1)[:, :6].ravel(), rtol=1e-4, atol=1e-6)
    assert np.all(np.diff(hits.distances[hits.of_query(0)]) >= 0)
    if not capabilities.has("range_search"):
        return
    distances = np.sort(score_to_distance(scores[:1], metric=metric)[0])
    inner, outer = float(distances[4] + distances[5]) / 2, float(distances[14] + distances[15]) / 2
    near = gateway.search(name, queries[:1], limit=60, within=DistanceRange(below=outer, at_least=inner))
    np.testing.assert_allclose(near.distances, distances[5:15], rtol=1e-3, atol=1e-5)


def test_searches_are_merged(gateway, name, needs, filled):
    needs("hybrid_search")
    other = FieldSpec(name="other", data_type=DataType.FLOAT_VECTOR, dim=4)
    indexes = (FLAT, IndexSpec(field_name="other", index_type="FLAT", metric=Metric.L2))
    first, second = vectors(30), vectors(30, dim=4, seed=1)
    filled(KEY, VECTOR, other, columns={"id": np.arange(30), "vector": first, "other": second}, indexes=indexes)
    queries = [
        AnnQuery(vectors=first[3], field="vector", limit=5),
        AnnQuery(vectors=second[8], field="other", limit=5, where=where("id") != 3),
    ]
    ranks = {}
    for stored, query, banned in ((first, first[3], None), (second, second[8], 3)):
        order = exact_order(exact_scores(query[None], stored, Metric.L2), Metric.L2)[0]
        for rank, key in enumerate([key for key in order if key != banned][:5]):
            ranks[int(key)] = ranks.get(int(key), 0.0) + 1 / (60 + rank + 1)
    hits = gateway.hybrid_search(name, queries, limit=4, ranker=RrfRanker(k=60), output_fields=["id"])
    np.testing.assert_allclose(hits.scores, sorted(ranks.values(), reverse=True)[:4], rtol=1e-3)
    weighted = gateway.hybrid_search(name, queries, limit=4, ranker=WeightedRanker(weights=(1.0, 0.0)))
    assert weighted.ids[0] == 3


def test_what_a_server_does_not_merge_is_said(gateway, library, capabilities):
    if capabilities.has("hybrid_search"):
        pytest.skip("merges")
    with pytest.raises(UnsupportedError):
        gateway.hybrid_search(library, [AnnQuery(vectors=vectors(1), field="vector", limit=1)], limit=1)


def test_wrong_questions_are_refused_with_the_right_name(gateway, library, is_lite):
    query = vectors(1)
    wrong = [
        (SchemaError, {"vectors": vectors(1, dim=7)}),
        (SchemaError, {"vectors": np.full((1, 8), np.inf, dtype=np.float32)}),
        (SchemaError, {"vectors": np.empty((0, 8), dtype=np.float32)}),
        (SchemaError, {"field": "title"}),
        (NotFoundError, {"field": "vectro"}),
        (NotFoundError, {"output_fields": ["titel"]}),
        (NotFoundError, {"where": where("yaer") == 1}),
        (FilterError, {"where": where("year") == "1900"}),
        (FilterError, {"where": where("vector") == 1}),
    ]
    if not is_lite:  # Lite finds nothing there
        wrong.append((NotFoundError, {"partitions": ["winter"]}))
    for error, change in wrong:
        arguments = {"vectors": query, **change}
        with pytest.raises(error):
            gateway.search(library, arguments.pop("vectors"), limit=1, **arguments)
    with pytest.raises(NotFoundError) as caught:
        gateway.search(library, query, limit=1, where=where("yaer") == 1)
    assert caught.value.hint == "did you mean year?"


def test_one_gateway_serves_many_threads(gateway, library):
    stored = vectors(100)

    def look_up(key):
        hits = gateway.search(library, stored[key], limit=1, output_fields=["title"])
        row = gateway.rows.get(library, [key], ["year"])
        return hits.ids.tolist(), hits.columns["title"], row["year"].tolist()

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(look_up, range(60)))
    assert answers == [([key], [f"book {key}"], [1900 + key]) for key in range(60)]


def test_a_function_makes_the_vectors_of_words(gateway, filled, needs):
    needs("full_text")
    words = FieldSpec(
        name="words", data_type=DataType.VARCHAR, max_length_bytes=200, analyzer={"tokenizer": "standard"}
    )
    sparse = FieldSpec(name="sparse", data_type=DataType.SPARSE_FLOAT_VECTOR)
    function = FunctionSpec(name="bm25", input_field="words", output_field="sparse")
    index = IndexSpec(field_name="sparse", index_type="SPARSE_INVERTED_INDEX", metric=Metric.BM25)
    texts = ["벡터 검색", "표 만들 방법", "벡터 벡터 색인", "index of a vector"]
    columns = {"id": np.arange(4), "vector": vectors(4), "words": texts}
    name = filled(KEY, VECTOR, words, sparse, columns=columns, indexes=(FLAT, index), functions=(function,))
    described = gateway.collections.describe(name)
    assert described.functions == (function,)
    assert described.field("words").analyzer == words.analyzer
    hits = gateway.search(name, ["벡터", "Index 표", "nothing"], field="sparse", limit=4, output_fields=["words"])
    assert hits.metric is Metric.BM25
    assert [set(hits.ids[hits.of_query(query)].tolist()) for query in range(3)] == [{0, 2}, {1, 3}, set()]
    assert hits.ids[0] == 2, "the word stands twice there"
    assert (hits.scores > 0).all()
    assert hits.columns["words"][0] == texts[2]
    only = gateway.search(name, "벡터", field="sparse", limit=4, where=where("id") < 2)
    assert only.ids.tolist() == [0]
    sent = gateway.prepare_searches(name, ["벡터"], field="sparse", limit=4)
    assert sent.parse(sent.send(0, timeout_s=10).result_bytes()).ids.tolist() == [2, 0]
    assert sorted(gateway.rows.query(name)) == ["id", "vector", "words"]
    with pytest.raises(SchemaError, match="by a function"):
        gateway.rows.insert(name, {**columns, "sparse": [{1: 1.0}] * 4})
    with pytest.raises(SchemaError, match="must be text"):
        gateway.search(name, [{1: 1.0}], field="sparse", limit=4)
    with pytest.raises(SchemaError, match="keeps no values"):
        gateway.rows.query(name, fields=["sparse"])
