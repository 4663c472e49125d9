"""The static parts of the search page: what is chosen stays chosen, and the shelf tells how good its answers are."""

import re

from milvuslab.apps.text.document import TextStats
from milvuslab.apps.text.fusion import DEFAULT_FUSION, Fusion
from milvuslab.apps.text.served_recall import ServedRecall
from milvuslab.studio.pages.page_state import PageState
from milvuslab.studio.pages.search_form import render_ask_form, render_shelf
from milvuslab.studio.text_desk import IndexQuality
from milvuslab.studio.words.words import Words

ENGLISH, KOREAN = Words("en"), Words("ko")
STATS = TextStats(
    collection="text_ko", encoder="e5-small", dim=384, passage_count=1_200, document_count=300, index_type="HNSW"
)
RECALL = ServedRecall(recall=0.9951, k=10, query_count=200, passage_count=1_200, ef=256)


def test_channel_and_languages_that_were_chosen_are_checked():
    page = str(render_ask_form(ENGLISH, PageState(q="a", channel="lexical", across="1"), query_limit_chars=100))
    checked = [part for part in re.findall(r"<input[^>]*>", page) if " checked" in part]
    assert [re.search(r'value="([^"]*)"', part).group(1) for part in checked] == ["lexical", "1"]
    plain = str(render_ask_form(KOREAN, PageState(), query_limit_chars=100))
    checked = [part for part in re.findall(r"<input[^>]*>", plain) if " checked" in part]
    assert [re.search(r'value="([^"]*)"', part).group(1) for part in checked] == [""]


def test_the_shelf_tells_recall_and_fusion_once_they_are_known():
    tuned = IndexQuality(collection="text_ko", recall=RECALL, fusion=Fusion(dense_weight=0.75))
    page = str(render_shelf(ENGLISH, [STATS], [tuned]))
    assert "recall@10 0.995 of exact search" in page and "200 questions" in page
    assert "meaning 75%, words the rest; tuned" in page
    usual = IndexQuality(collection="text_ko", recall=None, fusion=DEFAULT_FUSION)
    page = str(render_shelf(ENGLISH, [STATS], [usual]))
    assert "recall" not in page and "not tuned yet" in page
    assert "quality" not in str(render_shelf(ENGLISH, [STATS]))
    assert "재현율@10 0.995" in str(render_shelf(KOREAN, [STATS], [tuned]))
