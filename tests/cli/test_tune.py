"""`milvuslab tune` as a person runs it."""

import json

import pytest

from milvuslab.cli.tune import parse_size
from milvuslab.model.errors import UsageError

pytest.importorskip("faiss")


@pytest.mark.parametrize("text", ["", "much", "2 GiBi", "-1GB", "0", "1e9", "GiB"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(UsageError) as caught:
        parse_size(text)
    assert "2GiB" in caught.value.hint


@pytest.mark.parametrize(
    "text, size_bytes", [("2GiB", 2 << 30), ("2gib", 2 << 30), ("1 M", 10**6), ("0.5kB", 500), ("7", 7)]
)
def test_sizes_have_units(text, size_bytes):
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize(
    "arguments, words",
    [
        ((), "either a collection or data"),
        (("--data", "synthetic", "--collection", "a"), "either a collection or data"),
        (("--data", "synthetic", "--minimize", "latncy_ms_p99"), "did you mean latency_ms_p99?"),
        (("--data", "synthetic", "--minimize", "qps"), "--minimize qps is not possible"),
        (("--data", "synthetic", "--minimize", "memory", "--maximize", "qps"), "exclude each other"),
        (("--data", "synthetic", "--metric", "COSIN"), "did you mean COSINE?"),
        (("--data", "synthetic", "--max-memory", "lots"), "no size"),
    ],
)
def test_wrong_questions_end_before_a_server_is_asked(run, arguments, words):
    ran = run("tune", *arguments)
    assert ran.code == 2
    assert words in ran.err


@pytest.fixture
def lite(run, lite_endpoint):
    assert run("server", "add", "near", "--uri", lite_endpoint.uri).code == 0
    return "near"


def test_a_tuning_in_one_command(run, lite):
    asked = ("tune", "--data", "synthetic", "--rows", 2_000, "--dim", 8, "--queries", 600, "--recall", 0.9)
    asked += ("--types", "IVF_FLAT,FLAT", "--builds-per-type", 1, "--minimize", "memory", "--server", lite)
    ran = run(*asked, "--json")
    assert ran.code == 0, ran.err
    assert ran.value["chosen"]["index_type"] in ("FLAT", "IVF_FLAT")
    assert [trial["state"] for trial in ran.value["trials"]] == ["qualified", "qualified"]
    assert ran.value["trials"][0]["recall_lower"] >= 0.9
    again = run(*asked)
    assert again.code == 0
    assert "was chosen: memory_bytes" in again.out
    assert [line.split()[0] for line in again.out.splitlines() if line.startswith("*")] == ["*"]


def test_a_budget_that_nothing_keeps_has_its_own_exit_code(run, lite):
    asked = ("tune", "--data", "synthetic", "--rows", 2_000, "--dim", 8, "--queries", 600, "--types", "FLAT")
    ran = run(*asked, "--max-memory", "1kB", "--server", lite, "--json")
    assert ran.code == 1
    error = json.loads(ran.err.splitlines()[-1])  # progress comes before it
    assert error["context"]["findings"] == ["FLAT takes 0.064 MB, the budget is 0.001 MB, by formula"]
