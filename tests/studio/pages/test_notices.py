"""Notices and banners: calm, in the person's language, with the next step."""

import pytest

from milvuslab.journal.job import Job
from milvuslab.model import errors
from milvuslab.studio.pages.notices import job_progress, progress_bar, render_banner, render_notice
from milvuslab.studio.problem import HTTP_CODES
from milvuslab.studio.watch.encoders import EncoderView
from milvuslab.studio.watch.servers import ServerFacts, ServerView
from milvuslab.studio.words.words import Words

ENGLISH, KOREAN = Words("en"), Words("ko")
FACTS = ServerFacts(name="standalone", kind="standalone", uri="http://127.0.0.1:1", is_running=True)


def banner(words=ENGLISH, *, state="ready", encoders=(), jobs=()):
    servers = [ServerView(facts=FACTS, state=state)]
    return str(render_banner(words, servers=servers, encoders=encoders, jobs=jobs, text_server="standalone"))


def test_a_notice_says_what_how_and_what_next():
    page = str(render_notice(ENGLISH, code="not_found", message="no <collection>", hint="make it", request_id="r1"))
    assert "That is not there" in page
    assert "no &lt;collection&gt;" in page
    assert "make it" in page
    assert "Request r1" in page
    assert 'role="alert"' in page


@pytest.mark.parametrize("code", ["start", "unreachable", "timed_out"])
def test_what_passes_by_itself_does_not_look_like_a_failure(code):
    assert "is-passing" in str(render_notice(KOREAN, code=code, message="x"))


def test_every_code_has_a_title():
    codes = {
        cls("x").code
        for name, cls in vars(errors).items()
        if name
        in (
            "ConfigError",
            "ConflictError",
            "LimitError",
            "NotFoundError",
            "SchemaError",
            "StartError",
            "TimedOutError",
            "UnreachableError",
            "UsageError",
            "ForbiddenError",
            "FilterError",
        )
    }
    for code in codes | set(HTTP_CODES.values()) - {"bad_request", "method_not_allowed", "rate_limited"}:
        assert "That did not work" not in str(render_notice(ENGLISH, code=code, message="")), code


def test_nothing_is_said_when_everything_is_ready():
    assert (
        banner(encoders=[EncoderView(name="minilm", state="ready")], jobs=[Job(job_id="a", title="A", state="done")])
        == ""
    )


def test_a_starting_and_a_lost_server_are_told_apart():
    assert "is starting" in banner(state="starting")
    assert "does not answer" in banner(state="unreachable")
    assert "does not answer" in banner(state="stopped")


def test_an_encoder_shows_how_far_it_is_or_why_it_failed():
    opening = EncoderView(name="e5-small", state="opening", step="build graph", done_ratio=0.4)
    assert "build graph" in banner(encoders=[opening])
    assert "width:40%" in banner(encoders=[opening])
    failed = EncoderView(name="e5-small", state="failed", failure="no network", hint="connect")
    assert "no network" in banner(encoders=[failed])


def test_work_shows_count_rate_and_what_is_left():
    job = Job(job_id="a", title="Wikipedia", done_count=1_000, total_count=4_000, unit="documents", rate_per_s=25.0)
    assert job_progress(ENGLISH, job) == "1,000 / 4,000 documents · 25.0 documents a second · about 2 min left"
    assert job_progress(KOREAN, job) == "1,000 / 4,000 건 · 초당 25.0 건 · 약 2분 남음"
    assert "Wikipedia" in banner(jobs=[job])
    assert job_progress(ENGLISH, Job(job_id="a", title="A", step="fetch")) == "fetch"


def test_a_bar_without_a_total_only_moves():
    assert "is-unknown" in str(progress_bar(None))
    assert 'aria-valuenow="25"' in str(progress_bar(0.25))
