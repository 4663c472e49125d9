"""What the home page says in English."""

from __future__ import annotations

__all__ = ["WORDS"]

WORDS = {
    "home.all_collections": "Collections",
    "home.api": "HTTP API",
    "home.api_intro": "Every page has its route: search, documents, servers, jobs.",
    "home.capabilities": "What it can do",
    "home.collection": "Collection",
    "home.data_types": "Field types",
    "home.disk": "Disk",
    "home.encoder": "Encoder",
    "home.features": "Features",
    "home.heading": "Milvus, running here",
    "home.index_types": "Index types",
    "home.images_intro": "Find pictures by what they show.",
    "home.intro": "Real servers on this machine, what they hold, and what each of them can do.",
    "home.jobs": "Work in progress",
    "home.jobs_none": "Nothing is running. Everything that was begun is done.",
    "home.lab_intro": "Compare index types on the same vectors, and choose by recall.",
    "home.loading": "Looking for servers…",
    "home.memory": "Memory",
    "home.metrics": "Metrics",
    "home.metrics_intro": "How this studio is doing, for Prometheus.",
    "home.no_collections": "No collection yet. Add a document, or load the samples: milvuslab text load-samples",
    "home.no_servers": "No server yet. Start one: milvuslab up",
    "home.rows": "Rows",
    "home.search_intro": "Search real documents by meaning.",
    "home.server": "Server",
    "home.state": "State",
    "home.version": "Milvus {version}",
    "load.loaded": "in memory",
    "load.loading": "loading",
    "load.not_loaded": "on disk",
    "load.unknown": "unknown",
}
