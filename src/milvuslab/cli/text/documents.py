"""`milvuslab text`: single documents, and what is there."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from milvuslab.cli.command import Door, command
from milvuslab.cli.output import format_bytes, format_time, table
from milvuslab.cli.text.noun import CollectionOption, DocumentIdArgument, LanguageOption, app, find_document, open_shelf
from milvuslab.model.errors import NotFoundError, UsageError

__all__: list[str] = []


@command(app, "get", examples=["milvuslab text get DOCUMENT_ID", "milvuslab text get DOCUMENT_ID --json"])
def get(door: Door, *, document_id: DocumentIdArgument, collection: CollectionOption = "") -> None:
    """Print one document."""
    _, document = find_document(open_shelf(door), document_id, collection=collection)
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
    language: LanguageOption = "",
    source: Annotated[str, typer.Option("--source", help="Name kept with the document.", metavar="NAME")] = "added",
    url: Annotated[str, typer.Option("--url", help="Where a person can read it.", metavar="URL")] = "",
    collection: CollectionOption = "",
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
    shelf = open_shelf(door)
    holder = shelf.open(collection) if collection else shelf.create_for_language(language)
    document_id = add_document(holder, document)
    door.show(
        {"document_id": document_id, "collection": holder.name, "language": language},
        [f"added {document_id} to {holder.name}"],
    )


@command(app, "delete", examples=["milvuslab text delete DOCUMENT_ID"])
def delete(door: Door, *, document_id: DocumentIdArgument, collection: CollectionOption = "") -> None:
    """Remove one document."""
    from milvuslab.apps.text.document import delete_document

    holder, document = find_document(open_shelf(door), document_id, collection=collection)
    passage_count = delete_document(holder, document_id)
    door.show(
        {"document_id": document_id, "collection": holder.name, "passage_count": passage_count},
        [f"deleted {document.title!r}: {passage_count} passages from {holder.name}"],
    )


@command(app, "stats", examples=["milvuslab text stats", "milvuslab text stats --collection text_ko"])
def stats(door: Door, *, collection: CollectionOption = "") -> None:
    """Count documents and passages of the text collections."""
    from milvuslab.apps.text.document import collect_text_stats

    shelf = open_shelf(door)
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
