"""The network over a whole recording at once: the reference for the streaming engines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.causal_network import Estimator, Network, network_of
from imu_emg_estimator.model.network_config import LOG_DEVIATION_RANGE
from imu_emg_estimator.model.sensor_subsets import RunningFactor
from imu_emg_estimator.model.worn_ways import turned_back
from imu_emg_estimator.recording import FloatArray, Recording
from imu_emg_estimator.signals.masked_imu_features import PARTS, Normalisation, features


def estimate_recording(model: Network, normalisation: Normalisation, imu: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Estimate activation and its standard deviation for every sample of a recording.

    Args:
        imu: [samples, sensors, 6] in m/s² and rad/s; NaN = not available.

    Returns:
        Two arrays [samples, muscles] in references; row i is the estimate *for* sample i.
        The last ``look_ahead`` rows are NaN, as the recording ends before their input; of a forecast the first.
    """
    activation, deviation = estimate_features(model, features(imu, normalisation)[None])
    return in_place(activation[0], model), in_place(deviation[0], model)


def published_estimate(bundle: Bundle, imu: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Estimate activation and the standard deviation that a live node publishes; as ``estimate_recording``."""
    network, imu = network_of(bundle), turned_back(imu, bundle.rig, bundle.distribution)
    activation, deviation = estimate_recording(network, bundle.normalisation, imu)
    if scale := bundle.deviation_scale:
        deviation = scale.apply(activation, deviation)
    if subsets := bundle.subsets:
        running, one = RunningFactor(subsets, bundle.rig.rate), np.ones(len(bundle.rig.muscles), np.float32)
        factors = [running.step(row) for row in _missing(imu, bundle.normalisation)]
        deviation = deviation * in_place(np.array([one if own is None else own for own in factors]), network)
    return activation, deviation


def _missing(imu: FloatArray, normalisation: Normalisation) -> NDArray[np.bool_]:
    """Say where a part of a sensor that the network uses is masked [samples, sensors]."""
    finite, used = (part.reshape(-1, imu.shape[1], PARTS, 3) for part in (np.isfinite(imu), normalisation.used))
    return np.asarray(np.any(used.all(axis=3) & ~finite.all(axis=3), axis=2))


@torch.no_grad()
def estimate_features(model: Network, inputs: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Estimate from features [recordings, samples, inputs]; both results are [recordings, samples, muscles].

    Row i is the estimate that sample i completes: for the sample ``look_ahead`` before it.
    """
    mean, log_deviation = (output.numpy() for output in model(torch.from_numpy(inputs)))
    return np.maximum(mean, 0.0), np.exp(np.clip(log_deviation, *LOG_DEVIATION_RANGE))


def in_place(outputs: FloatArray, model: Network) -> FloatArray:
    """Shift outputs [samples, ...] from the newest sample of their input to the sample that they estimate."""
    look_ahead = model.config.look_ahead
    unknown = np.full((min(abs(look_ahead), len(outputs)), *outputs.shape[1:]), np.nan, outputs.dtype)
    if look_ahead < 0:
        return np.concatenate([unknown, outputs[:look_ahead]])
    return np.concatenate([outputs[look_ahead:], unknown])


def estimator_of(bundle: Bundle) -> Estimator:
    """Build the bundle's network, ready to estimate and to be adapted."""
    return Estimator(network_of(bundle), bundle.normalisation, np.array(bundle.reference.amplitude))


def estimate_activations(estimator: Estimator, recordings: Sequence[Recording]) -> FloatArray:
    """Estimate the activations [samples, muscles] of all recordings, concatenated; NaN = not known."""
    network, normalisation = estimator.network, estimator.normalisation
    return np.concatenate([estimate_recording(network, normalisation, recording.imu)[0] for recording in recordings])


def estimate_all(estimator: Estimator, recordings: Sequence[Recording]) -> FloatArray:
    """Estimate the envelopes [samples, muscles] of all recordings, concatenated, in the amplitude's unit."""
    envelopes: FloatArray = estimate_activations(estimator, recordings) * estimator.amplitude
    return envelopes


def estimate_envelopes(bundle: Bundle, recordings: Sequence[Recording]) -> FloatArray:
    """Estimate the envelopes [samples, muscles] of all recordings, concatenated, in the unit of the reference."""
    return estimate_all(estimator_of(bundle), worn_as_trained(bundle, recordings))


def worn_as_trained(bundle: Bundle, recordings: Sequence[Recording]) -> list[Recording]:
    """Turn back the sensors that are worn the other way round from those of the bundle's subjects."""
    return [replace(own, imu=turned_back(own.imu, bundle.rig, bundle.distribution)) for own in recordings]
