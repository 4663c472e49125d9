"""What a person still has to wait for, told from the last looks."""

from __future__ import annotations

from collections.abc import Sequence

from milvuslab.journal.job import Job
from milvuslab.studio.watch.encoders import EncoderView
from milvuslab.studio.watch.servers import ServerView

__all__ = ["list_waiting", "remaining_s"]


def list_waiting(servers: Sequence[ServerView], encoders: Sequence[EncoderView], *, text_server: str) -> list[str]:
    """Names of what the text application needs and has not yet: `server standalone`, `encoder e5-small`."""
    states = {view.name: view.state for view in servers}
    waiting = [] if states.get(text_server) == "ready" else [f"server {text_server}"]
    return waiting + [f"encoder {view.name}" for view in encoders if view.state != "ready"]


def remaining_s(job: Job) -> float | None:
    """Seconds a running job still takes by its rate; None while that is unknown."""
    if job.state != "running" or not job.total_count or job.rate_per_s <= 0:
        return None
    return round(max(0, job.total_count - job.done_count) / job.rate_per_s, 1)
