"""Pictures: decoded within limits, read from folders, archives, lists and sample sets; knows no server and no encoder."""

from milvuslab.data.images.decode import DEFAULT_LIMITS, ImageLimits, Picture, decode_image

__all__ = ["DEFAULT_LIMITS", "ImageLimits", "Picture", "decode_image"]
