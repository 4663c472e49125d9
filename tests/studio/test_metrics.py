"""Our own metrics: names with units, few label values, and the page that documents them."""

from prometheus_client.parser import text_string_to_metric_families

from milvuslab.studio.metrics import StudioMetrics


def families(metrics):
    return {family.name: family for family in text_string_to_metric_families(metrics.render()[1].decode())}


def value(metrics, name, **labels):
    return metrics.registry.get_sample_value(name, labels)


def test_requests_are_counted_with_few_label_values():
    metrics = StudioMetrics(with_process=False)
    for method, status in (("GET", 200), ("BREW", 405), ("GET", 0)):
        metrics.request_began()
        metrics.request_ended(method=method, route="/x", status=status, duration_s=0.02)
    name = "milvuslab_studio_http_requests_total"
    assert value(metrics, name, method="GET", route="/x", status="200") == 1
    assert value(metrics, name, method="other", route="/x", status="405") == 1
    assert value(metrics, name, method="GET", route="/x", status="499") == 1
    assert value(metrics, "milvuslab_studio_http_requests_in_flight") == 0


def test_a_search_is_split_by_stage_in_seconds():
    metrics = StudioMetrics(with_process=False)
    metrics.search_ended(embed_ms=5, milvus_ms=3, total_ms=10)
    name = "milvuslab_studio_search_duration_seconds_sum"
    assert [value(metrics, name, stage=stage) for stage in ("embed", "milvus", "total")] == [0.005, 0.003, 0.01]


def test_documents_and_servers_are_told():
    metrics = StudioMetrics(with_process=False)
    metrics.document_added()
    metrics.document_added(found_s=0.3)
    metrics.document_deleted()
    metrics.server_seen("alpha", is_up=True, row_count=7)
    assert value(metrics, "milvuslab_studio_documents_added_total") == 2
    assert value(metrics, "milvuslab_studio_documents_deleted_total") == 1
    assert value(metrics, "milvuslab_studio_document_found_duration_seconds_count") == 1
    assert value(metrics, "milvuslab_studio_server_up", server="alpha") == 1
    assert value(metrics, "milvuslab_studio_server_rows", server="alpha") == 7


def test_every_metric_of_ours_is_described_and_times_are_in_seconds():
    metrics = StudioMetrics(with_process=False)
    described = {name.removesuffix("_total") for name, *_ in metrics.describe()}
    told = {name for name in families(metrics) if not name.endswith("_created")}
    assert told - {"milvuslab_studio_info"} == described
    assert all(name.endswith("_seconds") for name in described if "duration" in name)


def test_two_studios_count_apart():
    first, second = StudioMetrics(), StudioMetrics()
    first.document_deleted()
    assert value(second, "milvuslab_studio_documents_deleted_total") == 0
