"""What the routes of the index lab take and give."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Choice", "ChoiceList", "ComparisonList", "ComparisonState", "Ordered", "PostedOrder"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", from_attributes=True)


class PostedOrder(_Model):
    """A comparison to run."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"data": "synthetic", "row_count": 20000, "dim": 64, "recall_target": 0.95},
                {
                    "data": "collection",
                    "collection": "text_en",
                    "row_count": 50000,
                    "index_types": ["HNSW", "IVF_FLAT"],
                },
            ]
        },
    )

    data: str = Field(default="synthetic", description="`synthetic`, `file` or `collection`.")
    row_count: int = Field(default=20_000, description="Rows of a synthetic set; most rows taken of the others.")
    dim: int = Field(default=64, description="Numbers of a synthetic vector.")
    path: str = Field(default="", max_length=1_000, description="A file of vectors on the studio's machine.")
    collection: str = Field(default="", max_length=255, description="A text collection of the studio's server.")
    recall_target: float = Field(default=0.95, description="Recall that every index type is tuned to.")
    index_types: list[str] = Field(default=[], max_length=32, description="Empty takes all that the servers build.")
    with_stopped: bool = Field(default=False, description="Whether servers that do not run are started for it.")


class Ordered(_Model):
    """A comparison that was begun."""

    comparison_id: str = Field(examples=["20250102-030405-ab12"])


class ComparisonState(_Model):
    """How a comparison stands."""

    comparison_id: str
    title: str = Field(examples=["20,000 x 64"])
    state: str = Field(description="`starting`, `running`, `done`, `failed`, `interrupted`, or `open`: a command's.")
    step: str = Field(description="What is being done.")
    done_count: int = Field(description="Index types that are done on the present server.")
    total_count: int | None
    failure: str = Field(description="Why it stopped; empty when it did not.")


class ComparisonList(_Model):
    """Comparisons, the latest first."""

    comparisons: list[ComparisonState]


class Choice(_Model):
    """What an index type needs for a recall, and what that costs."""

    index_type: str = Field(examples=["HNSW"])
    server: str = Field(examples=["standalone"])
    build_params: dict[str, Any] = Field(examples=[{"M": 16, "efConstruction": 200}])
    params: dict[str, Any] = Field(examples=[{"ef": 64}])
    recall: float = Field(description="Mean over the queries, measured at these parameters.")
    qps: float | None = Field(description="Answers a second with several searches under way.")
    latency_ms_p50: float | None = Field(description="Of searches sent one at a time.")
    latency_ms_p99: float | None
    memory_bytes: int | None = Field(description="What the server grew by; null where that cannot be seen.")
    disk_bytes: int | None
    build_s: float | None


class ChoiceList(_Model):
    """Choices at one recall; types that do not reach it are not among them."""

    recall: float
    is_complete: bool = Field(description="Whether all planned types are measured.")
    choices: list[Choice]
