"""Encoders: texts to vectors behind one protocol, and the store of their models."""

from milvuslab.embed.catalog import ENCODERS, EncoderSpec, open_encoder, prepare_model
from milvuslab.embed.encoder import Fingerprint, FloatMatrix, IntMatrix, TextEncoder, check_fingerprint

__all__ = [
    "ENCODERS",
    "EncoderSpec",
    "Fingerprint",
    "FloatMatrix",
    "IntMatrix",
    "TextEncoder",
    "check_fingerprint",
    "open_encoder",
    "prepare_model",
]
