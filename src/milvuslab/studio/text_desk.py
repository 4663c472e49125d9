"""The text application as the studio uses it: on threads, on one server, counted; it never waits for what is starting.

Handlers of the event loop call `run`, which takes one of `search_concurrency` threads; further calls wait their turn.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import logging
import math
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from milvuslab.apps.text.document import (
    StoredDocument,
    TextStats,
    add_document,
    collect_text_stats,
    delete_document,
    get_document,
)
from milvuslab.apps.text.fusion_file import KeptFusions
from milvuslab.apps.text.search import TextAnswer, TextQuery, search_text
from milvuslab.apps.text.shelf import DEFAULT_COLLECTIONS, Shelf
from milvuslab.apps.text.similar import SimilarAnswer, find_similar_documents
from milvuslab.data.document import Document, clean_text, clean_title, make_document_id
from milvuslab.data.language import detect_language
from milvuslab.model.errors import ConflictError, LimitError, NotFoundError, TimedOutError, UsageError
from milvuslab.model.filter import where
from milvuslab.studio.desk_threads import DeskThreads
from milvuslab.studio.watch.recall import RecallWatch

if TYPE_CHECKING:
    from milvuslab.apps.text.collection import TextCollection
    from milvuslab.apps.text.fusion import Fusion
    from milvuslab.apps.text.served_recall import ServedRecall
    from milvuslab.embed.encoder import TextEncoder
    from milvuslab.model.settings import Settings
    from milvuslab.studio.metrics import StudioMetrics
    from milvuslab.studio.watch.encoders import EncoderWatch
    from milvuslab.studio.watch.servers import ServerWatch

__all__ = ["OWN_SOURCE", "AddedDocument", "IndexQuality", "TextDesk", "check_question"]

_LOG = logging.getLogger(__name__)
OWN_SOURCE = "studio"
"""Source of documents that were added here without naming one; pages offer to delete these."""
_SEEN_TIMEOUT_S = 10.0
_SEEN_PAUSE_S = 0.02
_PROBE_CHARS = 400
_STATS_FRESH_S = 3.0
_T = TypeVar("_T")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AddedDocument:
    """A document that was stored.

    Attributes:
        document_id: key, for reading, similar documents and deleting.
        collection: where it went.
        language: of the document, given or found.
        stored_after_ms: from taking the text to the server's acknowledgement, encoding included.
        found_after_ms: from taking the text until a search found it; None when nobody looked.
    """

    document_id: str
    collection: str
    language: str
    stored_after_ms: float
    found_after_ms: float | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class IndexQuality:
    """How good the answers of a collection are, as far as that is known.

    Attributes:
        collection: its name.
        recall: of its index against exact search; None until it was measured.
        fusion: how its two channels become one ranking; None where it has one channel.
    """

    collection: str
    recall: ServedRecall | None
    fusion: Fusion | None


class TextDesk(DeskThreads):
    """Search, similar documents, reading, adding and deleting, on one server.

    Args:
        servers: gives the connection once there is one.
        encoders: gives encoders once they are open.
        server: profile that holds the text collections.
        settings: limits.
        metrics: counts what is done.
    """

    def __init__(
        self,
        *,
        servers: ServerWatch,
        encoders: EncoderWatch[TextEncoder],
        server: str,
        settings: Settings,
        metrics: StudioMetrics,
    ) -> None:
        super().__init__(thread_count=settings.search_concurrency, name="text")
        self.server = server
        self.settings = settings
        self._servers = servers
        self._encoders = encoders
        self._metrics = metrics
        self._lock = threading.Lock()
        self._shelf: Shelf | None = None
        self._recalls = RecallWatch()
        self._stats_lock = threading.Lock()
        self._stats: list[TextStats] = []
        self._counted_at_s = -math.inf

    def search(self, query: TextQuery, *, collection: str = "", is_across: bool = False) -> TextAnswer:
        """The passages nearest to the question; see `search_text` and, for the choice of the collection, `Shelf.choose`."""
        answer = self._on(
            lambda shelf: shelf.choose(query.text, language=query.language, collection=collection, is_across=is_across),
            lambda target: search_text(target, query),
        )
        self._metrics.search_ended(embed_ms=answer.embed_ms, milvus_ms=answer.milvus_ms, total_ms=answer.total_ms)
        return answer

    def similar(self, document_id: str, *, limit: int, diversity: float = 0.0, collection: str = "") -> SimilarAnswer:
        """Documents like this one; see `find_similar_documents`."""
        return self._in_holder(
            document_id,
            lambda target: find_similar_documents(target, document_id, limit=limit, diversity=diversity),
            collection=collection,
        )

    def read(self, document_id: str, *, collection: str = "") -> StoredDocument:
        """The document; see `get_document`."""
        return self._in_holder(document_id, lambda target: get_document(target, document_id), collection=collection)

    def delete(self, document_id: str, *, collection: str = "", is_awaited: bool = False) -> int:
        """Removes the document and returns how many passages it had; see `delete_document`.

        Args:
            document_id: its key.
            collection: that holds it; empty asks all.
            is_awaited: whether to wait until searches do not find it any more.

        Raises:
            NotFoundError: no such document.
            TimedOutError: it is removed, but still seen after 10 s.
        """

        def remove(target: TextCollection) -> int:
            count = delete_document(target, document_id)
            if is_awaited:
                _wait_until(
                    lambda: not _is_seen(target, document_id), f"document {document_id} is removed, but still seen"
                )
            return count

        passage_count = self._in_holder(document_id, remove, collection=collection)
        self._metrics.document_deleted()
        return passage_count

    def add(
        self,
        *,
        title: str,
        text: str,
        language: str = "",
        source: str = "",
        url: str = "",
        published_at_s: int | None = None,
        origin_id: str = "",
        collection: str = "",
        is_awaited: bool = False,
    ) -> AddedDocument:
        """Stores one document; the same text (or the same `origin_id`) again replaces it.

        Args:
            title: one line; empty takes the beginning of the text.
            text: plain text; made NFC and freed of control characters.
            language: empty finds it out.
            source: empty takes `studio`.
            url: where a person can read it.
            published_at_s: Unix seconds; None takes now.
            origin_id: its id where it came from; empty makes one of its content.
            collection: target; empty takes the language's, made when it is not there.
            is_awaited: whether to search until it is found.

        Raises:
            LimitError: the text is longer than `document_limit_chars`.
            SchemaError: a field does not fit.
            TimedOutError: it is stored, but was not found within 10 s.
        """
        began_s = time.perf_counter()
        document = self._make_document(
            title=title, text=text, language=language, source=source or OWN_SOURCE, url=url,
            published_at_s=published_at_s, origin_id=origin_id,
        )  # fmt: skip

        def choose(shelf: Shelf) -> TextCollection:
            return shelf.open(collection) if collection else shelf.create_for_language(document.language)

        document_id, name = self._on(choose, lambda target: (add_document(target, document), target.name))
        stored_s = time.perf_counter() - began_s
        found_s = self._find(document, document_id, collection=name, began_s=began_s) if is_awaited else None
        self._metrics.document_added(found_s=found_s)
        return AddedDocument(
            document_id=document_id,
            collection=name,
            language=document.language,
            stored_after_ms=round(stored_s * 1e3, 1),
            found_after_ms=None if found_s is None else round(found_s * 1e3, 1),
        )

    def stats(self) -> list[TextStats]:
        """What each text collection holds, counted at most every three seconds.

        One that cannot be opened here, because another encoder wrote it, is left out: it must not hide the others. Asked for by
        its name, it says why.

        Raises:
            UnreachableError: the server is away.
            StartError: an encoder is still being prepared.
        """
        with self._stats_lock:
            if time.monotonic() - self._counted_at_s > _STATS_FRESH_S:
                shelf = self._open_shelf()
                self._stats = [
                    collect_text_stats(target) for name in shelf.names() if (target := _open_or_none(shelf, name))
                ]
                self._counted_at_s = time.monotonic()
            return self._stats

    def quality(self) -> list[IndexQuality]:
        """Recall and fusion of each text collection; recall is measured in the background and comes with a later call.

        Raises:
            UnreachableError, StartError: as `stats`.
        """
        shelf = self._open_shelf()
        found = []
        for one in self.stats():
            target = shelf.open(one.collection)
            found.append(
                IndexQuality(
                    collection=one.collection,
                    recall=self._recalls.get(target, row_count=one.passage_count),
                    fusion=target.fusion if target.has_lexical else None,
                )
            )
        return found

    def _make_document(
        self,
        *,
        title: str,
        text: str,
        language: str,
        source: str,
        url: str,
        published_at_s: int | None,
        origin_id: str,
    ) -> Document:
        limit_chars = self.settings.document_limit_chars
        if len(text) > limit_chars:
            raise LimitError(
                f"the document has {len(text):,} characters, more than {limit_chars:,}",
                hint="cut it into parts, or raise the setting document_limit_chars",
                context={"limit": limit_chars, "setting": "document_limit_chars"},
            )
        cleaned = clean_text(text)
        if not cleaned:
            raise UsageError("the document has no text", hint="write at least one word")
        content_id = hashlib.sha256(f"{title}\0{cleaned}".encode("utf-8", "surrogatepass")).hexdigest()[:24]
        now_s = int(dt.datetime.now(dt.timezone.utc).timestamp())
        return Document(
            document_id=origin_id or make_document_id(source=source, row=content_id),
            title=clean_title(title) or _first_words(cleaned),
            text=cleaned,
            language=language or detect_language(cleaned),
            source=source,
            url=url,
            published_at_s=now_s if published_at_s is None else published_at_s,
        )

    def _find(self, document: Document, document_id: str, *, collection: str, began_s: float) -> float:
        """Seconds since `began_s` until a search with the document's own beginning finds it."""
        query = TextQuery(text=f"{document.title}\n{document.text[:_PROBE_CHARS]}", limit=50, source=document.source)

        def is_found() -> bool:
            answer = self._on(lambda shelf: shelf.open(collection), lambda target: search_text(target, query))
            return any(hit.document_id == document_id for hit in answer.hits)

        _wait_until(is_found, f"document {document_id} is stored, but no search found it")
        return time.perf_counter() - began_s

    def _in_holder(self, document_id: str, action: Callable[[TextCollection], _T], *, collection: str) -> _T:
        """The action on the collection that holds the document; all are asked when none is named."""
        if collection:
            return self._on(lambda shelf: shelf.open(collection), action)
        names = self._open_shelf().names()
        defaults = [default.collection for default in DEFAULT_COLLECTIONS.values()]
        for name in sorted(names, key=lambda name: (name not in defaults, name)):
            try:
                return self._on(lambda shelf, name=name: shelf.open(name), action)  # type: ignore[misc]
            except NotFoundError:  # noqa: PERF203  a handful of collections
                continue
        raise NotFoundError(
            f"no collection holds a document {document_id[:80]}",
            hint="take the id from a search result: GET /api/v1/text/search?q=...",
        )

    def _on(self, choose: Callable[[Shelf], TextCollection], action: Callable[[TextCollection], _T]) -> _T:
        """The action on the chosen collection; one that vanished is looked at again next time."""
        shelf = self._open_shelf()
        target = choose(shelf)
        try:
            return action(target)
        except ConflictError:
            # Lite comes back from a restart with its collections released; 2.3.5 after an upgrade in place says that they
            # are loaded and answers that they are not (both measured). Either way they are loaded anew, once.
            shelf.gateway.collections.release(target.name)
            shelf.gateway.collections.load(target.name)
            return action(target)
        except NotFoundError:
            if not shelf.gateway.collections.exists(target.name):
                shelf.forget(target.name)
            raise

    def _open_shelf(self) -> Shelf:
        gateway = self._servers.gateway(self.server)
        with self._lock:
            if self._shelf is None or self._shelf.gateway is not gateway:
                fusions = KeptFusions(self.settings.home_dir, server_uri=gateway.endpoint.safe_uri)
                self._shelf = Shelf(gateway, open_encoder=self._encoders.get, fusions=fusions)
            return self._shelf


def check_question(question: str, *, settings: Settings) -> str:
    """The question without control characters.

    Raises:
        LimitError: it is longer than `query_limit_chars`.
        UsageError: nothing is left.
    """
    if len(question) > settings.query_limit_chars:
        raise LimitError(
            f"the question has {len(question):,} characters, more than {settings.query_limit_chars:,}",
            hint="ask shorter, or raise the setting query_limit_chars",
            context={"limit": settings.query_limit_chars, "setting": "query_limit_chars"},
        )
    cleaned = " ".join(clean_text(question).split())
    if not cleaned:
        raise UsageError("the question is empty", hint="ask something: ?q=what+is+a+vector")
    return cleaned


def _open_or_none(shelf: Shelf, name: str) -> TextCollection | None:
    try:
        return shelf.open(name)
    except ConflictError as error:
        _LOG.info("collection %s is left out: %s", name, error.message)
        return None


def _is_seen(target: TextCollection, document_id: str) -> bool:
    """Whether a read as fresh as a search still sees the document."""
    found = target.gateway.rows.query(
        target.name, where=where("document_id") == document_id, fields=["ordinal"], limit=1
    )
    return len(found["ordinal"]) > 0


def _wait_until(holds: Callable[[], bool], problem: str) -> None:
    """Returns once it holds; raises TimedOutError with the problem after 10 s."""
    pause = threading.Event()
    deadline_s = time.monotonic() + _SEEN_TIMEOUT_S
    while not holds():
        if time.monotonic() > deadline_s:
            raise TimedOutError(
                f"{problem} after {_SEEN_TIMEOUT_S:g} s", hint="search again in a moment; milvuslab doctor"
            )
        pause.wait(_SEEN_PAUSE_S)


def _first_words(text: str) -> str:
    line = clean_title(text.split("\n", 1)[0])
    return line if len(line) <= 80 else line[:79].rstrip() + "…"
