"""What every verb of `milvuslab text` shares: the noun, its options, and the way to the collections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from milvuslab.cli.command import Door, group
from milvuslab.model.errors import NotFoundError

if TYPE_CHECKING:
    from milvuslab.apps.text.collection import TextCollection
    from milvuslab.apps.text.document import StoredDocument
    from milvuslab.apps.text.shelf import Shelf

__all__ = [
    "CollectionOption",
    "DocumentIdArgument",
    "LanguageOption",
    "LimitOption",
    "app",
    "find_document",
    "open_shelf",
]

app = group("text", help_text="Search documents by meaning and by words, in Korean and English.")

LimitOption = Annotated[int, typer.Option("--limit", "-n", help="Most hits.", min=1, max=1_000)]
LanguageOption = Annotated[
    str, typer.Option("--language", "-l", help="Language of the documents: en or ko.", metavar="CODE")
]
CollectionOption = Annotated[
    str, typer.Option("--collection", help="Collection; default: the language's.", metavar="NAME")
]
DocumentIdArgument = Annotated[
    str, typer.Argument(metavar="DOCUMENT_ID", help="Key of a document, as a search prints it.")
]


def open_shelf(door: Door) -> Shelf:
    """The text collections of the chosen server."""
    from milvuslab.apps.text import shelf

    return shelf.open_shelf(door.workspace.connect(), settings=door.workspace.settings)


def find_document(shelf: Shelf, document_id: str, *, collection: str) -> tuple[TextCollection, StoredDocument]:
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
