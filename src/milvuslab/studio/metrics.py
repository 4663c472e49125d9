"""What the studio counts about itself, for Prometheus: names with units, in a registry of its own."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from milvuslab._version import __version__

__all__ = ["StudioMetrics"]

_REQUEST_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_STAGE_BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0, 5.0)


class StudioMetrics:
    """Counters and histograms of one studio process; safe to use from many threads.

    Args:
        with_process: whether memory, CPU time and open files of the process are told too (Linux only).
    """

    def __init__(self, *, with_process: bool = True) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "milvuslab_studio_http_requests",
            "Requests answered, by method, route pattern and status.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self._durations = Histogram(
            "milvuslab_studio_http_request_duration_seconds",
            "From the first byte of a request to the last of its answer.",
            ["method", "route"],
            buckets=_REQUEST_BUCKETS_S,
            registry=self.registry,
        )
        self._in_flight = Gauge(
            "milvuslab_studio_http_requests_in_flight", "Requests being answered now.", registry=self.registry
        )
        self._stages = Histogram(
            "milvuslab_studio_search_duration_seconds",
            "Time of a search by stage: embed (question to vector), milvus (search and parsing), total.",
            ["stage"],
            buckets=_STAGE_BUCKETS_S,
            registry=self.registry,
        )
        self._added = Counter(
            "milvuslab_studio_documents_added", "Documents stored and acknowledged.", registry=self.registry
        )
        self._deleted = Counter("milvuslab_studio_documents_deleted", "Documents removed.", registry=self.registry)
        self._found = Histogram(
            "milvuslab_studio_document_found_duration_seconds",
            "From taking a document to a search that finds it.",
            buckets=_REQUEST_BUCKETS_S,
            registry=self.registry,
        )
        self._image_stages = Histogram(
            "milvuslab_studio_image_search_duration_seconds",
            "Time of a search for pictures by stage: decode (file to pixels), embed (pixels to vector), milvus, total.",
            ["stage"],
            buckets=_STAGE_BUCKETS_S,
            registry=self.registry,
        )
        self._images_added = Counter(
            "milvuslab_studio_images_added", "Pictures stored and acknowledged.", registry=self.registry
        )
        self._images_deleted = Counter("milvuslab_studio_images_deleted", "Pictures removed.", registry=self.registry)
        self._server_up = Gauge(
            "milvuslab_studio_server_up", "1 when the server answered the last look, else 0.", ["server"],
            registry=self.registry,
        )  # fmt: skip
        self._server_rows = Gauge(
            "milvuslab_studio_server_rows", "Rows of all collections at the last look.", ["server"],
            registry=self.registry,
        )  # fmt: skip
        info = Gauge("milvuslab_studio_info", "Always 1; the version is a label.", ["version"], registry=self.registry)
        info.labels(version=__version__).set(1)
        if with_process:
            ProcessCollector(registry=self.registry)

    def request_began(self) -> None:
        """A request came in."""
        self._in_flight.inc()

    def request_ended(self, *, method: str, route: str, status: int, duration_s: float) -> None:
        """A request was answered; status 0 means that the client went away before."""
        known = method if method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS") else "other"
        self._in_flight.dec()
        self._requests.labels(method=known, route=route, status=str(status or 499)).inc()
        self._durations.labels(method=known, route=route).observe(duration_s)

    def search_ended(self, *, embed_ms: float, milvus_ms: float, total_ms: float) -> None:
        """A search was answered."""
        for stage, duration_ms in (("embed", embed_ms), ("milvus", milvus_ms), ("total", total_ms)):
            self._stages.labels(stage=stage).observe(duration_ms / 1e3)

    def document_added(self, *, found_s: float | None = None) -> None:
        """A document was stored, and found after `found_s` where somebody looked."""
        self._added.inc()
        if found_s is not None:
            self._found.observe(found_s)

    def document_deleted(self) -> None:
        """A document was removed."""
        self._deleted.inc()

    def image_search_ended(self, *, decode_ms: float, embed_ms: float, milvus_ms: float, total_ms: float) -> None:
        """A search for pictures was answered."""
        stages = (("decode", decode_ms), ("embed", embed_ms), ("milvus", milvus_ms), ("total", total_ms))
        for stage, duration_ms in stages:
            self._image_stages.labels(stage=stage).observe(duration_ms / 1e3)

    def image_added(self) -> None:
        """A picture was stored."""
        self._images_added.inc()

    def image_deleted(self) -> None:
        """A picture was removed."""
        self._images_deleted.inc()

    def server_seen(self, name: str, *, is_up: bool, row_count: int) -> None:
        """A server was looked at."""
        self._server_up.labels(server=name).set(int(is_up))
        self._server_rows.labels(server=name).set(row_count)

    def render(self) -> tuple[str, bytes]:
        """Media type and text for Prometheus."""
        return CONTENT_TYPE_LATEST, generate_latest(self.registry)

    def describe(self) -> Sequence[tuple[str, str, str, tuple[str, ...]]]:
        """Name, type, meaning and labels of each metric of ours, for the reference page."""
        own = [
            self._requests, self._durations, self._in_flight, self._stages, self._added, self._deleted, self._found,
            self._image_stages, self._images_added, self._images_deleted, self._server_up, self._server_rows,
        ]  # fmt: skip
        rows = []
        for metric in own:
            (family,) = metric.describe()
            name = f"{family.name}_total" if family.type == "counter" else family.name
            rows.append((name, family.type, family.documentation, tuple(metric._labelnames)))
        return rows
