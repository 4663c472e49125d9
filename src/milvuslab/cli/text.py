"""`milvuslab text`: documents in, passages found by meaning."""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from milvuslab.cli.command import Door, command, group
from milvuslab.cli.output import format_bytes, format_time, table
from milvuslab.model.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from milvuslab.apps.text.collection import TextCollection
    from milvuslab.apps.text.document import StoredDocument
    from milvuslab.apps.text.load import LoadReport
    from milvuslab.apps.text.shelf import Shelf

__all__ = ["app"]

app = group("text", help_text="Search documents by meaning, in Korean and English.")

_Limit = Annotated[int, typer.Option("--limit", "-n", help="Most hits.", min=1, max=1_000)]
_Language = Annotated[
    str, typer.Option("--language", "-l", help="Language of the documents: en or ko.", metavar="CODE")
]
_Collection = Annotated[str, typer.Option("--collection", help="Collection; default: the language's.", metavar="NAME")]
_DocumentId = Annotated[str, typer.Argument(metavar="DOCUMENT_ID", help="Key of a document, as a search prints it.")]


@command(
    app,
    "search",
    examples=[
        "milvuslab text search 'how do volcanoes form'",
        "milvuslab text search '표 만드는 방법' --limit 5",
        "milvuslab text search 'bushfire' --source news --json",
    ],
)
def search(
    door: Door,
    *,
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="What you want to know.")],
    limit: _Limit = 10,
    language: _Language = "",
    source: Annotated[str, typer.Option("--source", help="Only documents of this source.", metavar="NAME")] = "",
    after: Annotated[str, typer.Option("--after", help="Only documents of this day or later.", metavar="DAY")] = "",
    before: Annotated[str, typer.Option("--before", help="Only documents before this day.", metavar="DAY")] = "",
    min_score: Annotated[
        float | None, typer.Option("--min-score", help="Only passages at least this near, -1 to 1.", metavar="COSINE")
    ] = None,
    collection: _Collection = "",
    is_ungrouped: Annotated[
        bool, typer.Option("--all-passages", help="Several passages of one document may appear.")
    ] = False,
) -> None:
    """Find passages by meaning. The question's language chooses the collection unless you do."""
    from milvuslab.apps.text.search import TextQuery, search_text
    from milvuslab.cli.text_view import answer_lines

    query = TextQuery(
        text=question,
        limit=limit,
        language=language,
        source=source,
        published_after_s=_unix_s(after, "--after"),
        published_before_s=_unix_s(before, "--before"),
        min_score=min_score,
        is_grouped=not is_ungrouped,
    )
    _check_length(question, door.workspace.settings.query_limit_chars)
    answer = search_text(_shelf(door).choose(question, language=language, collection=collection), query)
    door.show(answer.as_dict(), answer_lines(answer))


@command(app, "similar", examples=["milvuslab text similar DOCUMENT_ID --limit 5"])
def similar(door: Door, *, document_id: _DocumentId, limit: _Limit = 10, collection: _Collection = "") -> None:
    """Find documents like one that is there."""
    from milvuslab.apps.text.search import find_similar_documents
    from milvuslab.cli.text_view import answer_lines

    holder, _ = _find(_shelf(door), document_id, collection=collection)
    answer = find_similar_documents(holder, document_id, limit=limit)
    door.show(answer.as_dict(), answer_lines(answer))


@command(
    app,
    "ingest",
    examples=[
        "milvuslab text ingest notes/ --language en",
        "milvuslab text ingest enwiki.xml.bz2 --language en --source wikipedia",
        "milvuslab text ingest 문서.jsonl --language ko --collection my_docs",
    ],
)
def ingest(
    door: Door,
    *,
    path: Annotated[str, typer.Argument(metavar="PATH_OR_URL", help="File, folder or web address.")],
    language: _Language = "",
    source: Annotated[
        str, typer.Option("--source", help="Name kept with each document; default: the file's.", metavar="NAME")
    ] = "",
    collection: _Collection = "",
    encoder: Annotated[
        str, typer.Option("--encoder", help="Encoder of a collection that is made now.", metavar="NAME")
    ] = "",
    file_format: Annotated[
        str, typer.Option("--format", help="Reader; default: by the name's ending.", metavar="NAME")
    ] = "",
    is_restart: Annotated[bool, typer.Option("--restart", help="Forget an earlier, interrupted run.")] = False,
) -> None:
    """Read documents into a collection. Run it again after an interruption and it goes on."""
    from milvuslab.apps.text.load import load_source

    with door.watch() as observer:
        report = load_source(
            _shelf(door),
            path,
            settings=door.workspace.settings,
            language=language,
            collection=collection,
            encoder=encoder,
            source=source,
            format=file_format or None,
            is_restart=is_restart,
            observer=observer,
        )
    door.show(report.as_dict(), _load_lines([report]))


@command(app, "load-samples", examples=["milvuslab text load-samples", "milvuslab text load-samples help-en"])
def load_samples(
    door: Door,
    *,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SAMPLE]...", help="wikipedia, news, help-ko, help-en; default: the first three."),
    ] = None,
) -> None:
    """Fetch the sample documents and load them; what is loaded already is left alone."""
    from milvuslab.apps.text.load import load_samples as load
    from milvuslab.data.samples import DEMO_SAMPLES

    with door.watch() as observer:
        reports = load(_shelf(door), names or DEMO_SAMPLES, settings=door.workspace.settings, observer=observer)
    door.show({"loaded": [report.as_dict() for report in reports]}, _load_lines(reports))


@command(app, "get", examples=["milvuslab text get DOCUMENT_ID", "milvuslab text get DOCUMENT_ID --json"])
def get(door: Door, *, document_id: _DocumentId, collection: _Collection = "") -> None:
    """Print one document."""
    _, document = _find(_shelf(door), document_id, collection=collection)
    about = [document.language, document.source, document.url, format_time(document.published_at_s)]
    door.show(
        document.as_dict(),
        [document.title, " | ".join(part for part in about if part not in ("", "-")), "", document.text],
    )


@command(
    app,
    "add",
    examples=[
        "milvuslab text add note.txt --language en --title 'A note'",
        "echo '벡터는 숫자의 줄이다' | milvuslab text add - --language ko --title 벡터",
    ],
)
def add(
    door: Door,
    *,
    path: Annotated[str, typer.Argument(metavar="FILE", help="Text file in UTF-8, or - for standard input.")],
    title: Annotated[str, typer.Option("--title", help="One line; default: the file's name.", metavar="TEXT")] = "",
    language: _Language = "",
    source: Annotated[str, typer.Option("--source", help="Name kept with the document.", metavar="NAME")] = "added",
    url: Annotated[str, typer.Option("--url", help="Where a person can read it.", metavar="URL")] = "",
    collection: _Collection = "",
) -> None:
    """Add one document; it is found at once. The same title and source replaces the earlier one."""
    from milvuslab.apps.text.document import add_document
    from milvuslab.data.document import Document, clean_text, clean_title, make_document_id
    from milvuslab.data.language import detect_language

    text = clean_text(_read_text(path, limit_chars=door.workspace.settings.document_limit_chars))
    title = clean_title(title or ("" if path == "-" else Path(path).stem) or text[:60])
    if not text:
        raise UsageError(f"{'standard input' if path == '-' else path} holds no text", hint="give a file with text")
    language = language or detect_language(text)
    document = Document(
        document_id=make_document_id(source=source, path=title),
        title=title,
        text=text,
        language=language,
        source=source,
        url=url,
    )
    shelf = _shelf(door)
    holder = shelf.open(collection) if collection else shelf.create_for_language(language)
    document_id = add_document(holder, document)
    door.show(
        {"document_id": document_id, "collection": holder.name, "language": language},
        [f"added {document_id} to {holder.name}"],
    )


@command(app, "delete", examples=["milvuslab text delete DOCUMENT_ID"])
def delete(door: Door, *, document_id: _DocumentId, collection: _Collection = "") -> None:
    """Remove one document."""
    from milvuslab.apps.text.document import delete_document

    holder, document = _find(_shelf(door), document_id, collection=collection)
    passage_count = delete_document(holder, document_id)
    door.show(
        {"document_id": document_id, "collection": holder.name, "passage_count": passage_count},
        [f"deleted {document.title!r}: {passage_count} passages from {holder.name}"],
    )


@command(app, "stats", examples=["milvuslab text stats", "milvuslab text stats --collection text_ko"])
def stats(door: Door, *, collection: _Collection = "") -> None:
    """Count documents and passages of the text collections."""
    from milvuslab.apps.text.document import collect_text_stats

    shelf = _shelf(door)
    found = [collect_text_stats(shelf.open(name)) for name in ([collection] if collection else shelf.names())]
    rows = [
        [one.collection, one.document_count, one.passage_count, one.encoder, one.dim, one.index_type] for one in found
    ]
    door.show(
        {"collections": [one.as_dict() for one in found]},
        table(
            ["collection", "documents", "passages", "encoder", "dim", "index"],
            rows,
            empty="no text collection yet; load some: milvuslab text load-samples",
        ),
    )


def _shelf(door: Door) -> Shelf:
    from milvuslab.apps.text.shelf import Shelf
    from milvuslab.embed.catalog import open_encoder

    settings = door.workspace.settings
    gateway = door.workspace.connect()
    return Shelf(gateway, open_encoder=lambda name: open_encoder(name, settings=settings))


def _find(shelf: Shelf, document_id: str, *, collection: str) -> tuple[TextCollection, StoredDocument]:
    """The document and the collection that holds it; all text collections are asked when none is named."""
    from milvuslab.apps.text.document import get_document

    for name in [collection] if collection else shelf.names():
        holder = shelf.open(name)
        try:
            return holder, get_document(holder, document_id)
        except NotFoundError:
            if collection:
                raise
    raise NotFoundError(f"no collection holds a document {document_id}", hint="find one: milvuslab text search")


def _load_lines(reports: list[LoadReport]) -> list[str]:
    lines = []
    for report in reports:
        done = report.ingest
        line = f"{report.collection}: {done.document_count:,} documents read, {done.added_count:,} new"
        line += f", {done.replaced_count:,} replaced, {done.unchanged_count:,} unchanged"
        lines.append(f"{line}; {done.passage_count:,} passages written")
        if done.duplicate_count:
            lines.append(f"  {done.duplicate_count:,} have the text of another document; they are kept")
        lines += [f"  {count:,} left out: {kind}" for kind, count in report.skipped_counts.items()]
        lines += [f"  {fault}" for fault in report.faults[:5]]
    return lines or ["everything is loaded already"]


def _read_text(path: str, *, limit_chars: int) -> str:
    try:
        raw = sys.stdin.buffer.read(limit_chars * 4 + 1) if path == "-" else Path(path).read_bytes()
        text = raw.decode("utf-8")
    except FileNotFoundError:
        raise NotFoundError(f"there is no file {path}", hint="check the path") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is no UTF-8 text", hint=f"iconv -t UTF-8 {path}") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint="give a text file") from None
    if len(text) > limit_chars:
        raise UsageError(
            f"{path} has {format_bytes(len(raw))}, more than {limit_chars:,} characters",
            hint="use `milvuslab text ingest`, or raise MILVUSLAB_DOCUMENT_LIMIT_CHARS",
        )
    return text


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
