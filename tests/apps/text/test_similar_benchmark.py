"""The benchmark of similar documents at its smallest size, and its arithmetic on scores that are known."""

from __future__ import annotations

import numpy as np

from benchmarks import similar_documents


def test_the_smoke_size_runs(lite_gateway, server_settings) -> None:
    case = similar_documents.SMOKE
    raw = similar_documents.measure(case, gateway=lite_gateway, settings=server_settings)
    scores = np.array(raw["encoders"]["minilm"]["scores"])
    assert scores.shape == (case.document_count, case.document_count)
    assert np.allclose(scores, scores.T, atol=1e-3) and np.allclose(np.diag(scores), 1)
    texts, ratings = similar_documents.read_ratings(server_settings)
    assert len(texts) == 50 and ratings.shape == (50, 50) and np.array_equal(ratings, ratings.T)
    told = similar_documents.summarise(raw, ratings=ratings, draw_count=20)["minilm"]
    assert told["pearson"]["interval"][0] <= told["pearson"]["value"] <= told["pearson"]["interval"][1]
    near, wide = (told["diversity"][key] for key in ("0", "0.6"))
    assert wide["mutual_mean"] <= near["mutual_mean"] and wide["score_mean"] <= near["score_mean"]


def test_known_scores_give_known_correlations() -> None:
    ratings = np.random.default_rng(4).random((12, 12))
    ratings = ratings + ratings.T
    raw = {"encoders": {"same": {"scores": ratings.tolist(), "spread": {"0": [(0.5, 0.25), (0.7, 0.35)]}}}}
    told = similar_documents.summarise(raw, ratings=ratings, draw_count=5)["same"]
    assert told["pearson"]["value"] == told["spearman"]["value"] == 1
    assert told["diversity"] == {"0": {"score_mean": 0.6, "mutual_mean": 0.3}}
    raw["encoders"]["same"]["scores"] = (1 - ratings).tolist()
    assert similar_documents.summarise(raw, ratings=ratings, draw_count=5)["same"]["pearson"]["value"] == -1
