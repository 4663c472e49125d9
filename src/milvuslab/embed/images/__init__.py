"""Image encoders behind one protocol, the perceptual hash, and the pipeline that decodes ahead of the model."""

from milvuslab.embed.images.catalog import IMAGE_ENCODERS, open_image_encoder
from milvuslab.embed.images.encoder import ImageEncoder, ImageTextEncoder, Pixels
from milvuslab.embed.images.hash import compute_hash, hamming_distance
from milvuslab.embed.images.pipeline import Encoded, encode_ahead

__all__ = [
    "IMAGE_ENCODERS",
    "Encoded",
    "ImageEncoder",
    "ImageTextEncoder",
    "Pixels",
    "compute_hash",
    "encode_ahead",
    "hamming_distance",
    "open_image_encoder",
]
