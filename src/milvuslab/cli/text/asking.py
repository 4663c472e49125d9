"""`milvuslab text`: questions."""

from __future__ import annotations

import enum
from datetime import datetime, timezone
from typing import Annotated

import typer

from milvuslab.cli.command import Door, command
from milvuslab.cli.text.noun import (
    CollectionOption,
    DocumentIdArgument,
    LanguageOption,
    LimitOption,
    app,
    find_document,
    open_shelf,
)
from milvuslab.model.errors import UsageError

__all__: list[str] = []


class _Channel(str, enum.Enum):
    auto = "auto"
    dense = "dense"
    lexical = "lexical"
    hybrid = "hybrid"

    def __str__(self) -> str:
        return self.value


@command(
    app,
    "search",
    examples=[
        "milvuslab text search 'how do volcanoes form'",
        "milvuslab text search '표 만드는 방법' --limit 5",
        "milvuslab text search 'bushfire' --source news --json",
        "milvuslab text search '피벗 테이블' --channel hybrid --explain",
        "milvuslab text search '피벗 테이블 만들기' --across",
    ],
)
def search(
    door: Door,
    *,
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="What you want to know.")],
    limit: LimitOption = 10,
    language: LanguageOption = "",
    source: Annotated[str, typer.Option("--source", help="Only documents of this source.", metavar="NAME")] = "",
    after: Annotated[str, typer.Option("--after", help="Only documents of this day or later.", metavar="DAY")] = "",
    before: Annotated[str, typer.Option("--before", help="Only documents before this day.", metavar="DAY")] = "",
    min_score: Annotated[
        float | None,
        typer.Option("--min-score", help="Only passages whose cosine is above, -1 to 1.", metavar="COSINE"),
    ] = None,
    collection: CollectionOption = "",
    is_ungrouped: Annotated[
        bool, typer.Option("--all-passages", help="Several passages of one document may appear.")
    ] = False,
    channel: Annotated[
        _Channel,
        typer.Option(
            "--channel",
            help="Search by meaning (dense), by words (lexical), or by both (hybrid); auto takes both where it can.",
        ),
    ] = _Channel.auto,
    is_explained: Annotated[
        bool, typer.Option("--explain", help="Say of each hit why it stands where it stands.")
    ] = False,
    is_across: Annotated[
        bool, typer.Option("--across", help="Documents of every language may answer: the multilingual collection.")
    ] = False,
) -> None:
    """Find passages by meaning and by words. The question's language chooses the collection unless you do."""
    from milvuslab.apps.text.search import TextQuery, search_text
    from milvuslab.cli.text.view import answer_lines

    query = TextQuery(
        text=question,
        limit=limit,
        language=language,
        source=source,
        published_after_s=_unix_s(after, "--after"),
        published_before_s=_unix_s(before, "--before"),
        min_score=min_score,
        is_grouped=not is_ungrouped,
        channel=channel.value,
    )
    _check_length(question, door.workspace.settings.query_limit_chars)
    holder = open_shelf(door).choose(question, language=language, collection=collection, is_across=is_across)
    answer = search_text(holder, query)
    door.show(answer.as_dict(), answer_lines(answer, is_explained=is_explained))


@command(
    app,
    "similar",
    examples=["milvuslab text similar DOCUMENT_ID --limit 5", "milvuslab text similar DOCUMENT_ID --diversity 0.4"],
)
def similar(
    door: Door,
    *,
    document_id: DocumentIdArgument,
    limit: Annotated[int, typer.Option("--limit", "-n", help="Most documents.", min=1, max=100)] = 10,
    collection: CollectionOption = "",
    diversity: Annotated[
        float,
        typer.Option("--diversity", help="What a document loses for being like one already listed.", min=0, max=1),
    ] = 0.0,
    is_ungrouped: Annotated[bool, typer.Option("--all-copies", help="Copies are documents of their own.")] = False,
) -> None:
    """Find documents like one that is there; copies are named with what they are copies of."""
    from milvuslab.apps.text.similar import find_similar_documents
    from milvuslab.cli.text.view import similar_lines

    holder, _ = find_document(open_shelf(door), document_id, collection=collection)
    answer = find_similar_documents(holder, document_id, limit=limit, diversity=diversity, is_grouped=not is_ungrouped)
    door.show(answer.as_dict(), similar_lines(answer))


def _check_length(question: str, limit_chars: int) -> None:
    if len(question) > limit_chars:
        raise UsageError(
            f"the question has {len(question):,} characters, more than {limit_chars:,}",
            hint="ask shorter, or raise MILVUSLAB_QUERY_LIMIT_CHARS",
        )


def _unix_s(day: str, option: str) -> int | None:
    if not day:
        return None
    try:
        parsed = datetime.fromisoformat(day)
    except ValueError:
        raise UsageError(f"{option} is {day!r}, which is no day", hint=f"write it as {option} 2024-01-31") from None
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=timezone.utc)
    return int(parsed.timestamp())
