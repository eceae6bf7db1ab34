"""The network over a whole recording at once: the reference for the streaming engines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.causal_network import Estimator, Network
from imu_emg_estimator.model.geglu_transformer import network_of
from imu_emg_estimator.model.network_config import LOG_DEVIATION_RANGE
from imu_emg_estimator.recording import FloatArray, Recording
from imu_emg_estimator.signals.masked_imu_features import Normalisation, features


def estimate_recording(model: Network, normalisation: Normalisation, imu: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Estimate activation and its standard deviation for every sample of a recording.

    Args:
        imu: [samples, sensors, 6] in m/s² and rad/s; NaN = not available.

    Returns:
        Two arrays [samples, muscles] in references; row i is the estimate *for* sample i.
        The last ``look_ahead`` rows are NaN: the recording ends before their input.
    """
    activation, deviation = estimate_features(model, features(imu, normalisation)[None])
    return in_place(activation[0], model), in_place(deviation[0], model)


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
    tail = np.full((min(look_ahead, len(outputs)), *outputs.shape[1:]), np.nan, outputs.dtype)
    return np.concatenate([outputs[look_ahead:], tail])


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
    return estimate_all(estimator_of(bundle), recordings)
