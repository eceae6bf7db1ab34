"""Exports a bundle as one ONNX file: raw IMU rows in, muscle activation out, for software in any language.

Units, normalisation, masks and the published uncertainty are part of the graph, because a second
implementation of them is a likely source of errors. All else that a user of the file must know is in its metadata.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.conformal_uncertainty import FLOOR
from imu_emg_estimator.model.network_config import LOG_DEVIATION_RANGE
from imu_emg_estimator.model.onnx_file import OnnxGraph
from imu_emg_estimator.model.onnx_streaming_step import add_step, state_shapes, step_weights
from imu_emg_estimator.signals.masked_imu_features import CHANNELS, LIMIT, PARTS, feature_blocks
from imu_emg_estimator.utils.json_values import json_compatible

QUANTITIES = {"acceleration": "m/s^2", "angular_rate": "rad/s"}  # of a sensor's row
FORMAT_VERSION = 1  # of inputs, outputs and metadata


def bundle_to_onnx(bundle: Bundle) -> bytes:
    """Return the streaming step of a bundle as an ONNX file, with ``metadata``.

    Inputs are ``imu`` [sensors, 6] in m/s^2 and rad/s, NaN = not available; ``step`` (int64 [1]), the rows
    before this one; and the states. Outputs are ``activation`` and ``deviation``, each [muscles], for the
    row ``look_ahead`` rows before, and the next states. See ``onnx_streaming_step`` for the states.
    """
    graph = OnnxGraph()
    weights = step_weights(bundle.config, bundle.weights)
    features = _add_features(graph, bundle)
    constants = {name: graph.constant(value) for name, value in weights.items()}
    mean, log_deviation = add_step(graph, bundle.config, constants, features)
    _add_estimate(graph, bundle, mean, log_deviation)
    return graph.model(bundle.model_id, metadata(bundle))


def metadata(bundle: Bundle) -> dict[str, str]:
    """Return what a user of the graph must know, as JSON by name."""
    content: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "model_id": bundle.model_id,
        "parent_id": bundle.parent_id,
        "calibration": asdict(bundle.calibration) if bundle.calibration else None,
        "rate_hz": bundle.rig.rate,
        "look_ahead": bundle.config.look_ahead,
        "context": bundle.config.context,
        "sensors": bundle.rig.sensor_names,
        "channels": [f"{quantity}_{axis}" for quantity in QUANTITIES for axis in "xyz"],
        "units": [unit for unit in QUANTITIES.values() for _ in "xyz"],
        "muscles": bundle.rig.muscle_names,
        "rig": bundle.rig.to_dict(),
        "reference": asdict(bundle.reference),
        "normalisation": asdict(bundle.normalisation),
        "uncertainty": bundle.uncertainty.to_dict() if bundle.uncertainty else None,
        "subsets": bundle.subsets,
        "states": state_shapes(bundle.config),
    }
    return {name: json.dumps(json_compatible(value)) for name, value in content.items()}


def _add_features(graph: OnnxGraph, bundle: Bundle) -> str:
    """``masked_imu_features.features`` of the input ``imu``: [1, inputs]."""
    sensors = len(bundle.rig.sensors)
    imu = graph.input("imu", "float32", (sensors, CHANNELS))
    mean, std = bundle.normalisation.mean, bundle.normalisation.std
    normalised = graph.add("Div", graph.add("Sub", imu, _constant(graph, mean)), _constant(graph, std))
    parts = graph.add("Reshape", normalised, _shape(graph, sensors * PARTS, 3))
    lacking = graph.add("Or", graph.add("IsNaN", parts), graph.add("IsInf", parts))
    # [parts, 1], 1 where any of the three axes is lacking.
    masked = graph.add("ReduceMax", graph.add("Cast", lacking, to=graph.FLOAT32), _shape(graph, 1))
    present = graph.add("Sub", _constant(graph, 1.0), masked)
    bounded = graph.add("Clip", parts, _constant(graph, -LIMIT), _constant(graph, LIMIT))
    channels = _where(graph, present, bounded)
    blocks = (channels, present, *_add_lengths(graph, bundle, channels, present))
    return graph.add("Concat", *(graph.add("Reshape", block, _shape(graph, 1, -1)) for block in blocks), axis=1)


def _add_lengths(graph: OnnxGraph, bundle: Bundle, channels: str, present: str) -> tuple[str, str]:
    """Magnitudes and changes [parts, 1] of channels [parts, 3]; the row before is the newest in ``history``."""
    blocks = feature_blocks(bundle.config.inputs)
    newest = graph.add("Slice", "history", *(_shape(graph, value) for value in (-1, bundle.config.kernel, 0)))

    def before(name: str, axes: int) -> str:
        start, stop = (_shape(graph, column) for column in (blocks[name].start, blocks[name].stop))
        return graph.add("Reshape", graph.add("Slice", newest, start, stop, _shape(graph, 1)), _shape(graph, -1, axes))

    # NaN for parts that the network does not look at, which are never present.
    mean, std = (
        _constant(graph, part.reshape(-1, 3)) for part in (bundle.normalisation.mean, bundle.normalisation.std)
    )
    usual, scale = (_constant(graph, part.reshape(-1, 1)) for part in bundle.normalisation.of_lengths())
    measured = graph.add("Add", graph.add("Mul", channels, std), mean)
    change = graph.add("Mul", graph.add("Sub", channels, before("channels", 3)), std)
    both = graph.add("Mul", present, before("masks", 1))
    magnitude = graph.add("Div", graph.add("Sub", _length(graph, measured), usual), scale)
    lengths = (magnitude, present), (graph.add("Div", _length(graph, change), scale), both)
    bounds = _constant(graph, -LIMIT), _constant(graph, LIMIT)
    magnitudes, changes = (_where(graph, known, graph.add("Clip", length, *bounds)) for length, known in lengths)
    return magnitudes, changes


def _length(graph: OnnxGraph, vectors: str) -> str:
    return graph.add("ReduceL2", vectors, _shape(graph, 1))


def _where(graph: OnnxGraph, known: str, values: str) -> str:
    """Return the values where ``known`` is 1, else 0."""
    return graph.add("Where", graph.add("Cast", known, to=graph.BOOL), values, _constant(graph, 0.0))


def _add_estimate(graph: OnnxGraph, bundle: Bundle, mean: str, log_deviation: str) -> None:
    """The outputs ``activation`` and ``deviation`` of a StreamingEstimator that misses no sensor."""
    muscles = bundle.config.muscles
    activation = graph.add("Relu", mean)
    bounds = (_constant(graph, bound) for bound in LOG_DEVIATION_RANGE)
    deviation = graph.add("Exp", graph.add("Clip", log_deviation, *bounds))
    if scale := bundle.deviation_scale:
        own = graph.add("Pow", deviation, _constant(graph, scale.deviation_power))
        level = graph.add("Add", activation, _constant(graph, FLOOR))
        powers = graph.add("Mul", own, graph.add("Pow", level, _constant(graph, scale.activation_power)))
        deviation = graph.add("Mul", powers, _constant(graph, scale.factor))
    for name, value in (("activation", activation), ("deviation", deviation)):
        graph.output(graph.add("Reshape", value, _shape(graph, muscles), name=name), "float32", (muscles,))


def _constant(graph: OnnxGraph, values: Any) -> str:
    return graph.constant(np.array(values, dtype=np.float32))


def _shape(graph: OnnxGraph, *sizes: int) -> str:
    return graph.constant(np.array(sizes, dtype=np.int64))
