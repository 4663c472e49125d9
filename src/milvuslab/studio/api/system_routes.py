"""Routes about the studio itself: health, servers, jobs."""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from milvuslab._version import __version__
from milvuslab.journal.job import Job
from milvuslab.studio.api.schemas import Capability, Collection, Health, JobList, JobState, Server, ServerList
from milvuslab.studio.watch.readiness import list_waiting, remaining_s
from milvuslab.studio.watch.servers import ServerView

if TYPE_CHECKING:
    from fastapi import APIRouter

    from milvuslab.embed.encoder import TextEncoder
    from milvuslab.studio.text_desk import TextDesk
    from milvuslab.studio.watch.encoders import EncoderWatch
    from milvuslab.studio.watch.servers import ServerWatch

__all__ = ["make_system_router"]


def make_system_router(
    *,
    servers: "ServerWatch",
    encoders: "EncoderWatch[TextEncoder]",
    desk: "TextDesk",
    read_jobs: Callable[[], Sequence[Job]],
) -> "APIRouter":
    """The routes under `/api/v1` that belong to no application."""
    from fastapi import APIRouter

    router = APIRouter(prefix="/api/v1", tags=["system"])

    @router.get("/health", summary="Is it there?", response_model=Health)
    async def health() -> Health:
        """Answers without the key and without asking any server."""
        waiting = list_waiting(servers.views(), encoders.views(), text_server=desk.server)
        return Health(status="ok", version=__version__, is_ready=not waiting, waiting_for=waiting)

    @router.get("/servers", summary="Servers and what they can do", response_model=ServerList)
    async def list_servers() -> ServerList:
        """All servers as the last look, a few seconds ago at most, saw them."""
        return ServerList(servers=[_server(view) for view in servers.views()])

    @router.get("/jobs", summary="Long work", response_model=JobList)
    async def list_jobs() -> JobList:
        """Loading of documents and other long work, running and done."""
        return JobList(jobs=[_job(job) for job in await desk.run(read_jobs)])

    return router


def _server(view: ServerView) -> Server:
    known = view.capabilities
    return Server(
        name=view.name,
        kind=view.facts.kind,
        uri=view.facts.uri,
        state=view.state,
        failure=view.failure,
        hint=view.hint,
        version=known.server_version if known else "",
        memory_bytes=view.facts.memory_bytes,
        disk_bytes=view.facts.disk_bytes,
        row_count=view.row_count,
        collections=[Collection.model_validate(collection) for collection in view.collections],
        capabilities=Capability(**known.as_dict()) if known else None,
        looked_at=view.looked_at,
    )


def _job(job: Job) -> JobState:
    return JobState(
        job_id=job.job_id,
        title=job.title,
        state=job.state,
        step=job.step,
        done_count=job.done_count,
        total_count=job.total_count,
        done_ratio=job.done_ratio,
        unit=job.unit,
        rate_per_s=job.rate_per_s,
        remaining_s=remaining_s(job),
        failure=job.failure,
        started_at=dt.datetime.fromtimestamp(job.started_at_s, tz=dt.timezone.utc),
        updated_at=dt.datetime.fromtimestamp(job.updated_at_s, tz=dt.timezone.utc),
    )
