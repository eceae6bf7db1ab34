"""Augmentation of training batches by what may differ in a new subject: side, mounting, tempo, missing sensors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from imu_emg_estimator.recording import FloatArray
from imu_emg_estimator.rig import Rig


@dataclass(frozen=True)
class AugmentationSettings:
    """Strength of each variation of a training sequence; zero switches it off.

    Attributes:
        mirror: probability that left and right are exchanged, on rigs that can be mirrored.
        mount_rotation: standard deviation [deg] of each sensor's mounting rotation about each axis.
        gain: standard deviation of each sensor's gain.
        noise: standard deviation of white noise [m/s^2 and rad/s].
        tempo: standard deviation of the logarithm of the tempo at which a sequence is replayed.
        sensor_dropout: probability that a sensor is missing.
        gyroscope_dropout: probability that all gyroscopes are missing, and the same for each one alone.
    """

    mirror: float = 0.5
    mount_rotation: float = 8.0
    gain: float = 0.03
    noise: float = 0.0
    tempo: float = 0.0
    sensor_dropout: float = 0.05
    gyroscope_dropout: float = 0.15


def augment(
    imu: FloatArray,
    target: FloatArray,
    weight: FloatArray,
    rig: Rig,
    settings: AugmentationSettings,
    generator: np.random.Generator,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Vary sequences independently of each other.

    Args:
        imu: [sequences, samples, sensors, 6] in m/s² and rad/s; NaN = not available.
        target: [sequences, samples, muscles] activation.
        weight: [sequences, samples, muscles] of the target in the loss.
        rig: defines which sensors and muscles mirror each other.

    Returns:
        Varied copies of ``imu``, ``target`` and ``weight``, of the same shapes.
    """
    imu, target, weight = imu.copy(), target.copy(), weight.copy()
    if rig.is_mirrorable:
        _mirror(imu, target, weight, rig, generator.random(len(imu)) < settings.mirror)
    if settings.tempo:
        _replay(imu, target, weight, np.exp(settings.tempo * generator.standard_normal(len(imu))))
    _turn_mounts(imu, settings.mount_rotation, generator)
    if settings.noise:
        imu += settings.noise * generator.standard_normal(imu.shape, dtype=np.float32)
    imu *= 1.0 + settings.gain * generator.standard_normal((len(imu), 1, imu.shape[2], 1)).astype(imu.dtype)
    _drop_sensors(imu, settings, generator)
    return imu, target, weight


def _mirror(imu: FloatArray, target: FloatArray, weight: FloatArray, rig: Rig, chosen: NDArray[np.bool_]) -> None:
    imu[chosen] = imu[chosen][:, :, rig.mirror_sensors()] * rig.mirror_signs().astype(imu.dtype)
    target[chosen] = target[chosen][:, :, rig.mirror_muscles()]
    weight[chosen] = weight[chosen][:, :, rig.mirror_muscles()]


def _replay(imu: FloatArray, target: FloatArray, weight: FloatArray, tempo: FloatArray) -> None:
    """Replay each sequence faster or slower about its middle; samples beyond its ends are missing.

    Angular rates scale with the tempo; accelerations are kept, since they are mostly gravity.
    """
    samples = imu.shape[1]
    middle = (samples - 1) / 2
    for sequence, factor in enumerate(tempo):
        at = middle + (np.arange(samples) - middle) * factor
        nearest = np.clip(np.rint(at), 0, samples - 1).astype(np.intp)
        outside = (at < 0) | (at > samples - 1)
        imu[sequence] = imu[sequence, nearest]
        imu[sequence, :, :, 3:] *= factor
        imu[sequence, outside] = np.nan
        target[sequence], weight[sequence] = target[sequence, nearest], weight[sequence, nearest]
        weight[sequence, outside] = 0.0


def _turn_mounts(imu: FloatArray, degrees: float, generator: np.random.Generator) -> None:
    sequences, _, sensors, _ = imu.shape
    vectors = np.deg2rad(degrees) * generator.standard_normal((sequences * sensors, 3))
    matrices = Rotation.from_rotvec(vectors).as_matrix().reshape(sequences, 1, sensors, 3, 3).astype(imu.dtype)
    for part in (slice(0, 3), slice(3, 6)):
        imu[..., part] = (matrices @ imu[..., part, None])[..., 0]


def _drop_sensors(imu: FloatArray, settings: AugmentationSettings, generator: np.random.Generator) -> None:
    sequences, _, sensors, _ = imu.shape
    gone = generator.random((sequences, sensors)) < settings.sensor_dropout
    no_gyroscope = generator.random((sequences, sensors)) < settings.gyroscope_dropout
    no_gyroscope |= generator.random((sequences, 1)) < settings.gyroscope_dropout
    imu[np.broadcast_to(gone[:, None, :, None], imu.shape)] = np.nan
    imu[..., 3:][np.broadcast_to(no_gyroscope[:, None, :, None], (*imu.shape[:3], 3))] = np.nan
