"""One streaming step of the network as an ONNX graph, made from its shape alone: neither torch nor a trace.

It uses operators of the ONNX standard only. A state goes in under a name and comes out under that name and
``.next``. One array may serve as both: each state is read by one node alone, and written by that node or by one that
waits for it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.model.network_config import ROTARY_BASE, ModelConfig, fold_norms, weight_shapes
from imu_emg_estimator.model.onnx_file import OnnxGraph

Float32 = NDArray[np.float32]

NORM_EPSILON = 1e-5
NEXT = ".next"
CONVOLUTION = "front_end.convolution.weight"


def state_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Return names and shapes of the states: float32, zeros at the start."""
    shapes: dict[str, tuple[int, ...]] = {"history": (config.kernel, config.inputs)}
    rings = (config.dilation, config.heads, config.band, config.head_width)  # one for each interleaved sequence
    for layer in range(config.layers):
        shapes[f"keys.{layer}"] = shapes[f"values.{layer}"] = rings
    return shapes


def step_weights(config: ModelConfig, weights: Mapping[str, Float32]) -> dict[str, Float32]:
    """Convert the weights of a bundle, by name, to those of the graph.

    Norms are folded, and the taps of the convolution are in order of time: [width, kernel * inputs].
    """
    folded = fold_norms(config.layers, weights)
    folded[CONVOLUTION] = folded[CONVOLUTION].transpose(0, 2, 1).reshape(config.width, -1)
    return {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in folded.items()}


def step_model(config: ModelConfig) -> bytes:
    """Return an ONNX file of the step that an engine runs, with the weights as inputs.

    Inputs are ``features`` [1, inputs], ``step`` (int64 [1], rows before this one), the states and the
    ``step_weights``; outputs are ``mean`` and ``log_deviation``, each [1, muscles], and the next states.
    """
    graph = OnnxGraph()
    features = graph.input("features", "float32", (1, config.inputs))
    any_weights = {name: np.zeros(shape, dtype=np.float32) for name, shape in weight_shapes(config).items()}
    weights = {
        name: graph.input(name, "float32", value.shape) for name, value in step_weights(config, any_weights).items()
    }
    for value in add_step(graph, config, weights, features):
        graph.output(value, "float32", (1, config.muscles))
    return graph.model("streaming_step")


def add_step(graph: OnnxGraph, config: ModelConfig, weights: Mapping[str, str], features: str) -> tuple[str, str]:
    """Add one step, with the input ``step``, the states and the next states, to a graph.

    Args:
        weights: values of the graph that hold the ``step_weights``, by their names.
        features: value of the feature row [1, inputs].

    Returns:
        ``mean`` and ``log_deviation``, each [1, muscles].
    """
    return _Step(graph, config, weights).add(features)


class _Step:
    """Adds the parts of one step to a graph, in the order of the network."""

    def __init__(self, graph: OnnxGraph, config: ModelConfig, weights: Mapping[str, str]) -> None:
        self._graph = graph
        self._config = config
        self._weights = weights
        self._ones = graph.constant(np.ones(config.width, dtype=np.float32))

    def add(self, features: str) -> tuple[str, str]:
        graph, config = self._graph, self._config
        step = graph.input("step", "int64", (1,))
        dilation = graph.constant(_integers(config.dilation))
        token, self._sequence = graph.add("Div", step, dilation), graph.add("Mod", step, dilation)
        self._rotation = self._add_rotation(token)
        self._place = self._add_place(token)
        self._mask = self._add_mask(token)
        x = self._front_end(features)
        for layer in range(config.layers):
            prefix = f"layers.{layer}."
            x = graph.add("Add", x, self._attention(prefix, layer, self._norm(x)))
            x = graph.add("Add", x, self._feedforward(prefix, self._norm(x)))
        x = self._norm(x)
        return self._linear("head", x, "mean"), self._linear("deviation_head", x, "log_deviation")

    # what depends on the number of the token in its sequence alone

    def _add_rotation(self, token: str) -> str:
        """[head, head] matrix R: x @ R turns the pairs (first half, second half) of x by this token's angles.

        It scales, too, queries and keys alike, so that scores are divided by the root of the head's width.
        Angles are float64: in float32 an hour's would be coarser than the turn from one token to the next.
        """
        graph, head = self._graph, self._config.head_width
        frequency = ROTARY_BASE ** (-np.arange(0, head, 2, dtype=np.float64) / head)
        # ONNX Runtime has no float64 cosine: it is the sine a quarter turn on. The first of a pair needs
        # minus the sine of the second.
        rates = np.concatenate([frequency, frequency, -frequency, frequency])
        quarters = np.repeat([np.pi / 2, 0.0], head)
        turns = graph.add("Mul", graph.add("Cast", token, to=graph.FLOAT64), graph.constant(rates))
        sines = graph.add("Sin", graph.add("Add", turns, graph.constant(quarters)))
        cosine, sine = graph.split(
            "Split", graph.add("Cast", sines, to=graph.FLOAT32), names=("cosine", "sine"), axis=0, num_outputs=2
        )
        same = head**-0.25 * np.eye(head)
        crossed = np.roll(same, head // 2, axis=1)
        return graph.add(
            "Add",
            graph.add("Mul", cosine, graph.constant(same.astype(np.float32))),
            graph.add("Mul", sine, graph.constant(crossed.astype(np.float32))),
        )

    def _add_place(self, token: str) -> str:
        """[heads, 1, 3] indices (sequence, head, slot) of this token's keys and values in the rings."""
        graph, heads = self._graph, self._config.heads
        slot = graph.add("Mod", token, graph.constant(_integers(self._config.band)))
        head = np.zeros((heads, 1, 3), dtype=np.int64)
        head[:, 0, 1] = np.arange(heads)
        place = graph.add("Concat", self._sequence, graph.constant(_integers(0)), slot, axis=0)
        return graph.add("Add", graph.constant(head), place)

    def _add_mask(self, token: str) -> str:
        """[band] to be added to scores: 0 for slots that are filled."""
        graph = self._graph
        filled = graph.add("LessOrEqual", graph.constant(np.arange(self._config.band)), token)
        zero, minus_infinity = (graph.constant(np.array(value, dtype=np.float32)) for value in (0.0, -np.inf))
        return graph.add("Where", filled, zero, minus_infinity)

    # the network

    def _front_end(self, features: str) -> str:
        graph, config = self._graph, self._config
        history = self._state("history")
        longer = graph.add("Concat", history, features, axis=0)
        newest = graph.add(
            "Slice",
            longer,
            *(graph.constant(_integers(value)) for value in (1, config.kernel + 1, 0)),
            name=f"history{NEXT}",
        )
        self._declare_next("history")
        taps = graph.add("Reshape", newest, graph.constant(_integers(1, config.kernel * config.inputs)))
        return graph.add("Gelu", self._linear("front_end.convolution", taps), approximate="tanh")

    def _attention(self, prefix: str, layer: int, x: str) -> str:
        graph, config = self._graph, self._config
        shape = graph.constant(_integers(3 * config.heads, 1, config.head_width))
        parts = graph.add("Reshape", self._linear(f"{prefix}attention.query_key_value", x), shape)
        to_turn, value = graph.split(
            "Split",
            parts,
            graph.constant(_integers(2 * config.heads, config.heads)),
            names=(f"{prefix}to_turn", f"{prefix}value"),
            axis=0,
        )
        query, key = graph.split(
            "Split",
            graph.add("MatMul", to_turn, self._rotation),
            names=(f"{prefix}query", f"{prefix}key"),
            axis=0,
            num_outputs=2,
        )
        # The order of a ring does not matter: rotary keys carry their own position.
        keys, values = self._remember(f"keys.{layer}", key), self._remember(f"values.{layer}", value)
        scores = graph.add("MatMul", query, graph.add("Transpose", keys, perm=(0, 1, 3, 2)))
        share = graph.add("Softmax", graph.add("Add", scores, self._mask), axis=-1)
        attended = graph.add("Reshape", graph.add("MatMul", share, values), graph.constant(_integers(1, config.width)))
        return self._linear(f"{prefix}attention.output", attended)

    def _remember(self, name: str, update: str) -> str:
        """Write this token's slot of its sequence's ring; returns that ring [1, heads, band, head].

        ONNX Runtime writes in place if one array is both the rings and the next ones.
        """
        rings = self._graph.add("ScatterND", self._state(name), self._place, update, name=f"{name}{NEXT}")
        self._declare_next(name)
        return rings if self._config.dilation == 1 else self._graph.add("Gather", rings, self._sequence, axis=0)

    def _feedforward(self, prefix: str, x: str) -> str:
        graph = self._graph
        gate, value = graph.split(
            "Split",
            self._linear(f"{prefix}feedforward.gate_and_value", x),
            names=(f"{prefix}gate", f"{prefix}gated"),
            axis=1,
            num_outputs=2,
        )
        product = graph.add("Mul", graph.add("Gelu", gate, approximate="tanh"), value)
        return self._linear(f"{prefix}feedforward.output", product)

    def _norm(self, x: str) -> str:
        return self._graph.add("LayerNormalization", x, self._ones, axis=-1, epsilon=NORM_EPSILON)

    def _linear(self, layer: str, x: str, name: str = "") -> str:
        weight, bias = self._weights[f"{layer}.weight"], self._weights[f"{layer}.bias"]
        return self._graph.add("Gemm", x, weight, bias, transB=1, name=name)

    def _state(self, name: str) -> str:
        return self._graph.input(name, "float32", state_shapes(self._config)[name])

    def _declare_next(self, name: str) -> None:
        self._graph.output(f"{name}{NEXT}", "float32", state_shapes(self._config)[name])


def _integers(*values: int) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)
