"""Calm notices: an error for a person, and the banner that says what is still being prepared."""

from __future__ import annotations

from collections.abc import Sequence

from milvuslab.journal.job import Job
from milvuslab.studio.pages.markup import Html, Part, join, tag
from milvuslab.studio.watch.encoders import EncoderView
from milvuslab.studio.watch.readiness import remaining_s
from milvuslab.studio.watch.servers import ServerView
from milvuslab.studio.words.words import Words

__all__ = ["job_progress", "list_titles", "progress_bar", "render_banner", "render_notice"]

_TITLES = {
    "conflict": "error.conflict",
    "forbidden": "error.forbidden",
    "internal": "error.internal",
    "limit": "error.limit",
    "media": "error.media",
    "not_found": "error.not_found",
    "start": "error.start",
    "timed_out": "error.timed_out",
    "unauthorized": "error.forbidden",
    "unreachable": "error.unreachable",
    "unsupported": "error.unsupported",
    "config": "error.usage",
    "filter": "error.usage",
    "schema": "error.usage",
    "usage": "error.usage",
    "validation": "error.usage",
    "lost": "error.lost",
}


def render_notice(words: Words, *, code: str, message: str, hint: str = "", request_id: str = "") -> Html:
    """What went wrong in the person's language, then the sentence and the next step."""
    is_passing = code in ("start", "unreachable", "timed_out", "lost")
    return tag(
        "div",
        tag("p", words(_TITLES.get(code, "error.other")), class_="notice-title"),
        tag("p", message, class_="notice-text") if message else None,
        tag("p", hint, class_="notice-hint") if hint else None,
        tag("p", words("error.request", id=request_id), class_="notice-id") if request_id else None,
        class_=f"notice {'is-passing' if is_passing else 'is-error'}",
        role="alert",
        data_code=code,
    )


def list_titles(words: Words) -> dict[str, str]:
    """Title of a notice by the code of its error; `other` for all codes that have none."""
    return {**{code: words(key) for code, key in _TITLES.items()}, "other": words("error.other")}


def render_banner(
    words: Words,
    *,
    servers: Sequence[ServerView],
    encoders: Sequence[EncoderView],
    jobs: Sequence[Job],
    text_server: str,
) -> Html:
    """One slim line per thing that is not ready: the server, encoders, documents still being read in."""
    lines: list[Html] = []
    states = {view.name: view.state for view in servers}
    state = states.get(text_server, "starting")
    if state != "ready":
        key = "banner.server" if state == "starting" else "banner.server_lost"
        lines.append(_line(words(key, name=text_server), is_lost=state != "starting"))
    for view in encoders:
        if view.state == "opening":
            lines.append(_line(words("banner.encoder", name=view.name), view.step, bar=progress_bar(view.done_ratio)))
        elif view.state == "failed":
            text = words("banner.encoder_failed", name=view.name, failure=view.failure)
            lines.append(_line(text, view.hint, is_lost=True))
    for job in jobs:
        if job.state == "running":
            detail = job_progress(words, job)
            lines.append(_line(words("banner.job", title=job.title), detail, bar=progress_bar(job.done_ratio)))
    return join(lines)


def progress_bar(done_ratio: float | None) -> Html:
    """A thin bar; without a known share it only says that something moves."""
    if done_ratio is None:
        return tag("span", tag("span"), class_="bar is-unknown", role="progressbar")
    percent = round(done_ratio * 100)
    return tag(
        "span",
        tag("span", style=f"width:{percent}%"),
        class_="bar",
        role="progressbar",
        aria_valuenow=percent,
        aria_valuemin=0,
        aria_valuemax=100,
    )


def job_progress(words: Words, job: Job) -> str:
    """How far, how fast, how long still."""
    units = {"documents": "unit.documents", "passages": "unit.passages", "rows": "unit.rows", "bytes": "unit.bytes"}
    unit = words(units[job.unit]) if job.unit in units else job.unit
    if not job.done_count and not job.total_count:
        return job.step
    count = words.number(job.done_count)
    parts = [f"{count} / {words.number(job.total_count)} {unit}" if job.total_count else f"{count} {unit}"]
    if job.state == "running" and job.rate_per_s > 0:
        parts.append(words("job.rate", rate=f"{job.rate_per_s:,.1f}", unit=unit))
    left_s = remaining_s(job)
    if left_s is not None:
        parts.append(words("job.remaining", time=words.duration(left_s)))
    return " · ".join(parts)


def _line(text: str, detail: str = "", *, bar: Html | None = None, is_lost: bool = False) -> Html:
    parts: list[Part] = [tag("span", text, class_="banner-text"), tag("span", detail, class_="banner-detail"), bar]
    return tag("div", *parts, class_=f"banner{' is-lost' if is_lost else ''}")
