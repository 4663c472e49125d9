"""Writes `src/milvuslab/embed/pair/means.json`: the mean vector of Korean and of English text, for each encoder of a pair.

    python -m tools.compute_centres

The texts are the sentences of `centre_texts.tsv`, each in both languages. Passages are made of six sentences each, drawn
with a fixed seed, so that they are as long as passages are.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from milvuslab.embed import TextEncoder, open_encoder
from milvuslab.embed.pair.centre import LANGUAGES, render_means
from milvuslab.model.settings import resolve

TEXTS_PATH = Path(__file__).with_name("centre_texts.tsv")
MEANS_PATH = Path(__file__).parents[1] / "src" / "milvuslab" / "embed" / "pair" / "means.json"
ENCODERS = ("e5-small", "e5-small-q4", "use")
SENTENCES_OF_PASSAGE = 6
PASSAGES = 40


def compute_means(encoder: TextEncoder) -> dict[tuple[str, str], np.ndarray]:
    """Mean vectors by language and role."""
    with TEXTS_PATH.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    means = {}
    for language in LANGUAGES:
        sentences = [row[language] for row in rows if row["role"] == "passage"]
        draw = np.random.default_rng(1)
        passages = [
            " ".join(sentences[place] for place in draw.permutation(len(sentences))[:SENTENCES_OF_PASSAGE])
            for _ in range(PASSAGES)
        ]
        questions = [row[language] for row in rows if row["role"] == "query"]
        means[language, "passage"] = encoder.encode_passages(passages).mean(axis=0)
        means[language, "query"] = encoder.encode_queries(questions).mean(axis=0)
    return means


if __name__ == "__main__":
    settings = resolve()
    means = {name: compute_means(open_encoder(name, settings=settings)) for name in ENCODERS}
    MEANS_PATH.write_text(render_means(means), encoding="utf-8")
