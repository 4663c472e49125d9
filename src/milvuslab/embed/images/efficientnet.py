"""EfficientNet-Lite0 as an ONNX graph, from the weights of its PyTorch form.

Lite0 (tensorflow/tpu, models/official/efficientnet/lite): ReLU6 instead of swish, no squeeze-and-excitation, stem and
head of fixed width. Convolutions pad as TensorFlow does (SAME: the odd pixel goes to the right and the bottom), which is
how the weights were trained. Batch normalisation (epsilon 0.001) is folded into the convolution before it, in float64,
so the bytes are the same on every machine.

Input: `pixels` (n, 224, 224, 3) uint8. Outputs: `features` (n, 1280) float32, the mean over the picture before the
last layer, and `logits` (n, 1000) float32 for ImageNet's classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from milvuslab.embed.onnx_writer import Graph

__all__ = ["SIDE_PX", "build_efficientnet_graph"]

SIDE_PX = 224
_EPSILON = 1e-3
# Kernel, stride and repetitions of each stage; the widths are those of the weights.
_STAGES = ((3, 1, 1), (3, 2, 2), (5, 2, 2), (3, 2, 3), (5, 1, 3), (5, 2, 4), (3, 1, 1))

_Weights = Mapping[str, npt.NDArray[Any]]


def build_efficientnet_graph(weights: _Weights) -> Graph:
    """The graph of Lite0."""
    graph = Graph("efficientnet-lite0")
    graph.add_input("pixels", dtype="uint8", shape=("n", SIDE_PX, SIDE_PX, 3))
    value = _add_scaling(graph)
    value, side_px = _add_convolution(graph, weights, value, "_conv_stem", "_bn0", stride=2, side_px=SIDE_PX)
    number = 0
    for kernel_px, stride, repeat_count in _STAGES:
        for repeat in range(repeat_count):
            value, side_px = _add_block(
                graph, weights, value, number, stride=stride if repeat == 0 else 1, side_px=side_px
            )
            assert weights[f"_blocks.{number}._depthwise_conv.weight"].shape[-1] == kernel_px
            number += 1
    value, _ = _add_convolution(graph, weights, value, "_conv_head", "_bn1", side_px=side_px)
    _add_outputs(graph, weights, value)
    return graph


def _add_scaling(graph: Graph) -> str:
    graph.add_tensor("mean", np.array(127.0, dtype=np.float32))
    graph.add_tensor("scale", np.array(1 / 128, dtype=np.float32))
    value = graph.add_node("Transpose", ["pixels"], "planes", attributes={"perm": [0, 3, 1, 2]})
    value = graph.add_node("Cast", [value], "numbers", attributes={"to": 1})
    value = graph.add_node("Sub", [value, "mean"], "centred")
    return graph.add_node("Mul", [value, "scale"], "scaled")


def _add_block(
    graph: Graph, weights: _Weights, value: str, number: int, *, stride: int, side_px: int
) -> tuple[str, int]:
    """Widen, filter each channel, narrow; the input is added where the shapes agree."""
    name, start = f"_blocks.{number}", value
    if f"{name}._expand_conv.weight" in weights:
        value, _ = _add_convolution(graph, weights, value, f"{name}._expand_conv", f"{name}._bn0", side_px=side_px)
    value, out_px = _add_convolution(
        graph, weights, value, f"{name}._depthwise_conv", f"{name}._bn1", stride=stride, side_px=side_px
    )
    value, _ = _add_convolution(
        graph, weights, value, f"{name}._project_conv", f"{name}._bn2", side_px=out_px, is_activated=False
    )
    widths = [weights[f"_blocks.{place}._project_conv.weight"].shape[0] for place in (number - 1, number) if place >= 0]
    if stride == 1 and len(widths) == 2 and widths[0] == widths[1]:
        value = graph.add_node("Add", [value, start], f"{name}.sum")
    return value, out_px


def _add_convolution(
    graph: Graph,
    weights: _Weights,
    value: str,
    name: str,
    norm: str,
    *,
    side_px: int,
    stride: int = 1,
    is_activated: bool = True,
) -> tuple[str, int]:
    kernel, bias = _fold(weights, name, norm)
    group_count = kernel.shape[0] if kernel.shape[1] == 1 and "depthwise" in name else 1
    out_px = -(-side_px // stride)
    missing_px = max(0, (out_px - 1) * stride + kernel.shape[-1] - side_px)
    before, after = missing_px // 2, missing_px - missing_px // 2
    inputs = [value, graph.add_tensor(f"{name}.weight", kernel), graph.add_tensor(f"{name}.bias", bias)]
    attributes = {
        "kernel_shape": list(kernel.shape[-2:]),
        "strides": [stride, stride],
        "pads": [before, before, after, after],
        "group": group_count,
    }
    value = graph.add_node("Conv", inputs, f"{name}.out", attributes=attributes)
    return (_add_relu6(graph, value) if is_activated else value), out_px


def _add_relu6(graph: Graph, value: str) -> str:
    if "zero" not in graph.tensors:
        graph.add_tensor("zero", np.array(0, dtype=np.float32))
        graph.add_tensor("six", np.array(6, dtype=np.float32))
    return graph.add_node("Clip", [value, "zero", "six"], f"{value}.relu6")


def _fold(weights: _Weights, name: str, norm: str) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    gain, shift, mean, variance = (
        weights[f"{norm}.{part}"].astype(np.float64) for part in ("weight", "bias", "running_mean", "running_var")
    )
    factor = gain / np.sqrt(variance + _EPSILON)
    kernel = weights[f"{name}.weight"].astype(np.float64) * factor[:, None, None, None]
    return kernel.astype(np.float32), (shift - mean * factor).astype(np.float32)


def _add_outputs(graph: Graph, weights: _Weights, value: str) -> None:
    value = graph.add_node("GlobalAveragePool", [value], "mean_over_picture")
    value = graph.add_node("Flatten", [value], "features", attributes={"axis": 1})
    graph.add_tensor("_fc.weight", weights["_fc.weight"].astype(np.float32))
    graph.add_tensor("_fc.bias", weights["_fc.bias"].astype(np.float32))
    graph.add_node("Gemm", [value, "_fc.weight", "_fc.bias"], "logits", attributes={"transB": 1})
    graph.add_output("features", dtype="float32", shape=("n", 1280))
    graph.add_output("logits", dtype="float32", shape=("n", 1000))
