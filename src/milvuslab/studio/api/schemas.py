"""What the HTTP API takes and gives, as it stands in OpenAPI."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "Added",
    "AlsoAt",
    "Answer",
    "Capability",
    "Collection",
    "Deleted",
    "Error",
    "Explanation",
    "Health",
    "Hit",
    "JobList",
    "JobState",
    "PostedDocument",
    "Server",
    "ServerList",
    "Similar",
    "SimilarHit",
    "Stored",
    "Timing",
]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", from_attributes=True)


class Error(_Model):
    """Every error has this form."""

    code: str = Field(description="The stable word for machines.", examples=["not_found"])
    message: str = Field(description="One sentence: what failed, on what, with which value.")
    hint: str = Field(description="The next step; may be empty.")
    context: dict[str, Any] = Field(description="Values for machines: names, limits, codes.")
    request_id: str = Field(description="Also in the header X-Request-ID and in the studio's log.")


class Health(_Model):
    """The studio answers; `is_ready` says whether a search would."""

    status: str = Field(description="Always `ok` when there is an answer.", examples=["ok"])
    version: str = Field(description="Version of milvuslab.", examples=["0.1.0"])
    is_ready: bool = Field(description="Whether the text server and its encoders are ready.")
    waiting_for: list[str] = Field(description="What is still starting, or away.", examples=[["server standalone"]])


class Capability(_Model):
    """What a live server was seen to do."""

    server_version: str = Field(examples=["2.3.5"])
    server_build: str
    index_types: dict[str, list[str]] = Field(examples=[{"FLOAT_VECTOR": ["FLAT", "HNSW", "IVF_FLAT"]}])
    metrics: dict[str, list[str]] = Field(examples=[{"FLOAT_VECTOR": ["COSINE", "IP", "L2"]}])
    data_types: list[str]
    features: list[str]
    notes: dict[str, str] = Field(description="For a name that was refused, the server's own words.")


class Collection(_Model):
    """A collection of a server."""

    name: str = Field(examples=["text_en"])
    row_count: int = Field(description="Rows that searches see.", examples=[3120])
    load_state: str = Field(examples=["loaded"])
    kind: str = Field(description="`text` for passages of ours, else empty.")
    encoder: str = Field(description="Encoder of a text collection, else empty.", examples=["minilm"])
    dim: int | None = Field(description="Numbers of its vector.", examples=[384])


class Server(_Model):
    """A server as the last look saw it."""

    name: str = Field(examples=["standalone"])
    kind: str = Field(description="`lite`, `standalone` or `remote`.")
    uri: str = Field(examples=["http://127.0.0.1:19530"])
    state: str = Field(description="`starting`, `ready`, `unreachable` or `stopped`.")
    failure: str = Field(description="Why the last look failed; empty when it did not.")
    hint: str
    version: str = Field(description="Of the server; empty until known.", examples=["2.3.5"])
    memory_bytes: int | None = Field(description="Resident memory of a server on this machine.")
    disk_bytes: int = Field(description="What its folder takes.")
    row_count: int
    collections: list[Collection]
    capabilities: Capability | None
    looked_at: dt.datetime | None


class ServerList(_Model):
    """All servers of the workspace."""

    servers: list[Server]


class JobState(_Model):
    """Where a piece of long work stands."""

    job_id: str
    title: str
    state: str = Field(description="`running`, `done`, `failed`, `interrupted` or another word of the job's record.")
    step: str
    done_count: int
    total_count: int | None
    done_ratio: float | None = Field(description="Share done in [0, 1]; null while the total is unknown.")
    unit: str = Field(examples=["documents"])
    rate_per_s: float
    remaining_s: float | None = Field(description="By the rate of this run; null while unknown.")
    failure: str
    started_at: dt.datetime
    updated_at: dt.datetime


class JobList(_Model):
    """Long work, oldest first."""

    jobs: list[JobState]


class Timing(_Model):
    """Where the time of a search went."""

    embed_ms: float = Field(description="Encoding the question; for similar documents, reading the vectors.")
    milvus_ms: float = Field(description="From sending the search to having the parsed answer.")
    lexical_ms: float = Field(
        default=0.0,
        description="Finding the words of the question and searching by them, beside the rest where both channels answer.",
    )
    fuse_ms: float = Field(default=0.0, description="Merging the two rankings.")
    total_ms: float = Field(description="Everything in the studio's process.")


class Explanation(_Model):
    """Why a hit stands where it stands."""

    final_rank: int = Field(description="Place in the answer, from 1.", examples=[1])
    dense_rank: int | None = Field(description="Place by meaning; null when that channel did not bring it.")
    lexical_rank: int | None = Field(description="Place by words.")
    dense_score: float | None = Field(description="Cosine.", examples=[0.61])
    lexical_score: float | None = Field(description="BM25.", examples=[7.2])
    dense_share: float = Field(description="Part of the score that meaning gave, 0 to 1.")
    lexical_share: float = Field(description="Part of the score that words gave, 0 to 1.")
    matched_terms: list[str] = Field(description="Words of the question that the passage holds.", examples=[["snow"]])


class Hit(_Model):
    """A passage that was found."""

    document_id: str = Field(description="Key of its document.", examples=["d8f8126a61d27647cf595f87"])
    passage_id: str
    ordinal: int = Field(description="Position of the passage in its document, from 0.")
    start: int = Field(description="Character offset of the passage in its document.")
    title: str = Field(examples=["Albedo"])
    text: str = Field(description="The passage, plain text.")
    highlights: list[tuple[int, int]] = Field(description="Character ranges of `text` that hold words of the question.")
    language: str = Field(examples=["en"])
    source: str = Field(examples=["wikipedia"])
    url: str
    published_at: dt.datetime | None
    score: float = Field(
        description="Larger is better: a cosine (`dense`), BM25 (`lexical`), or what the fusion made of both (`hybrid`).",
        examples=[0.61],
    )
    explanation: Explanation | None = Field(description="Null among similar documents.")


class Answer(_Model):
    """What was found, best first."""

    query: str
    collection: str = Field(examples=["text_en"])
    encoder: str = Field(examples=["minilm"])
    channel: str = Field(description="`dense`, `lexical` or `hybrid`: which answered.", examples=["hybrid"])
    note: str = Field(description="Why words were not searched although they might have been; else empty.")
    hits: list[Hit]
    timing: Timing


class AlsoAt(_Model):
    """A copy of a document, which takes no place of its own."""

    document_id: str
    title: str
    source: str
    url: str
    overlap: float = Field(description="Share of common word triples; 1 for the same content.", examples=[0.93])


class SimilarHit(Hit):
    """A document like another one, by its passage that comes nearest."""

    also_at: list[AlsoAt] = Field(description="Copies of it.")


class Similar(_Model):
    """Documents like one that is there, best first."""

    document_id: str
    collection: str = Field(examples=["text_en"])
    encoder: str = Field(examples=["minilm"])
    diversity: float
    also_at: list[AlsoAt] = Field(description="Copies of the document itself.")
    hits: list[SimilarHit]
    timing: Timing


class Stored(_Model):
    """A document as the collection holds it."""

    document_id: str
    origin_id: str = Field(description="Its id where it came from.")
    title: str
    text: str
    language: str
    source: str
    url: str
    published_at: dt.datetime | None
    passage_count: int


class PostedDocument(_Model):
    """A document to store."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "title": "Our first note",
                    "text": "Vectors of similar sentences lie near each other.",
                    "language": "en",
                },
                {"title": "회의록", "text": "다음 배포는 금요일 오후에 한다. 담당은 김하늘."},
            ]
        },
    )

    title: str = Field(default="", description="One line; empty takes the beginning of the text.")
    text: str = Field(description="Plain text, at most `document_limit_chars` characters.")
    language: str = Field(default="", description="`ko` or `en`; empty finds it out.")
    source: str = Field(default="", description="Where it comes from; empty means `studio`.")
    url: str = Field(default="", description="Where a person can read it.")
    published_at: dt.datetime | None = Field(default=None, description="Empty means now. UTC when no zone is given.")
    document_id: str = Field(default="", description="Its id where it comes from: the same id replaces the document.")


class Added(_Model):
    """A document that was stored and acknowledged."""

    document_id: str
    collection: str
    language: str
    stored_after_ms: float = Field(description="From taking the text to the server's acknowledgement.")
    found_after_ms: float | None = Field(
        description="From taking the text until a search found it; null without `wait`."
    )


class Deleted(_Model):
    """A document that was removed."""

    document_id: str
    passage_count: int
