"""The home page's parts as HTML: servers, what they can do, collections, long work."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from milvuslab.journal.job import Job
from milvuslab.model.server import Capabilities
from milvuslab.studio.pages.markup import Html, join, tag
from milvuslab.studio.pages.notices import job_progress, progress_bar
from milvuslab.studio.watch.servers import CollectionView, ServerView
from milvuslab.studio.words.words import Words

__all__ = ["render_collections", "render_jobs", "render_servers"]

_STATES = {
    "ready": "state.ready",
    "starting": "state.starting",
    "unreachable": "state.unreachable",
    "stopped": "state.stopped",
}
_KINDS = {"lite": "kind.lite", "standalone": "kind.standalone", "remote": "kind.remote"}
_LOADS = {"loaded": "load.loaded", "loading": "load.loading", "not_loaded": "load.not_loaded"}
_JOBS = {"running": "job.running", "failed": "job.failed", "interrupted": "job.interrupted", "paused": "job.paused"}


def render_servers(words: Words, servers: Sequence[ServerView] | None) -> Html:
    """A card per server."""
    if servers is None:
        return tag("p", words("home.loading"), class_="quiet")
    if not servers:
        return tag("p", words("home.no_servers"), class_="quiet")
    return tag("div", [_card(words, view) for view in servers], class_="cards")


def render_collections(words: Words, servers: Sequence[ServerView]) -> Html:
    """One table over all servers."""
    rows = [_row(words, server, collection) for server in servers for collection in server.collections]
    if not rows:
        return tag("p", words("home.no_collections"), class_="quiet")
    heads = ["home.collection", "home.server", "home.rows", "home.encoder", "home.state"]
    head = tag("tr", [tag("th", words(key), scope="col") for key in heads])
    return tag("div", tag("table", tag("thead", head), tag("tbody", rows)), class_="table-scroll")


def render_jobs(words: Words, jobs: Sequence[Job]) -> Html:
    """Work that runs or stopped before its end; finished work is not told."""
    open_jobs = [job for job in jobs if job.state in _JOBS]
    if not open_jobs:
        return tag("p", words("home.jobs_none"), class_="quiet")
    return tag("ul", [_job(words, job) for job in open_jobs], class_="jobs")


def _card(words: Words, view: ServerView) -> Html:
    known = view.capabilities
    version = words("home.version", version=_plain_version(known.server_version)) if known else ""
    facts = [(words("home.rows"), words.number(view.row_count)) if view.state == "ready" else None]
    if view.facts.memory_bytes is not None:
        facts.append((words("home.memory"), words.size(view.facts.memory_bytes)))
    if view.facts.disk_bytes:
        facts.append((words("home.disk"), words.size(view.facts.disk_bytes)))
    return tag(
        "article",
        tag(
            "header",
            tag("h3", view.name),
            tag("span", tag("i"), words(_STATES[view.state]), class_=f"state is-{view.state}"),
        ),
        tag("p", " · ".join(part for part in (words(_KINDS[view.facts.kind]), version) if part), class_="quiet"),
        tag("p", tag("code", view.facts.uri), class_="uri"),
        tag("dl", [join(tag("dt", fact[0]), tag("dd", fact[1])) for fact in facts if fact], class_="facts"),
        tag("p", view.failure, class_="card-failure") if view.state == "unreachable" else None,
        tag("p", view.hint, class_="quiet") if view.state == "unreachable" else None,
        _capabilities(words, view.name, known) if known else None,
        class_="card",
        data_server=view.name,
    )


def _plain_version(version: str) -> str:
    """The number in what a server calls itself: `milvus_lite-3.2.2` and `v2.3.5-lite` say it with words around."""
    found = re.search(r"\d+(\.\d+)+", version)
    return found.group() if found else version


def _capabilities(words: Words, server: str, known: Capabilities) -> Html:
    parts: list[Html | None] = [
        _by_vector(words("home.index_types"), known.index_types),
        _by_vector(words("home.metrics"), known.metrics),
        _group(words("home.data_types"), [("", sorted(known.data_types))]),
        _group(words("home.features"), [("", sorted(name.replace("_", " ") for name in known.features))]),
    ]
    return tag(
        "details", tag("summary", words("home.capabilities")), parts, class_="capabilities", data_key=f"can-{server}"
    )


def _by_vector(label: str, table: Mapping[str, frozenset[str]]) -> Html | None:
    return _group(
        label, [(kind.removesuffix("_VECTOR").lower(), sorted(names)) for kind, names in sorted(table.items())]
    )


def _group(label: str, rows: Sequence[tuple[str, Sequence[str]]]) -> Html | None:
    shown = [
        tag(
            "div",
            tag("span", kind, class_="vector-kind") if kind else None,
            tag("span", [tag("span", name, class_="badge") for name in names], class_="can-names"),
            class_="can-row",
        )
        for kind, names in rows
        if names
    ]
    return tag("div", tag("h4", label), shown) if shown else None


def _row(words: Words, server: ServerView, collection: CollectionView) -> Html:
    name = (
        tag("a", collection.name, href=f"/text?collection={collection.name}")
        if collection.kind == "text"
        else collection.name
    )
    encoder = " · ".join(part for part in (collection.encoder, f"{collection.dim} d" if collection.dim else "") if part)
    return tag(
        "tr",
        tag("td", name),
        tag("td", server.name),
        tag("td", words.number(collection.row_count), class_="number"),
        tag("td", encoder or "–"),
        tag("td", words(_LOADS.get(collection.load_state, "load.unknown"))),
    )


def _job(words: Words, job: Job) -> Html:
    return tag(
        "li",
        tag(
            "div",
            tag("b", job.title),
            tag("span", words(_JOBS[job.state]), class_=f"badge is-{job.state}"),
            class_="job-head",
        ),
        progress_bar(job.done_ratio),
        tag("p", job_progress(words, job), class_="quiet"),
        tag("p", job.failure, class_="card-failure") if job.failure else None,
    )
