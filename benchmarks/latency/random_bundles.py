"""Bundles and motion for measurements of time, which need no training: most weights are random."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.model.bundle import Bundle, Reference
from imu_emg_estimator.model.network_config import ModelConfig, weight_shapes
from imu_emg_estimator.recording import FloatArray, Recording
from imu_emg_estimator.rig import Muscle, Rig, Sensor
from imu_emg_estimator.signals.emg_envelope import EnvelopeSettings
from imu_emg_estimator.signals.masked_imu_features import CHANNELS, Normalisation, feature_count

DEVIATION = np.array([3.0, 3.0, 3.0, 2.0, 2.0, 2.0])  # m/s^2 and rad/s, of made-up motion
REST = np.array([0.0, 0.0, 9.81, 0.0, 0.0, 0.0])
SMOOTHING = 10  # samples


@dataclass(frozen=True)
class Shape:
    """A rig and a network; other properties are those of the shipped bundle.

    Attributes:
        sensors: IMUs.
        rate: of the grid [Hz].
        window: samples that each layer's attention spans; a multiple of the dilation.
    """

    sensors: int = 6
    rate: float = 200.0
    width: int = 64
    layers: int = 3
    window: int = 64
    dilation: int = 4
    kernel: int = 17
    heads: int = 4
    muscles: int = 2

    @property
    def config(self) -> ModelConfig:
        return ModelConfig(
            inputs=feature_count(self.sensors),
            muscles=self.muscles,
            width=self.width,
            layers=self.layers,
            heads=self.heads,
            band=max(1, self.window // self.dilation),
            dilation=self.dilation,
            kernel=self.kernel,
            feedforward=2 * self.width,
        )


def shape_of(bundle: Bundle) -> Shape:
    """Return the shape of a bundle, for variations of it."""
    config = bundle.config
    return Shape(
        sensors=len(bundle.rig.sensors),
        rate=bundle.rig.rate,
        width=config.width,
        layers=config.layers,
        window=config.context,
        dilation=config.dilation,
        kernel=config.kernel,
        heads=config.heads,
        muscles=config.muscles,
    )


def random_bundle(shape: Shape, seed: int = 0) -> Bundle:
    """Make a bundle of this shape with random weights, scaled so that no part of the network is idle."""
    generator, config = np.random.default_rng(seed), shape.config

    def weight(name: str, size: tuple[int, ...]) -> NDArray[np.float32]:
        scale = np.prod(size[1:]) ** -0.5 if len(size) > 1 else 0.1
        centre = 1.0 if "norm.weight" in name else 0.0
        return (centre + scale * generator.standard_normal(size)).astype(np.float32)

    return Bundle(
        name="random",
        config=config,
        rig=Rig(
            "bench",
            shape.rate,
            tuple(Sensor(f"imu_{index + 1}", "segment") for index in range(shape.sensors)),
            tuple(Muscle(f"muscle_{index + 1}", "muscle") for index in range(shape.muscles)),
        ),
        envelope=EnvelopeSettings(),
        normalisation=Normalisation(np.tile(REST, (shape.sensors, 1)), np.tile(DEVIATION, (shape.sensors, 1))),
        reference=Reference((1.0,) * shape.muscles, "count", "random weights"),
        weights={name: weight(name, size) for name, size in weight_shapes(config).items()},
    )


def at_rate(bundle: Bundle, rate: float) -> Bundle:
    """Return the same network on a grid of another rate; its inputs have another spacing in time."""
    return replace(bundle, rig=replace(bundle.rig, rate=rate))


def recording_at_rate(recording: Recording, rate: float) -> Recording:
    """Replay a recording faster or slower: the same samples and envelope at another rate."""
    return replace(recording, rig=replace(recording.rig, rate=rate), emg=None)


def made_up_motion(bundle: Bundle, samples: int, seed: int = 0) -> FloatArray:
    """Make rows [samples, sensors, 6] in m/s² and rad/s: smooth noise with the bundle's mean and deviation."""
    noise = np.random.default_rng(seed).standard_normal((samples + SMOOTHING, len(bundle.rig.sensors) * CHANNELS))
    total = np.cumsum(noise, axis=0)
    smooth = ((total[SMOOTHING:] - total[:-SMOOTHING]) / SMOOTHING**0.5).reshape(samples, -1, CHANNELS)
    return np.asarray(bundle.normalisation.mean + bundle.normalisation.std * smooth)
