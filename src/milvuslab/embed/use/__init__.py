"""Universal Sentence Encoder, multilingual v3: its packed weights, its tokenizer, and both rebuilt for our runtime."""

from milvuslab.embed.use.graph import build_use_graph
from milvuslab.embed.use.tokenizer import describe_use_tokenizer
from milvuslab.embed.use.weights import UseWeights, read_use_weights

__all__ = ["UseWeights", "build_use_graph", "describe_use_tokenizer", "read_use_weights"]
