"""Routes of the index lab: comparisons are ordered, watched, stopped, read, and asked what to choose at a recall."""

# No `from __future__ import annotations` here: FastAPI reads the annotations of functions that are made inside another,
# and those must be values then, not text.
from typing import TYPE_CHECKING, Annotated

from milvuslab.model.errors import ConflictError
from milvuslab.studio.api.lab_schemas import Choice, ChoiceList, ComparisonList, ComparisonState, Ordered, PostedOrder
from milvuslab.studio.lab.desk import LabDesk, LabEntry
from milvuslab.studio.lab.order import LabOrder

if TYPE_CHECKING:
    from fastapi import APIRouter

__all__ = ["make_lab_router"]


def make_lab_router(lab: LabDesk) -> "APIRouter":
    """The routes under `/api/v1/index-lab`."""
    from fastapi import APIRouter, Path, Query

    router = APIRouter(prefix="/api/v1/index-lab", tags=["index-lab"])
    which = Path(description="Id of a comparison, from the list.", min_length=1, max_length=64)

    @router.get("/comparisons", summary="List comparisons", response_model=ComparisonList)
    async def list_comparisons() -> ComparisonList:
        """All comparisons of this workspace, the latest first."""
        return ComparisonList(comparisons=[_state(entry) for entry in await lab.run(lab.entries)])

    @router.post("/comparisons", summary="Start a comparison", response_model=Ordered, status_code=202)
    async def start(order: PostedOrder) -> Ordered:
        """Begins a comparison in a process of its own and returns at once; one runs at a time."""
        return Ordered(comparison_id=await lab.run(lab.start, _order(order)))

    @router.get("/comparisons/{comparison_id}", summary="How a comparison stands", response_model=ComparisonState)
    async def find(comparison_id: Annotated[str, which]) -> ComparisonState:
        """State and progress; what was measured so far is asked for by recall."""
        return _state(await lab.run(lab.find, comparison_id))

    @router.get("/comparisons/{comparison_id}/choice", summary="What to take at a recall", response_model=ChoiceList)
    async def choose(
        comparison_id: Annotated[str, which],
        recall: Annotated[float, Query(description="Recall that is needed.", ge=0, le=1, examples=[0.95])],
    ) -> ChoiceList:
        """Each index type with its fastest measured setting that reaches the recall, most answers a second first."""
        found = await lab.run(lab.read, comparison_id)
        if found is None:
            raise ConflictError(
                f"of the comparison {comparison_id} nothing is measured yet", hint="ask again when a type is done"
            )
        choices = [
            Choice(
                index_type=result.index_type, server=result.server, build_params=dict(result.build_params),
                params=dict(point.params), recall=point.recall, qps=point.qps, latency_ms_p50=point.latency_ms_p50,
                latency_ms_p99=point.latency_ms_p99, memory_bytes=result.memory_bytes, disk_bytes=result.disk_bytes,
                build_s=result.build_s,
            )
            for result, point in found.at_recall(recall)
        ]  # fmt: skip
        return ChoiceList(recall=recall, is_complete=found.is_complete, choices=choices)

    @router.post("/comparisons/{comparison_id}/cancel", summary="Stop a comparison", response_model=ComparisonState)
    async def cancel(comparison_id: Annotated[str, which]) -> ComparisonState:
        """Stops the process; index types that are done stay."""
        return _state(await lab.run(lab.cancel, comparison_id))

    @router.delete("/comparisons/{comparison_id}", summary="Delete a comparison", status_code=204)
    async def remove(comparison_id: Annotated[str, which]) -> None:
        """Deletes what was measured, and the report."""
        await lab.run(lab.remove, comparison_id)

    return router


def _order(posted: PostedOrder) -> LabOrder:
    return LabOrder(
        data=posted.data, row_count=posted.row_count, dim=posted.dim, path=posted.path, collection=posted.collection,
        recall_target=posted.recall_target, index_types=tuple(posted.index_types), with_stopped=posted.with_stopped,
    )  # fmt: skip


def _state(entry: LabEntry) -> ComparisonState:
    job = entry.job
    return ComparisonState(
        comparison_id=entry.comparison_id,
        title=entry.title,
        state=entry.state,
        step=job.step if job else "",
        done_count=job.done_count if job else 0,
        total_count=job.total_count if job else None,
        failure=entry.failure,
    )
