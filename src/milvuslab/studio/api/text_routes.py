"""Routes of the text application. Each parses, calls the desk, and renders the value that comes back."""

# No `from __future__ import annotations` here: FastAPI reads the annotations of functions that are made inside another,
# and those must be values then, not text.
import dataclasses
import datetime as dt
from typing import TYPE_CHECKING, Annotated, Any

from milvuslab.apps.text.search import ChannelChoice, TextAnswer, TextHit, TextQuery
from milvuslab.apps.text.similar import SimilarAnswer
from milvuslab.model.errors import LimitError, UsageError
from milvuslab.studio.api.schemas import (
    Added,
    AlsoAt,
    Answer,
    Deleted,
    Explanation,
    Hit,
    PostedDocument,
    Similar,
    SimilarHit,
    Stored,
    Timing,
)
from milvuslab.studio.text_desk import TextDesk, check_question

if TYPE_CHECKING:
    from fastapi import APIRouter

    from milvuslab.model.settings import Settings

__all__ = ["make_text_router", "parse_moment"]


def make_text_router(desk: TextDesk) -> "APIRouter":
    """The routes under `/api/v1/text`."""
    from fastapi import APIRouter, Query

    router = APIRouter(prefix="/api/v1/text", tags=["text"])
    settings = desk.settings
    most_hits, which_collection = _shared_parameters(settings)

    @router.get("/search", summary="Search by meaning and by words", response_model=Answer)
    async def search(  # noqa: PLR0917  FastAPI passes parameters by name
        q: Annotated[
            str, Query(description="The question.", examples=["why does snow reflect light", "표 만드는 방법"])
        ],
        limit: Annotated[int, most_hits] = 10,
        language: Annotated[
            str, Query(description="`ko` or `en`; empty goes by the script of the question.", max_length=16)
        ] = "",
        collection: Annotated[str, which_collection] = "",
        source: Annotated[str, Query(description="Only documents of this source.", max_length=64)] = "",
        published_after: Annotated[
            str,
            Query(description="Only documents published then or later: a day or a time, UTC.", examples=["2001-01-31"]),
        ] = "",
        published_before: Annotated[str, Query(description="Only documents published before.")] = "",
        min_score: Annotated[
            float | None, Query(description="Only passages with at least this cosine.", ge=-1, le=1)
        ] = None,
        channel: Annotated[
            ChannelChoice,
            Query(
                description="By meaning (`dense`), by words (`lexical`), or by both (`hybrid`); `auto` takes both where "
                "the server has full text."
            ),
        ] = "auto",
        across: Annotated[  # noqa: FBT002
            bool, Query(description="Documents of every language may answer: asks the multilingual collection.")
        ] = False,
    ) -> Answer:
        """The best passage of each document, best first, and why it stands where it stands."""
        query = TextQuery(
            text=check_question(q, settings=settings),
            limit=_check_limit(limit, settings.result_limit),
            language=language,
            source=source,
            published_after_s=parse_moment(published_after, "published_after"),
            published_before_s=parse_moment(published_before, "published_before"),
            min_score=min_score,
            channel=channel,
        )
        answer = await desk.run(desk.search, query, collection=collection, is_across=across)
        return _answer(query.text, answer)

    _add_documents(router, desk)
    return router


def _add_documents(router: "APIRouter", desk: TextDesk) -> None:
    """The routes of single documents."""
    from fastapi import Path, Query

    settings = desk.settings
    most_hits, which_collection = _shared_parameters(settings)
    document_key = Path(description="Key of a document, from a hit.", min_length=1, max_length=128)

    @router.get("/documents/{document_id}", summary="Read a document", response_model=Stored)
    async def read(
        document_id: Annotated[str, document_key], collection: Annotated[str, which_collection] = ""
    ) -> Stored:
        """The document, put together from its passages."""
        document = await desk.run(desk.read, document_id, collection=collection)
        values = document.as_dict()
        published_at = _moment(values.pop("published_at_s"))
        return Stored(**values, published_at=published_at)

    @router.get("/documents/{document_id}/similar", summary="Find similar documents", response_model=Similar)
    async def similar(
        document_id: Annotated[str, document_key],
        limit: Annotated[int, most_hits] = 10,
        collection: Annotated[str, which_collection] = "",
        diversity: Annotated[
            float,
            Query(description="How much a document loses for being like one that is chosen already.", ge=0, le=1),
        ] = 0.0,
    ) -> Similar:
        """Documents nearest to this one; itself left out, copies named with the document they are copies of."""
        limit = _check_limit(limit, settings.result_limit)
        return _similar(
            await desk.run(desk.similar, document_id, limit=limit, diversity=diversity, collection=collection)
        )

    @router.post("/documents", summary="Store a document", response_model=Added, status_code=201)
    async def add(
        document: PostedDocument,
        collection: Annotated[str, which_collection] = "",
        wait: Annotated[bool, Query(description="Answer only when a search finds it, and say after how long.")] = False,  # noqa: FBT002
    ) -> Added:
        """Stores a document; the same text, or the same `document_id` and `source`, again replaces it."""
        published_at = document.published_at
        if published_at is not None and published_at.tzinfo is None:
            published_at = published_at.replace(tzinfo=dt.timezone.utc)
        added = await desk.run(
            desk.add,
            title=document.title,
            text=document.text,
            language=document.language,
            source=document.source,
            url=document.url,
            published_at_s=None if published_at is None else int(published_at.timestamp()),
            origin_id=document.document_id,
            collection=collection,
            is_awaited=wait,
        )
        return Added.model_validate(added)

    @router.delete("/documents/{document_id}", summary="Remove a document", response_model=Deleted)
    async def delete(
        document_id: Annotated[str, document_key],
        collection: Annotated[str, which_collection] = "",
        wait: Annotated[bool, Query(description="Answer only when no search finds it any more.")] = False,  # noqa: FBT002
    ) -> Deleted:
        """Removes all passages of the document; without `wait` a search may find it for a moment longer."""
        passage_count = await desk.run(desk.delete, document_id, collection=collection, is_awaited=wait)
        return Deleted(document_id=document_id, passage_count=passage_count)


def _shared_parameters(settings: "Settings") -> tuple[Any, Any]:
    """`limit` and `collection`, as several routes take them."""
    from fastapi import Query

    limit = Query(description=f"Most hits, 1 to {settings.result_limit}.", ge=1)
    collection = Query(
        description="Collection to use; empty takes the language's.", examples=["text_en"], max_length=255
    )
    return limit, collection


def parse_moment(text: str, name: str) -> int | None:
    """Unix seconds of a day or a time as ISO 8601 writes it, UTC where no zone is given; None for an empty text.

    >>> parse_moment("1970-01-02", "published_after")
    86400

    Raises:
        UsageError: it is neither.
    """
    if not text:
        return None
    try:
        moment = dt.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise UsageError(
            f"{name} is {text[:40]!r}, which is no day", hint=f"write {name}=2024-01-31 or {name}=2024-01-31T09:00:00Z"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.timezone.utc)
    return int(moment.timestamp())


def _check_limit(limit: int, maximum: int) -> int:
    if limit > maximum:
        raise LimitError(
            f"limit is {limit}, more than {maximum}",
            hint="ask for less, or raise the setting result_limit",
            context={"limit": maximum, "setting": "result_limit"},
        )
    return limit


def _answer(query: str, answer: TextAnswer) -> Answer:
    return Answer(
        query=query,
        collection=answer.collection,
        encoder=answer.encoder,
        channel=answer.channel,
        note=answer.note,
        hits=[Hit(**_hit_values(hit)) for hit in answer.hits],
        timing=Timing.model_validate(answer),
    )


def _similar(answer: SimilarAnswer) -> Similar:
    def copies(document_id: str) -> list[AlsoAt]:
        return [AlsoAt.model_validate(same) for same in answer.also_at.get(document_id, ())]

    return Similar(
        document_id=answer.document_id,
        collection=answer.collection,
        encoder=answer.encoder,
        diversity=answer.diversity,
        also_at=copies(answer.document_id),
        hits=[SimilarHit(**_hit_values(hit), also_at=copies(hit.document_id)) for hit in answer.hits],
        timing=Timing(embed_ms=answer.embed_ms, milvus_ms=answer.milvus_ms, total_ms=answer.total_ms),
    )


def _hit_values(hit: TextHit) -> dict[str, Any]:
    values = {field.name: getattr(hit, field.name) for field in dataclasses.fields(hit)}
    values["published_at"] = _moment(values.pop("published_at_s"))
    values["explanation"] = None if hit.explanation is None else Explanation(**dataclasses.asdict(hit.explanation))
    return values


def _moment(unix_s: Any) -> dt.datetime | None:
    return None if unix_s is None else dt.datetime.fromtimestamp(unix_s, tz=dt.timezone.utc)
