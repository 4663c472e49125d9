"""The protobuf classes that pymilvus ships, loaded on first use.

Importing pymilvus takes about a second (it imports pandas), so nothing imports it at the top of a module.
Only the generated messages are used: pymilvus's client would retry behind our back and copy rows one by one.
"""

from __future__ import annotations

import dataclasses
import functools
from types import ModuleType
from typing import Any

__all__ = ["Protos", "load_protos", "varint"]

_SERVICE = "milvus.proto.milvus.MilvusService"


@dataclasses.dataclass(frozen=True, slots=True)
class Protos:
    """The three modules of generated messages, and the service they make up."""

    common: ModuleType
    schema: ModuleType
    milvus: ModuleType

    def answer_class(self, method: str) -> Any:
        """The message class that a method of the service answers with."""
        return _answer_class(self.milvus, method)

    def path(self, method: str) -> str:
        """The gRPC path of a method of the service."""
        return f"/{_SERVICE}/{method}"

    def key_values(self, values: dict[str, str]) -> list[Any]:
        """`KeyValuePair` messages, in order."""
        return [self.common.KeyValuePair(key=key, value=value) for key, value in values.items()]


@functools.cache
def load_protos() -> Protos:
    """The generated messages; the first call imports pymilvus."""
    from pymilvus.grpc_gen import common_pb2, milvus_pb2, schema_pb2

    return Protos(common=common_pb2, schema=schema_pb2, milvus=milvus_pb2)


def varint(value: int) -> bytes:
    """A length as protobuf writes it: seven bits a byte, low first.

    >>> varint(300).hex()
    'ac02'
    """
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


@functools.cache
def _answer_class(milvus: ModuleType, method: str) -> Any:
    from google.protobuf import message_factory  # type: ignore[import-untyped]

    service = milvus.DESCRIPTOR.services_by_name["MilvusService"]
    return message_factory.GetMessageClass(service.methods_by_name[method].output_type)
