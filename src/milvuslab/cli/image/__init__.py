"""`milvuslab image`: pictures in, pictures found by what they show."""

from milvuslab.cli.image import asking, comparing, evaluate, groups, loading, pictures
from milvuslab.cli.image.noun import app

__all__ = ["app"]

_VERBS = (asking, comparing, groups, evaluate, loading, pictures)
"""Imported for what they add to the noun, in the order of the help."""
