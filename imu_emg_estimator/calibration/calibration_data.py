"""A subject's recordings in a row, as a network sees them: what the electrode check and the adaptation work on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from imu_emg_estimator.calibration.closed_form import Moments, blocks_of
from imu_emg_estimator.model.causal_network import Estimator, Network
from imu_emg_estimator.model.subject_data import SubjectData, delayed, prepare, reference_amplitude
from imu_emg_estimator.recording import FloatArray, Recording
from imu_emg_estimator.signals.masked_imu_features import features


@dataclass(frozen=True)
class CalibrationData:
    """All recordings of a subject in a row, aligned with the network's outputs.

    Each recording starts with cold context, as live; there the targets have weight 0.

    Attributes:
        inputs: [samples, inputs].
        tokens: [samples, width + 1] what the heads see before anything is adapted, with a 1 for the bias.
        target, weight: [samples, muscles].
        amplitude: [muscles] EMG that the target 1 stands for; NaN = not measured.
        seconds: with trusted EMG of a muscle.
    """

    inputs: FloatArray
    tokens: FloatArray
    target: FloatArray
    weight: FloatArray
    amplitude: FloatArray
    seconds: float

    @classmethod
    def of(cls, estimator: Estimator, recordings: Sequence[Recording], estimate: FloatArray) -> CalibrationData:
        """Join the recordings.

        Args:
            estimator: before adaptation.
            recordings: of one subject, with EMG envelopes.
            estimate: [samples, muscles] activations that the estimator gives for them.
        """
        subject = prepare(recordings, _fitted_amplitude(recordings, estimate))
        inputs, target, weight = _aligned(estimator, subject)
        seconds = float(subject.weight.max(axis=1).sum()) / recordings[0].rig.rate
        return cls(inputs, _tokens(estimator.network, inputs), target, weight, subject.reference, seconds)

    def known_muscles(self) -> list[int]:
        """Muscles with trusted EMG."""
        return [int(muscle) for muscle in np.flatnonzero(self.weight.sum(axis=0) > 0)]

    def blocks(self, muscle: int) -> list[Moments]:
        """Blocks of time of a muscle's EMG, for the closed forms."""
        return blocks_of(self.tokens, self.target[:, muscle], self.weight[:, muscle])


def trusted_envelope(recordings: Sequence[Recording]) -> FloatArray:
    """Join the EMG envelopes [samples, muscles] of all recordings; NaN = not known or not trusted."""
    return np.concatenate([recording.trusted_envelope for recording in recordings])


def _fitted_amplitude(recordings: Sequence[Recording], estimate: FloatArray) -> FloatArray:
    """Amplitude [muscles] that scales the estimate onto the measured envelope, by least squares; NaN = not measured.

    Unlike a percentile of the calibration it does not depend on which movements the bag happens
    to hold: walking alone must not make walking the subject's full activation.
    """
    envelope = np.concatenate([recording.envelope for recording in recordings])
    reference = reference_amplitude(recordings)
    for muscle in np.flatnonzero(np.isfinite(reference)):
        known = np.isfinite(envelope[:, muscle]) & np.isfinite(estimate[:, muscle])
        truth, guess = envelope[known, muscle], estimate[known, muscle]
        if (power := float(guess @ guess)) > 0 and (scale := float(truth @ guess) / power) > 0:
            reference[muscle] = scale
    return reference


def _aligned(estimator: Estimator, subject: SubjectData) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Inputs [samples, inputs], and targets and weights [samples, muscles] at the samples that estimate them."""
    config = estimator.network.config
    parts = []
    for start, stop in zip(subject.starts[:-1], subject.starts[1:], strict=True):
        inputs = features(subject.imu[start:stop], estimator.normalisation)
        target = delayed(subject.target[start:stop], config.look_ahead)
        weight = delayed(subject.weight[start:stop], config.look_ahead)
        weight[: min(config.context, len(weight) // 2)] = 0.0
        parts.append((inputs, target, weight))
    inputs, target, weight = (np.concatenate(part) for part in zip(*parts, strict=True))
    return inputs, target, weight


@torch.no_grad()
def _tokens(network: Network, inputs: FloatArray) -> FloatArray:
    tokens = network.tokens(torch.from_numpy(inputs)[None])[0].numpy()
    return np.concatenate([tokens, np.ones_like(tokens[:, :1])], axis=1)
