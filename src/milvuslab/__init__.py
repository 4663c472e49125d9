"""Run real Milvus without Docker, learn it, measure it, build on it and run it in production."""

from milvuslab._version import __version__

__all__ = ["__version__"]
