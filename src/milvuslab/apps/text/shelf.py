"""The text collections of one server: one per language by default, opened once, chosen by the question's language."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from milvuslab.apps.text.collection import (
    TextCollection,
    create_text_collection,
    is_text_collection,
    open_text_collection,
)
from milvuslab.apps.text.fusion_file import KeptFusions
from milvuslab.data.language import detect_language
from milvuslab.embed.catalog import open_encoder
from milvuslab.model.errors import NotFoundError, UsageError, suggest
from milvuslab.model.progress import Observer, silent

if TYPE_CHECKING:
    from milvuslab.embed.encoder import TextEncoder
    from milvuslab.gateway.client import Gateway
    from milvuslab.model.settings import Settings

__all__ = [
    "ANY_LANGUAGE",
    "DEFAULT_COLLECTIONS",
    "MULTILINGUAL",
    "LanguageDefault",
    "Shelf",
    "default_for",
    "open_shelf",
]


@dataclasses.dataclass(frozen=True, slots=True)
class LanguageDefault:
    """Where text of a language goes when nobody says otherwise."""

    collection: str
    encoder: str


DEFAULT_COLLECTIONS = {
    "en": LanguageDefault("text_en", "minilm"),
    "ko": LanguageDefault("text_ko", "e5-small"),
}
"""MiniLM is the faster and, in English, a good encoder; in Korean it knows nothing, so e5 serves there."""

MULTILINGUAL = LanguageDefault("text_multi", "pair:e5-small+use")
"""Documents of all languages on one shelf, for questions that cross them: by choice, as it costs a second embedding."""
ANY_LANGUAGE = "any"
"""As the language of a collection or a question: all of them."""


class Shelf:
    """Opens text collections by name or language and keeps them open; safe to use from many threads.

    Args:
        gateway: the server.
        open_encoder: gives the encoder of a name; called once per name.
        fusions: the tuned ones of this server, looked at whenever a collection is opened; None leaves the default.
    """

    def __init__(
        self,
        gateway: Gateway,
        *,
        open_encoder: Callable[[str], TextEncoder],
        fusions: KeptFusions | None = None,
    ) -> None:
        self._gateway = gateway
        self._fusions = fusions
        self._open_encoder = open_encoder
        self._encoders: dict[str, TextEncoder] = {}
        self._open: dict[str, TextCollection] = {}
        self._lock = threading.RLock()

    @property
    def gateway(self) -> Gateway:
        """The server that holds the collections."""
        return self._gateway

    def encoder(self, name: str) -> TextEncoder:
        """The encoder of that name, opened once."""
        with self._lock:
            if name not in self._encoders:
                self._encoders[name] = self._open_encoder(name)
            return self._encoders[name]

    def names(self) -> list[str]:
        """Names of the text collections on the server."""
        collections = self._gateway.collections
        return [name for name in collections.list() if is_text_collection(collections.describe(name))]

    def open(self, name: str) -> TextCollection:
        """The collection of that name.

        Raises:
            NotFoundError: there is none.
            ConflictError: it holds no passages of ours, or was written with another encoder.
        """
        with self._lock:
            if name not in self._open:
                if not self._gateway.collections.exists(name):
                    raise NotFoundError(f"there is no collection {name}", hint=suggest(name, self.names()))
                self._open[name] = open_text_collection(self._gateway, name, open_encoder=self.encoder)
            return self._with_fusion(self._open[name])

    def _with_fusion(self, collection: TextCollection) -> TextCollection:
        """The collection with the fusion that is kept for it now: another process may have tuned it."""
        fusion = self._fusions.find(collection.name) if self._fusions and collection.has_lexical else collection.fusion
        return collection if fusion == collection.fusion else dataclasses.replace(collection, fusion=fusion)

    def forget(self, name: str) -> None:
        """Closes the collection, so that the next use looks at the server again: it may have been dropped."""
        with self._lock:
            self._open.pop(name, None)

    def create(self, name: str, *, encoder: str, language: str = "") -> TextCollection:
        """The collection of that name, made with this encoder when it is not there.

        Args:
            name: of the collection.
            encoder: by name.
            language: of most of its documents; empty when Korean may be among them.
        """
        with self._lock:
            if name not in self._open:
                self._open[name] = create_text_collection(
                    self._gateway, name, encoder=self.encoder(encoder), language=language
                )
            return self._with_fusion(self._open[name])

    def create_for_language(self, language: str) -> TextCollection:
        """The default collection of a language, or of `any`, made when it is not there.

        Raises:
            UsageError: no encoder is set for the language.
        """
        default = default_for(language)
        return self.create(
            default.collection, encoder=default.encoder, language="" if language == ANY_LANGUAGE else language
        )

    def choose(
        self, question: str, *, language: str = "", collection: str = "", is_across: bool = False
    ) -> TextCollection:
        """The collection a question goes to: the named one, else the language's, else that of the question's script.

        Args:
            question: what is asked.
            language: of the documents; empty goes by the question's script.
            collection: by name, before everything else.
            is_across: whether documents of every language may answer: those of the multilingual collection.

        Raises:
            NotFoundError: that collection is not there (yet).
            UsageError: no encoder is set for the language.
        """
        if collection:
            return self.open(collection)
        chosen = ANY_LANGUAGE if is_across else language or detect_language(question)
        try:
            return self.open(default_for(chosen).collection)
        except NotFoundError:
            if chosen == ANY_LANGUAGE:
                raise NotFoundError(
                    f"there are no documents for questions across languages yet: {MULTILINGUAL.collection} is not there",
                    hint="load the samples into it: milvuslab text load-samples --multilingual",
                ) from None
            raise NotFoundError(
                f"there are no documents in the language {chosen} yet: {default_for(chosen).collection} is not there",
                hint="watch the samples load with: milvuslab status; or load some: milvuslab text load-samples",
            ) from None


def open_shelf(gateway: Gateway, *, settings: Settings, observer: Observer = silent) -> Shelf:
    """The shelf of a server with the encoders of the catalog, and the fusions that were tuned in this workspace."""
    return Shelf(
        gateway,
        open_encoder=lambda name: open_encoder(name, settings=settings, observer=observer),
        fusions=KeptFusions(settings.home_dir, server_uri=gateway.endpoint.safe_uri),
    )


def default_for(language: str) -> LanguageDefault:
    """Collection and encoder of a language, or of `any`.

    Raises:
        UsageError: no encoder is set for it.
    """
    if language == ANY_LANGUAGE:
        return MULTILINGUAL
    if language not in DEFAULT_COLLECTIONS:
        raise UsageError(
            f"no encoder is set for the language {language!r}",
            hint=f"{suggest(language, [*DEFAULT_COLLECTIONS, ANY_LANGUAGE])}; or name a collection and an encoder",
        )
    return DEFAULT_COLLECTIONS[language]
