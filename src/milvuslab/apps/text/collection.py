"""A collection of passages: its schema, and the encoder it is bound to.

One row is one passage. The description of the collection, kept by the server, holds the encoder's fingerprint and
how passages were cut, so that any process can open the collection by its name alone and none can write or search it with
another encoder.

A collection has a lexical channel where its server makes vectors of words by itself (the capability `full_text`): each row
then carries its terms, and the server the BM25 vector of them. Formats, by the `version` of the description:

| version | what a row has |
|---|---|
| 1 | no revision, no terms: such collections are read and written as they are, by meaning alone |
| 2 | the `revision` of its document; the terms where there is a lexical channel |

Vectors are normalised and compared by inner product, which equals the cosine and works on every server, also on
those before COSINE came (2.2.16).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from milvuslab.apps.text.fusion import DEFAULT_FUSION, Fusion
from milvuslab.apps.text.passages import LEXICAL_MAX_BYTES
from milvuslab.data.terms import TERMS_VERSION, check_terms
from milvuslab.embed.encoder import Fingerprint, check_fingerprint
from milvuslab.model.collection import CollectionSpec, DataType, FieldSpec, FunctionSpec
from milvuslab.model.errors import ConflictError, UnsupportedError
from milvuslab.model.index import IndexSpec
from milvuslab.model.metric import Metric

if TYPE_CHECKING:
    from milvuslab.embed.encoder import TextEncoder
    from milvuslab.gateway.client import Gateway

__all__ = [
    "PASSAGE_FIELDS",
    "PassageCut",
    "TextCollection",
    "create_text_collection",
    "is_text_collection",
    "open_text_collection",
    "text_collection_spec",
]

_KIND = "milvuslab-text"
_VERSION = 2
_TEXT_MAX_BYTES = 32_768
PASSAGE_FIELDS = (
    "passage_id", "document_id", "ordinal", "start", "title", "text", "language", "source", "url", "published_at_s",
)  # fmt: skip
"""What a hit carries: everything but the vector and the bookkeeping."""

_LEXICAL_FIELDS = (
    FieldSpec(
        name="lexical",
        data_type=DataType.VARCHAR,
        max_length_bytes=LEXICAL_MAX_BYTES,
        # Terms hold letters and digits only: this tokenizer, the only one that Lite 3.2.2 shares with Milvus, gives them
        # back as they are.
        analyzer={"tokenizer": "standard"},
    ),
    FieldSpec(name="lexical_vector", data_type=DataType.SPARSE_FLOAT_VECTOR),
)
_BM25 = FunctionSpec(name="lexical_bm25", input_field="lexical", output_field="lexical_vector")
_LEXICAL_INDEX = IndexSpec(field_name="lexical_vector", index_type="SPARSE_INVERTED_INDEX", metric=Metric.BM25)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PassageCut:
    """How documents are cut into passages.

    Attributes:
        limit_tokens: most tokens the encoder reads of a passage, its title included. At 128 a hit is short
            enough to read; the rates in benchmarks/results/embed_speed.json are taken there.
        overlap_tokens: tokens a passage repeats of the one before.
    """

    limit_tokens: int = 128
    overlap_tokens: int = 16


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TextCollection:
    """An open collection.

    Attributes:
        name: on the server.
        gateway: the server that holds it.
        encoder: the one it is bound to.
        cut: how its passages are cut.
        indexed: the index of its vectors.
        has_revision: whether its rows say which revision of their document they are (format 2).
        has_lexical: whether it is searched by words too.
        lexical_note: why it is not; empty where it is.
        fusion: how the two channels become one ranking.
    """

    name: str
    gateway: Gateway
    encoder: TextEncoder
    cut: PassageCut
    indexed: IndexSpec
    has_revision: bool = True
    has_lexical: bool = False
    lexical_note: str = ""
    fusion: Fusion = DEFAULT_FUSION


def text_collection_spec(
    name: str, *, fingerprint: Fingerprint, cut: PassageCut, has_lexical: bool = False
) -> CollectionSpec:
    """The schema of a collection of passages.

    Args:
        name: of the collection.
        fingerprint: of its encoder.
        cut: how its passages are cut.
        has_lexical: whether it is searched by words too; the server must have full text.
    """
    description = {
        "kind": _KIND,
        "version": _VERSION,
        "encoder": fingerprint.as_dict(),
        "cut": dataclasses.asdict(cut),
        "terms": TERMS_VERSION if has_lexical else None,
    }
    return CollectionSpec(
        name=name,
        description=json.dumps(description),
        fields=(
            FieldSpec(name="passage_id", data_type=DataType.VARCHAR, max_length_bytes=48, is_primary=True),
            FieldSpec(name="document_id", data_type=DataType.VARCHAR, max_length_bytes=32),
            FieldSpec(name="origin_id", data_type=DataType.VARCHAR, max_length_bytes=2_048),
            FieldSpec(name="ordinal", data_type=DataType.INT64),
            FieldSpec(name="passage_count", data_type=DataType.INT64),
            FieldSpec(name="revision", data_type=DataType.INT64),
            FieldSpec(name="start", data_type=DataType.INT64),
            FieldSpec(name="title", data_type=DataType.VARCHAR, max_length_bytes=2_048),
            FieldSpec(name="text", data_type=DataType.VARCHAR, max_length_bytes=_TEXT_MAX_BYTES),
            FieldSpec(name="language", data_type=DataType.VARCHAR, max_length_bytes=16),
            FieldSpec(name="source", data_type=DataType.VARCHAR, max_length_bytes=256),
            FieldSpec(name="url", data_type=DataType.VARCHAR, max_length_bytes=2_048),
            FieldSpec(name="published_at_s", data_type=DataType.INT64),
            FieldSpec(name="content_sha256", data_type=DataType.VARCHAR, max_length_bytes=64),
            FieldSpec(name="vector", data_type=DataType.FLOAT_VECTOR, dim=fingerprint.dim),
            *(_LEXICAL_FIELDS if has_lexical else ()),
        ),
        functions=(_BM25,) if has_lexical else (),
    )


def create_text_collection(
    gateway: Gateway, name: str, *, encoder: TextEncoder, cut: PassageCut | None = None, language: str = ""
) -> TextCollection:
    """The collection, made, indexed and loaded when it is not there; opened when it is.

    It gets a lexical channel where the server has full text and the words of the language can be found here.

    Args:
        gateway: the server.
        name: of the collection.
        encoder: of its vectors.
        cut: how passages are cut; None is `PassageCut()`.
        language: of most documents; empty when Korean may be among them.

    Raises:
        ConflictError: a collection of that name is there and is no text collection, or has another encoder.
    """
    if gateway.collections.exists(name):
        return open_text_collection(gateway, name, open_encoder=lambda _: encoder)
    has_lexical = not _obstacle(gateway, language=language)
    spec = text_collection_spec(name, fingerprint=encoder.fingerprint, cut=cut or PassageCut(), has_lexical=has_lexical)
    gateway.collections.create(spec, [_index(), _LEXICAL_INDEX] if has_lexical else [_index()])
    gateway.collections.load(name)
    return open_text_collection(gateway, name, open_encoder=lambda _: encoder)


def open_text_collection(gateway: Gateway, name: str, *, open_encoder: Callable[[str], TextEncoder]) -> TextCollection:
    """The collection with the encoder its description names.

    Args:
        gateway: the server that holds it.
        name: the collection.
        open_encoder: gives the encoder of a name.

    Raises:
        NotFoundError: no such collection.
        ConflictError: it is no text collection, or its encoder has another fingerprint than the one here.
    """
    stored = _read_description(gateway.collections.describe(name))
    fingerprint = Fingerprint.from_dict(stored["encoder"])
    encoder = open_encoder(fingerprint.name)
    check_fingerprint(fingerprint, encoder.fingerprint)
    if gateway.collections.load_state(name) != "loaded":
        # Milvus Lite comes back from a restart with every collection released.
        gateway.collections.load(name)
    note = _lexical_note(gateway, stored)
    return TextCollection(
        name=name,
        gateway=gateway,
        encoder=encoder,
        cut=PassageCut(**stored["cut"]),
        indexed=_index(),
        has_revision=stored["version"] >= 2,
        has_lexical=not note,
        lexical_note=note,
    )


def is_text_collection(spec: CollectionSpec) -> bool:
    """Whether a described collection is one of passages."""
    try:
        _read_description(spec)
    except ConflictError:
        return False
    return True


def _obstacle(gateway: Gateway, *, language: str) -> str:
    """What stands against a lexical channel; empty when nothing does."""
    capabilities = gateway.capabilities
    if not capabilities.has("full_text"):
        return f"{capabilities.server_version} makes no vectors of words (Milvus Lite does, and Milvus from 2.5)"
    try:
        check_terms(language or "ko")
    except UnsupportedError as error:
        return f"{error.message}: {error.hint}"
    return ""


def _lexical_note(gateway: Gateway, stored: dict[str, Any]) -> str:
    """Why a stored collection is not searched by words; empty when it is."""
    terms = stored.get("terms")
    if terms == TERMS_VERSION:
        return ""
    if terms is not None:
        return (
            f"its words were found by other rules ({terms}) than those here ({TERMS_VERSION}): load it into a new one"
        )
    return _obstacle(gateway, language="") or "it was made without words: load its documents into a new one"


def _index() -> IndexSpec:
    # 50,000 x 128 on 2.3.5: HNSW(16, 200) builds in 5 s and answers in 2 to 3 ms (shared measurements of the project).
    return IndexSpec(field_name="vector", index_type="HNSW", metric=Metric.IP, params={"M": 16, "efConstruction": 200})


def _read_description(spec: CollectionSpec) -> dict[str, Any]:
    try:
        stored = json.loads(spec.description)
    except ValueError:
        stored = None
    if not isinstance(stored, dict) or stored.get("kind") != _KIND:
        raise ConflictError(
            f"collection {spec.name} holds no passages of ours", hint="choose another collection, or another name"
        )
    if stored["version"] > _VERSION:
        raise ConflictError(
            f"collection {spec.name} was written by a newer milvuslab (format {stored['version']})",
            hint="pip install --upgrade milvuslab",
        )
    return stored
