"""Universal Sentence Encoder multilingual v3 as an ONNX graph: tokens in, one normalised vector per text out.

Each piece is looked at alone and together with its neighbours, two, three and five at once (two convolutions with
a residual each); the sum over the text, divided by the square root of its length, goes through four small layers.
There is no attention, so the cost grows with the length of the text and not with its square.

The table stays one byte per number and is unpacked for the pieces that occur. Positions that the mask leaves out
count as the nothing that lies before and behind a text.
"""

from __future__ import annotations

import numpy as np

from milvuslab.embed.onnx_writer import Graph
from milvuslab.embed.use.weights import ORDERS, UseWeights

__all__ = ["build_use_graph"]


def build_use_graph(weights: UseWeights) -> Graph:
    """The graph with inputs `input_ids` and `attention_mask`, (batch, tokens) int64, and output `vectors`.

    `vectors` is (batch, 512) float32 of length 1; each row of the mask has a 1.
    """
    graph = Graph("universal-sentence-encoder-multilingual-3")
    for name in ("input_ids", "attention_mask"):
        graph.add_input(name, dtype="int64", shape=("batch", "tokens"))
    graph.add_output("vectors", dtype="float32", shape=("batch", weights.table.shape[1]))
    graph.add_tensor("axis.tokens", np.array([1], np.int64))
    graph.add_tensor("axis.last", np.array([-1], np.int64))
    graph.add_node("Cast", ["attention_mask"], "mask.flat", attributes={"to": 1})
    graph.add_node("Unsqueeze", ["mask.flat", "axis.last"], "mask")
    pieces = _add_pieces(graph, weights)
    features = graph.add_node(
        "Concat", [pieces, *_add_branches(graph, weights, pieces)], "features", attributes={"axis": -1}
    )
    normed = _add_norm(graph, weights, features, gain=weights.floats["ln_g"], bias=weights.floats["ln_b"], name="all")
    _add_head(graph, weights, _add_pooling(graph, weights, normed))
    return graph


def _add_pieces(graph: Graph, weights: UseWeights) -> str:
    """(batch, tokens, 512) float32: the row of each piece, unpacked."""
    graph.add_tensor("piece.table", weights.table)
    graph.add_tensor("piece.part_count", np.array(weights.part_count, np.int64))
    graph.add_node("Mod", ["input_ids", "piece.part_count"], "piece.part")
    for name, values in (("scale", weights.scales), ("offset", weights.offsets)):
        graph.add_tensor(f"piece.{name}s", values)
        graph.add_node("Gather", [f"piece.{name}s", "piece.part"], f"piece.{name}.flat")
        graph.add_node("Unsqueeze", [f"piece.{name}.flat", "axis.last"], f"piece.{name}")
    graph.add_node("Gather", ["piece.table", "input_ids"], "piece.bytes")
    graph.add_node("Cast", ["piece.bytes"], "piece.numbers", attributes={"to": 1})
    graph.add_node("Mul", ["piece.numbers", "piece.scale"], "piece.scaled")
    return graph.add_node("Add", ["piece.scaled", "piece.offset"], "piece")


def _add_branches(graph: Graph, weights: UseWeights, pieces: str) -> list[str]:
    """One (batch, tokens, 256) output per branch, in the order of `ORDERS`."""
    floats = weights.floats
    wide = _add_layer(
        graph, pieces, name="branches",
        matrix=np.concatenate([floats[f"proj{order}"] for order in ORDERS], axis=1),
        bias=np.concatenate([floats[f"proj_b{order}"] for order in ORDERS]),
    )  # fmt: skip
    # One normalisation over the inputs of all branches together, as the model was trained.
    normed = _add_norm(
        graph, weights, wide, name="branches",
        gain=np.concatenate([floats[f"ln_g{order}"] for order in ORDERS]),
        bias=np.concatenate([floats[f"ln_b{order}"] for order in ORDERS]),
    )  # fmt: skip
    graph.add_node("Mul", [normed, "mask"], "branches.masked")
    # Convolutions want the tokens last.
    graph.add_node("Transpose", ["branches.masked"], "branches.turned", attributes={"perm": (0, 2, 1)})
    graph.add_node("Transpose", ["mask"], "mask.turned", attributes={"perm": (0, 2, 1)})
    inputs = [f"branch{order}.in" for order in ORDERS]
    graph.add_node("Split", ["branches.turned"], inputs, attributes={"axis": 1, "num_outputs": len(ORDERS)})
    return [_add_branch(graph, weights, order, source) for order, source in zip(ORDERS, inputs, strict=True)]


def _add_branch(graph: Graph, weights: UseWeights, order: int, source: str) -> str:
    at = f"branch{order}"
    first = _add_convolution(graph, weights, order, step=1, source=source)
    graph.add_node("Mul", [first, "mask.turned"], f"{at}.between")
    second = _add_convolution(graph, weights, order, step=2, source=f"{at}.between")
    return graph.add_node("Transpose", [second], f"{at}.out", attributes={"perm": (0, 2, 1)})


def _add_convolution(graph: Graph, weights: UseWeights, order: int, *, step: int, source: str) -> str:
    """relu(convolution) + its input, (batch, 256, tokens)."""
    at = f"branch{order}.{step}"
    matrix = weights.floats[f"w{step}_{order}"]
    width = matrix.shape[1]
    # The file lays the window out as (place, in) rows; the operator wants (out, in, place).
    graph.add_tensor(f"{at}.w", matrix.reshape(order, width, width).transpose(2, 1, 0))
    graph.add_tensor(f"{at}.b", weights.floats[f"b{step}_{order}"])
    before = (order - 1) // 2
    graph.add_node(
        "Conv", [source, f"{at}.w", f"{at}.b"], f"{at}.sum", attributes={"pads": (before, order - 1 - before)}
    )
    graph.add_node("Relu", [f"{at}.sum"], f"{at}.active")
    return graph.add_node("Add", [f"{at}.active", source], f"{at}.out")


def _add_pooling(graph: Graph, weights: UseWeights, features: str) -> str:
    """(batch, 512): the projected sum over a text by the square root of its length."""
    graph.add_node("Mul", [features, "mask"], "pool.masked")
    graph.add_node("ReduceSum", ["pool.masked", "axis.tokens"], "pool.sum", attributes={"keepdims": 0})
    graph.add_node("ReduceSum", ["mask.flat", "axis.tokens"], "pool.length", attributes={"keepdims": 1})
    graph.add_node("Sqrt", ["pool.length"], "pool.root")
    # The projection is linear: of the sum it gives the sum of the projected, its bias as often as there are tokens.
    graph.add_tensor("pool.w", weights.floats["cnn_W"])
    graph.add_tensor("pool.b", weights.floats["cnn_b"].reshape(1, -1))
    graph.add_node("MatMul", ["pool.sum", "pool.w"], "pool.product")
    graph.add_node("MatMul", ["pool.length", "pool.b"], "pool.bias")
    graph.add_node("Add", ["pool.product", "pool.bias"], "pool.projected")
    return graph.add_node("Div", ["pool.projected", "pool.root"], "pool.out")


def _add_head(graph: Graph, weights: UseWeights, pooled: str) -> None:
    floats = weights.floats
    first = graph.add_node("Relu", [_add_layer(graph, pooled, name="head0", matrix=floats["d0"])], "head0.active")
    second = _add_sum(graph, "head1", (pooled, floats["p1"]), (first, floats["d1"]))
    second = graph.add_node("Relu", [second], "head1.active")
    third = graph.add_node("Relu", [_add_layer(graph, second, name="head2", matrix=floats["d2"])], "head2.active")
    last = _add_sum(graph, "head3", (second, floats["p3"]), (third, floats["d3"]))
    graph.add_node("Tanh", [last], "head.tanh")
    graph.add_node("LpNormalization", ["head.tanh"], "vectors", attributes={"axis": -1, "p": 2})


_Product = tuple[str, "np.ndarray[tuple[int, ...], np.dtype[np.float32]]"]


def _add_sum(graph: Graph, name: str, *products: _Product) -> str:
    parts = [
        _add_layer(graph, source, name=f"{name}.{place}", matrix=matrix)
        for place, (source, matrix) in enumerate(products)
    ]
    return graph.add_node("Add", parts, name)


def _add_layer(
    graph: Graph,
    source: str,
    *,
    name: str,
    matrix: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    bias: np.ndarray[tuple[int, ...], np.dtype[np.float32]] | None = None,
) -> str:
    product = graph.add_node("MatMul", [source, graph.add_tensor(f"{name}.w", matrix)], f"{name}.product")
    if bias is None:
        return product
    return graph.add_node("Add", [product, graph.add_tensor(f"{name}.b", bias)], f"{name}.linear")


def _add_norm(
    graph: Graph,
    weights: UseWeights,
    source: str,
    *,
    name: str,
    gain: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    bias: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
) -> str:
    names = [graph.add_tensor(f"{name}.norm.g", gain), graph.add_tensor(f"{name}.norm.b", bias)]
    return graph.add_node(
        "LayerNormalization", [source, *names], f"{name}.norm", attributes={"axis": -1, "epsilon": weights.epsilon}
    )
