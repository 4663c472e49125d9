"""The same document always gives the same rows."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from milvuslab.apps.text.collection import PassageCut
from milvuslab.apps.text.passages import (
    UNKNOWN_TIME_S,
    compute_content_sha256,
    cut_document,
    passage_columns,
    passage_ids,
)

CUT = PassageCut(limit_tokens=16, overlap_tokens=4)
STORY = "The cat sat on the mat. The dog lay by the door. " * 4 + "At night the house was quiet."


def test_passages_point_into_the_text_and_stay_within_the_limit(minilm, make_document) -> None:
    document = make_document("story", STORY)
    cut = cut_document(document, encoder=minilm, cut=CUT)
    assert len(cut.texts) > 3
    for start, text in zip(cut.starts, cut.texts, strict=True):
        assert document.text[start : start + len(text)] == text
        assert len(minilm.token_offsets(text)) <= 16
    assert cut.embedded_texts[0] == f"story\n{cut.texts[0]}"
    assert cut_document(document, encoder=minilm, cut=CUT) == cut


@pytest.mark.parametrize("limit_tokens", [8, 24, 128, 10_000])
@pytest.mark.parametrize("title", ["t", "한글 " * 70, "A title of ordinary length"])
def test_whatever_the_title_the_encoder_reads_every_passage_whole(minilm, make_document, title, limit_tokens) -> None:
    document = make_document("t", STORY, title=title)
    cut = cut_document(document, encoder=minilm, cut=PassageCut(limit_tokens=limit_tokens, overlap_tokens=4))
    allowed = min(limit_tokens, minilm.limit_tokens) - minilm.overhead_tokens
    for text in cut.embedded_texts:
        assert len(minilm.token_offsets(text)) <= allowed
    assert cut.lead == title.strip() or (title.startswith(cut.lead) and len(cut.lead) < len(title) / 2)


def test_the_first_passage_of_each_document_is_written_last(minilm, make_document) -> None:
    cuts = [cut_document(make_document(name, STORY), encoder=minilm, cut=CUT) for name in ("a", "b")]
    count = len(cuts[0].texts)
    vectors = np.arange(2 * count, dtype=np.float32).reshape(-1, 1)
    columns = passage_columns(cuts, vectors)
    assert columns["ordinal"] == [*range(1, count), 0] * 2
    assert columns["vector"][:, 0].tolist() == [*range(1, count), 0, *range(count + 1, 2 * count), count]
    assert columns["passage_id"][count - 1] == passage_ids(cuts[0].document_id, 1)[0]
    assert {len(values) for values in columns.values()} == {2 * count}
    assert set(columns["published_at_s"]) == {UNKNOWN_TIME_S}


def test_the_content_hash_is_of_the_content_alone(make_document) -> None:
    one = make_document("one", "text", title="t")
    assert compute_content_sha256(one) == compute_content_sha256(make_document("two", "text", title="t"))
    for change in ({"title": "u"}, {"text": "other"}, {"language": "ko"}):
        assert compute_content_sha256(dataclasses.replace(one, **change)) != compute_content_sha256(one)
    # where one part ends and the next begins matters
    assert compute_content_sha256(make_document("x", "b c", title="a")) != compute_content_sha256(
        make_document("x", "c", title="a b")
    )
