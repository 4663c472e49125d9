"""Health, servers, jobs and metrics of a real studio."""

import re

from milvuslab.journal.job import JobWriter
from milvuslab.model.progress import Progress
from tests.studios import wait_for


def test_health_says_that_it_is_ready(http):
    body = http.get("/api/v1/health").json()
    assert body["status"] == "ok"
    assert (body["is_ready"], body["waiting_for"]) == (True, [])


def test_servers_tell_what_they_hold_and_can_do(http, studio):
    def look():
        (server,) = [one for one in http.get("/api/v1/servers").json()["servers"] if one["name"] == studio.server]
        names = {one["name"] for one in server["collections"]}
        return server if server["capabilities"] and {"text_en", "text_ko"} <= names else None

    server = wait_for(look, timeout_s=60, what=lambda: http.get("/api/v1/servers").text)
    assert server["state"] == "ready"
    assert server["version"]
    assert server["row_count"] == sum(one["row_count"] for one in server["collections"])
    assert server["memory_bytes"] > 10_000_000
    assert "HNSW" in server["capabilities"]["index_types"]["FLOAT_VECTOR"]
    english = next(one for one in server["collections"] if one["name"] == "text_en")
    assert (english["kind"], english["encoder"], english["dim"]) == ("text", "minilm", 384)


def test_a_job_is_seen_while_it_runs(http, studio):
    writer = JobWriter(studio.workspace.settings.home_dir / "jobs", "studio-test-job", title="Reading a test")
    writer.observe(Progress(step="embed and insert", done_count=25, total_count=100, unit="documents"))
    writer.checkpoint(resume_token="25", report={})

    def look():
        return next(
            (job for job in http.get("/api/v1/jobs").json()["jobs"] if job["job_id"] == "studio-test-job"), None
        )

    job = wait_for(look)
    assert (job["state"], job["done_ratio"], job["unit"]) == ("running", 0.25, "documents")
    writer.finish(report={})
    wait_for(lambda: look()["state"] == "done")


def test_metrics_count_what_was_done(http):
    before = read_metrics(http)
    http.get("/api/v1/text/search", params={"q": "metrics"})
    http.get("/api/v1/does-not-exist")
    http.get("/somewhere/else/entirely")
    after = read_metrics(http)

    def rise(name):
        return after.get(name, 0) - before.get(name, 0)

    assert rise('milvuslab_studio_http_requests_total{method="GET",route="/api/v1/text/search",status="200"}') == 1
    for stage in ("embed", "milvus", "total"):
        assert rise(f'milvuslab_studio_search_duration_seconds_count{{stage="{stage}"}}') == 1
    assert rise('milvuslab_studio_http_requests_total{method="GET",route="other",status="404"}') >= 1
    assert not any("does-not-exist" in name or "somewhere" in name for name in after)
    assert (
        after['milvuslab_studio_server_up{server="standalone"}'] == 1
        or after['milvuslab_studio_server_up{server="lite"}'] == 1
    )


def test_the_openapi_document_explains_every_route(http):
    schema = http.get("/api/openapi.json").json()
    assert len(schema["paths"]) >= 7
    for path, operations in schema["paths"].items():
        assert path.startswith("/api/v1/")
        for operation in operations.values():
            assert operation["summary"]
            assert operation["description"]
            assert operation["tags"]
            for parameter in operation.get("parameters", ()):
                assert parameter["description"], (path, parameter["name"])


def read_metrics(http):
    text = http.get("/metrics").text
    return {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if not re.match("#", line)
    }
