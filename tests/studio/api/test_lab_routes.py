"""The index lab over real HTTP: one comparison that is read, one that runs to its end, one that is stopped."""

import pytest

from tests.studios import keep_comparison, wait_for

ROOT = "/api/v1/index-lab/comparisons"


@pytest.fixture
def kept(http, studio):
    folder = keep_comparison(studio.workspace.settings.home_dir)
    yield folder.name
    assert http.delete(f"{ROOT}/{folder.name}").status_code == 204
    assert not folder.exists()


def begin(http, **order):
    answer = http.post(ROOT, json={"row_count": 1_000, "dim": 16, **order})
    assert answer.status_code == 202, answer.text
    return answer.json()["comparison_id"]


def state_of(http, comparison_id):
    return http.get(f"{ROOT}/{comparison_id}").json()


def test_a_kept_comparison_is_listed_and_asked_by_recall(http, kept):
    assert kept in [one["comparison_id"] for one in http.get(ROOT).json()["comparisons"]]
    chosen = {}
    for recall in (0.9, 0.98):
        body = http.get(f"{ROOT}/{kept}/choice", params={"recall": recall}).json()
        assert body["is_complete"]
        assert all(choice["recall"] >= recall for choice in body["choices"])
        chosen[recall] = {choice["index_type"]: choice["params"] for choice in body["choices"]}
    assert chosen[0.9]["HNSW"] == {"ef": 16}
    assert chosen[0.98]["HNSW"] == {"ef": 28}


def test_a_comparison_runs_to_its_report_on_the_real_server(http, studio):
    comparison_id = begin(http, index_types=["FLAT"])
    refused = http.post(ROOT, json={"row_count": 1_000, "dim": 16})
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    ended = wait_for(
        lambda: found if (found := state_of(http, comparison_id))["state"] not in ("starting", "running") else None,
        timeout_s=120, what=lambda: str(state_of(http, comparison_id)),
    )  # fmt: skip
    assert (ended["state"], ended["failure"]) == ("done", "")
    (choice,) = http.get(f"{ROOT}/{comparison_id}/choice", params={"recall": 0.95}).json()["choices"]
    assert (choice["index_type"], choice["recall"], choice["server"]) == ("FLAT", 1.0, studio.server)
    report = http.get(f"/index-lab/{comparison_id}/report")
    assert report.status_code == 200
    assert "default-src 'self'" in report.headers["content-security-policy"]
    assert "FLAT" in report.text
    assert http.delete(f"{ROOT}/{comparison_id}").status_code == 204
    assert http.get(f"/index-lab/{comparison_id}/report").status_code == 404


def test_a_comparison_is_stopped_and_what_it_made_is_gone(http, studio):
    comparison_id = begin(http, row_count=20_000, dim=64)
    wait_for(lambda: state_of(http, comparison_id)["total_count"], timeout_s=60)
    running = http.delete(f"{ROOT}/{comparison_id}")
    assert (running.status_code, running.json()["code"]) == (409, "conflict")
    stopped = http.post(f"{ROOT}/{comparison_id}/cancel").json()
    assert (stopped["state"], stopped["failure"]) == ("interrupted", "stopped")
    assert http.delete(f"{ROOT}/{comparison_id}").status_code == 204
    with studio.workspace.connect(studio.server) as gateway:
        assert [name for name in gateway.collections.list() if name.startswith("bench_")] == []
