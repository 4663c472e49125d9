"""`milvuslab text`: documents in, passages found by meaning."""

from milvuslab.cli.text import asking, documents, loading, tuning
from milvuslab.cli.text.noun import app

__all__ = ["app"]

_VERBS = (asking, loading, documents, tuning)
"""Imported for what they add to the noun, in the order of the help."""
