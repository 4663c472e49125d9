"""Written graphs, run by ONNX Runtime and checked by the `onnx` package."""

import io

import numpy as np
import onnx
import onnxruntime
import pytest

from milvuslab.embed.onnx_writer import Graph


def written(graph):
    file = io.BytesIO()
    graph.write(file)
    return file.getvalue()


def scaled_sum():
    graph = Graph("scaled-sum")
    graph.add_input("values", dtype="float32", shape=("rows", 3))
    graph.add_output("sums", dtype="float32", shape=("rows",))
    graph.add_tensor("factor", np.array([1, 10, 100], np.float32))
    graph.add_tensor("axis", np.array([1], np.int64))
    graph.add_node("Mul", ["values", "factor"], "scaled")
    graph.add_node("ReduceSum", ["scaled", "axis"], "sums", attributes={"keepdims": 0})
    return graph


def test_a_written_graph_computes():
    session = onnxruntime.InferenceSession(written(scaled_sum()))
    values = np.array([[1, 2, 3], [0, 0, -1]], np.float32)
    assert session.run(None, {"values": values})[0].tolist() == [321, -100]
    assert session.get_inputs()[0].shape == ["rows", 3]


def test_the_onnx_package_reads_the_same():
    model = onnx.load_from_string(written(scaled_sum()))
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == ["Mul", "ReduceSum"]
    assert {each.domain: each.version for each in model.opset_import} == {"": 18, "com.microsoft": 1}


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8", "int8", "int32", "int64"])
def test_constants_keep_type_shape_and_order(dtype):
    graph = scaled_sum()
    values = np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1).astype(dtype)
    graph.add_tensor("more", values)
    read = onnx.load_from_string(written(graph)).graph.initializer[-1]
    assert np.array_equal(onnx.numpy_helper.to_array(read), values) and onnx.numpy_helper.to_array(read).dtype == dtype


def test_attributes_of_every_kind_arrive():
    graph = scaled_sum()
    given = {"a": -7, "b": 0.25, "c": "RIGHT", "d": [1, -2, 1 << 40]}
    graph.add_node("Anything", ["sums", ""], ["x", "y"], domain="com.microsoft", attributes=given)
    node = onnx.load_from_string(written(graph)).graph.node[-1]
    read = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
    assert read == {"a": -7, "b": 0.25, "c": b"RIGHT", "d": [1, -2, 1 << 40]}
    assert (list(node.input), list(node.output), node.domain) == (["sums", ""], ["x", "y"], "com.microsoft")


def test_a_name_is_written_once():
    graph = scaled_sum()
    with pytest.raises(AssertionError, match="factor"):
        graph.add_tensor("factor", np.zeros(1, np.float32))
