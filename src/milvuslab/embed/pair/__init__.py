"""Two encoders in one vector, for questions and documents in different languages."""

from milvuslab.embed.pair.centre import Centre, read_centre
from milvuslab.embed.pair.encoder import PairEncoder, open_pair

__all__ = ["Centre", "PairEncoder", "open_pair", "read_centre"]
