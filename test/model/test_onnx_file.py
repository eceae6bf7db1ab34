"""Files that are written here are what ONNX's own package reads."""

import numpy as np
import pytest

from imu_emg_estimator.model.onnx_file import OnnxGraph, _varint

onnx = pytest.importorskip("onnx", reason="onnx is not installed; pip install onnx")


def read(content: bytes) -> "onnx.ModelProto":
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    return model


def test_onnx_graph_roundtrip() -> None:
    graph = OnnxGraph()
    x = graph.input("x", "float32", (2, 6))
    weight = np.arange(24, dtype=np.float32).reshape(4, 6)
    y = graph.add("Gemm", x, graph.constant(weight), transB=1, alpha=0.5)
    first, second = graph.split("Split", y, names=("first", "second"), axis=1, num_outputs=2)
    graph.output(graph.add("Gelu", first, name="z", approximate="tanh"), "float32", (2, 2))
    graph.output(graph.add("Transpose", second, perm=(1, 0)), "float32", (2, 2))
    model = read(graph.model("little", {"author": "nobody", "note": "µ, ×"}))
    nodes = {node.op_type: node for node in model.graph.node}
    attributes = {
        op: {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute} for op, node in nodes.items()
    }
    assert attributes == {
        "Gemm": {"transB": 1, "alpha": 0.5},
        "Split": {"axis": 1, "num_outputs": 2},
        "Gelu": {"approximate": b"tanh"},
        "Transpose": {"perm": [1, 0]},
    }
    assert [value.name for value in model.graph.output] == ["z", "value.3"]
    assert [dimension.dim_value for dimension in model.graph.input[0].type.tensor_type.shape.dim] == [2, 6]
    assert {entry.key: entry.value for entry in model.metadata_props} == {"author": "nobody", "note": "µ, ×"}
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(model.graph.initializer[0]), weight)


@pytest.mark.parametrize("kind", ["float32", "float64", "int64", "bool"])
@pytest.mark.parametrize("shape", [(), (3,), (0, 4), (2, 1, 3)], ids=str)
def test_onnx_constants_of_every_type_and_shape(kind: str, shape: tuple[int, ...]) -> None:
    graph = OnnxGraph()
    values = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(kind)
    graph.output(graph.add("Identity", graph.constant(values)), kind, shape)
    constant = onnx.numpy_helper.to_array(read(graph.model("constant")).graph.initializer[0])
    assert constant.dtype == values.dtype
    np.testing.assert_array_equal(constant, values)


def test_onnx_constant_view_is_stored_in_order() -> None:
    graph = OnnxGraph()
    values = np.arange(6, dtype=np.float32).reshape(2, 3).T
    graph.output(graph.add("Identity", graph.constant(values)), "float32", (3, 2))
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(read(graph.model("m")).graph.initializer[0]), values)


@pytest.mark.parametrize(
    ("value", "encoded"),
    [(0, b"\x00"), (127, b"\x7f"), (128, b"\x80\x01"), (300, b"\xac\x02"), (-1, b"\xff" * 9 + b"\x01")],
)
def test_varint_encoding(value: int, encoded: bytes) -> None:
    """300 is the example of the encoding's own documentation."""
    assert _varint(value) == encoded


def test_onnx_model_states_producer_and_opset() -> None:
    graph = OnnxGraph()
    graph.output(graph.add("Identity", graph.input("x", "float32", (1,))), "float32", (1,))
    model = read(graph.model("little"))
    assert model.graph.name == "little"
    assert (model.ir_version, model.producer_name) == (9, "imu_emg_estimator")
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 20)]
