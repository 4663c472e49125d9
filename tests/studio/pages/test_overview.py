"""The home page's parts as markup."""

from milvuslab.journal.job import Job
from milvuslab.model.server import Capabilities
from milvuslab.studio.pages.overview import render_collections, render_jobs, render_servers
from milvuslab.studio.watch.servers import CollectionView, ServerFacts, ServerView
from milvuslab.studio.words.words import Words

WORDS = Words("en")
FACTS = ServerFacts(name="alpha", kind="lite", uri="http://127.0.0.1:1", is_running=True, memory_bytes=287_000_000)
READY = ServerView(
    facts=FACTS,
    state="ready",
    capabilities=Capabilities(
        server_version="milvus_lite-3.2.2", index_types={"FLOAT_VECTOR": frozenset({"HNSW", "FLAT"})},
        features=frozenset({"range_search"}),
    ),
    collections=(CollectionView(name="text_en", row_count=1_234, kind="text", encoder="minilm", dim=384, load_state="loaded"), CollectionView(name="<other>", row_count=1)),
)  # fmt: skip


def test_a_server_shows_state_version_rows_and_memory():
    page = str(render_servers(WORDS, [READY]))
    for shown in ("alpha", "ready", "Milvus 3.2.2", "1,235", "287 MB", "http://127.0.0.1:1"):
        assert shown in page


def test_what_a_server_can_do_is_readable():
    page = str(render_servers(WORDS, [READY]))
    for shown in ("HNSW", "FLAT", "range search", "float"):
        assert shown in page


def test_a_silent_server_says_why_and_what_to_do():
    view = ServerView(facts=FACTS, state="unreachable", failure="nothing answers", hint="milvuslab server start alpha")
    page = str(render_servers(WORDS, [view]))
    assert "nothing answers" in page
    assert "milvuslab server start alpha" in page


def test_collections_are_listed_escaped_and_text_ones_lead_to_the_search():
    page = str(render_collections(WORDS, [READY]))
    assert '<a href="/text?collection=text_en">text_en</a>' in page
    assert "&lt;other&gt;" in page
    assert "minilm · 384 d" in page


def test_empty_places_say_what_to_do_next():
    assert "Looking for servers" in str(render_servers(WORDS, None))
    assert "milvuslab up" in str(render_servers(WORDS, []))
    assert "load-samples" in str(render_collections(WORDS, []))
    assert "Nothing is running" in str(render_jobs(WORDS, [Job(job_id="a", title="A", state="done")]))


def test_work_that_failed_stays_visible_with_its_reason():
    page = str(
        render_jobs(WORDS, [Job(job_id="a", title="Wikipedia", state="failed", failure="no disk", done_count=3)])
    )
    assert "Wikipedia" in page
    assert "no disk" in page
