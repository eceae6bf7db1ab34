"""The graph of a step is a sound ONNX file that needs the standard's operators alone."""

import pytest
from fixtures.factories import BundleFactory

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.onnx_streaming_step import NEXT, state_shapes, step_model, step_weights

onnx = pytest.importorskip("onnx", reason="onnx is not installed; pip install onnx")


@pytest.mark.parametrize("shape", [{}, {"dilation": 4}, {"kernel": 1, "band": 1}], ids=str)
def test_streaming_step_passes_onnx_checker(make_bundle: BundleFactory, shape: dict[str, int]) -> None:
    bundle = make_bundle(**shape)
    model = onnx.load_from_string(step_model(bundle.config))
    onnx.checker.check_model(model, full_check=True)
    assert {node.domain for node in model.graph.node} == {""}
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 20)]


def test_streaming_step_keeps_state_shapes(make_bundle: BundleFactory) -> None:
    bundle = make_bundle(dilation=4, layers=3)
    graph = onnx.load_from_string(step_model(bundle.config)).graph
    inputs, outputs = ({value.name: shape_of(value) for value in values} for values in (graph.input, graph.output))
    states, weights = state_shapes(bundle.config), step_weights(bundle.config, bundle.weights)
    assert len(states) == 7
    assert inputs == {"features": (1, bundle.config.inputs), "step": (1,), **states} | {
        name: value.shape for name, value in weights.items()
    }
    assert outputs == {"mean": (1, 2), "log_deviation": (1, 2), **{name + NEXT: states[name] for name in states}}


def shape_of(value: "onnx.ValueInfoProto") -> tuple[int, ...]:
    return tuple(dimension.dim_value for dimension in value.type.tensor_type.shape.dim)


def test_streaming_step_reads_each_state_once(bundle: Bundle) -> None:
    """One array can hold a state and its successor: no node reads the state after it is overwritten."""
    nodes = onnx.load_from_string(step_model(bundle.config)).graph.node
    for name in state_shapes(bundle.config):
        readers = [node for node in nodes if name in node.input]
        writers = [node for node in nodes if name + NEXT in node.output]
        assert len(readers) == len(writers) == 1
        assert readers[0] is writers[0] or readers[0].output[0] in writers[0].input
