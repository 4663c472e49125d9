"""A collection of passages: its schema, and the encoder it is bound to.

One row is one passage. The description of the collection, kept by the server, holds the encoder's fingerprint and
how passages were cut, so that any process can open the collection by its name alone and none can write or search it with
another encoder.

Vectors are normalised and compared by inner product, which equals the cosine and works on every server, also on
those before COSINE came (2.2.16).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from milvuslab.embed.encoder import Fingerprint, check_fingerprint
from milvuslab.model.collection import CollectionSpec, DataType, FieldSpec
from milvuslab.model.errors import ConflictError
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
_VERSION = 1
_TEXT_MAX_BYTES = 32_768
PASSAGE_FIELDS = (
    "passage_id", "document_id", "ordinal", "start", "title", "text", "language", "source", "url", "published_at_s",
)  # fmt: skip
"""What a hit carries: everything but the vector and the bookkeeping."""


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
    """An open collection: its name, the server that holds it, its encoder and its cut."""

    name: str
    gateway: Gateway
    encoder: TextEncoder
    cut: PassageCut
    indexed: IndexSpec


def text_collection_spec(name: str, *, fingerprint: Fingerprint, cut: PassageCut) -> CollectionSpec:
    """The schema of a collection of passages."""
    return CollectionSpec(
        name=name,
        description=json.dumps(
            {
                "kind": _KIND,
                "version": _VERSION,
                "encoder": fingerprint.as_dict(),
                "cut": dataclasses.asdict(cut),
            }
        ),
        fields=(
            FieldSpec(name="passage_id", data_type=DataType.VARCHAR, max_length_bytes=48, is_primary=True),
            FieldSpec(name="document_id", data_type=DataType.VARCHAR, max_length_bytes=32),
            FieldSpec(name="origin_id", data_type=DataType.VARCHAR, max_length_bytes=2_048),
            FieldSpec(name="ordinal", data_type=DataType.INT64),
            FieldSpec(name="passage_count", data_type=DataType.INT64),
            FieldSpec(name="start", data_type=DataType.INT64),
            FieldSpec(name="title", data_type=DataType.VARCHAR, max_length_bytes=2_048),
            FieldSpec(name="text", data_type=DataType.VARCHAR, max_length_bytes=_TEXT_MAX_BYTES),
            FieldSpec(name="language", data_type=DataType.VARCHAR, max_length_bytes=16),
            FieldSpec(name="source", data_type=DataType.VARCHAR, max_length_bytes=256),
            FieldSpec(name="url", data_type=DataType.VARCHAR, max_length_bytes=2_048),
            FieldSpec(name="published_at_s", data_type=DataType.INT64),
            FieldSpec(name="content_sha256", data_type=DataType.VARCHAR, max_length_bytes=64),
            FieldSpec(name="vector", data_type=DataType.FLOAT_VECTOR, dim=fingerprint.dim),
        ),
    )


def create_text_collection(
    gateway: Gateway, name: str, *, encoder: TextEncoder, cut: PassageCut | None = None
) -> TextCollection:
    """The collection, made, indexed and loaded when it is not there; opened when it is.

    Raises:
        ConflictError: a collection of that name is there and is no text collection, or has another encoder.
    """
    if gateway.collections.exists(name):
        return open_text_collection(gateway, name, open_encoder=lambda _: encoder)
    spec = text_collection_spec(name, fingerprint=encoder.fingerprint, cut=cut or PassageCut())
    gateway.collections.create(spec, [_index()])
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
    return TextCollection(
        name=name, gateway=gateway, encoder=encoder, cut=PassageCut(**stored["cut"]), indexed=_index()
    )


def is_text_collection(spec: CollectionSpec) -> bool:
    """Whether a described collection is one of passages."""
    try:
        _read_description(spec)
    except ConflictError:
        return False
    return True


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
