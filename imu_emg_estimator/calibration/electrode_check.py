"""Electrode check: what goes wrong with electrodes, found before a network is adapted to a subject's EMG.

A muscle's channel may carry its twin of the other leg (leads or electrodes exchanged, or a subject whose legs fire
together), or nothing that has to do with the movement (an electrode off, an amplifier at rest). Both show in the
calibration data alone; adapting to the latter would teach the network nonsense.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from imu_emg_estimator.calibration.closed_form import CORRELATED_SAMPLES, Moments, blocks_of, leave_out
from imu_emg_estimator.model.causal_network import Estimator, head_weights, set_head_weights
from imu_emg_estimator.model.offline_estimate import estimate_activations
from imu_emg_estimator.model.subject_data import CalibrationData
from imu_emg_estimator.recording import FloatArray, Recording, trusted_envelope
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.accuracy_metrics import score

MIN_MOVEMENT_R = 0.25  # of quickly fitted heads on left-out blocks; below, the EMG does not follow the movement
EXCHANGED_EVIDENCE = 15.0  # natural logarithm of the likelihood ratio at which a channel is taken for its twin's
MAX_TWIN_R = 0.8  # of the estimates of twins; above, as in squats, the movement does not tell them apart
TRIAL_STRENGTH = 30.0  # independent samples; shrinkage of the heads that are tried, see ``closed_form``


@dataclass(frozen=True)
class ElectrodeCheck:
    """What a subject's EMG has to do with the movement.

    Attributes:
        estimator: the given one with the heads of those muscles that the channels carry.
        data: the recordings as this estimator sees them.
        sources: of every channel, the muscle whose movement it goes with; another than its own where leads are
            exchanged.
        movement_r: by muscle with trusted EMG, r of heads fitted to parts of the data on the parts left out; below
            ``MIN_MOVEMENT_R`` the EMG has nothing to do with the movement.
        envelope, estimate: [samples, muscles] measured, and by the given estimator [references].
    """

    estimator: Estimator
    data: CalibrationData
    sources: Sequence[int]
    movement_r: Mapping[int, float]
    envelope: FloatArray
    estimate: FloatArray

    @property
    def unrelated(self) -> list[int]:
        """Muscles whose EMG does not follow the movement."""
        return [muscle for muscle, r in self.movement_r.items() if r < MIN_MOVEMENT_R]

    def twin_correlations(self, rig: Rig) -> dict[tuple[int, int], tuple[float, float]]:
        """By pair of measured twins: Pearson's r of the two channels, and of their estimates."""
        if not rig.is_mirrorable:
            return {}
        measured = np.isfinite(self.data.amplitude)
        return {
            (muscle, int(twin)): (
                score(self.envelope[:, muscle], self.envelope[:, twin]).r,
                score(self.estimate[:, muscle], self.estimate[:, twin]).r,
            )
            for muscle, twin in enumerate(rig.mirror_muscles())
            if muscle < twin and measured[muscle] and measured[twin]
        }


def check_electrodes(estimator: Estimator, recordings: Sequence[Recording]) -> ElectrodeCheck:
    """Find channels that carry another muscle, or nothing that goes with the movement.

    Args:
        estimator: before adaptation.
        recordings: of one subject, with EMG envelopes.
    """
    rig = recordings[0].rig
    envelope = trusted_envelope(recordings)
    estimate = estimate_activations(estimator, recordings)
    sources = list(range(len(rig.muscles)))
    if rig.is_mirrorable:
        sources = sources_of_channels(envelope, estimate, rig.mirror_muscles().tolist())
    corrected = _with_heads_of(estimator, sources)
    data = CalibrationData.of(corrected, recordings, estimate[:, sources])
    heads = head_weights(corrected.network.head)
    follows = {muscle: movement_r(blocks_of(*data.of_muscle(muscle)), heads[muscle]) for muscle in data.known_muscles()}
    return ElectrodeCheck(corrected, data, sources, follows, envelope, estimate)


def sources_of_channels(envelope: FloatArray, estimate: FloatArray, twins: Sequence[int]) -> list[int]:
    """Find which muscle's estimate each channel goes with: its own, or where that is much more likely, its twin's.

    Args:
        envelope: [samples, muscles] measured; NaN = not known.
        estimate: [samples, muscles] before adaptation; NaN = not known.
        twins: of every muscle, the same muscle on the other side.

    Returns:
        For every channel the index of a muscle.
    """
    sources = []
    for muscle, twin in enumerate(twins):
        known = np.isfinite(envelope[:, muscle]) & np.isfinite(estimate).all(axis=1)
        own, other = (_correlation(envelope[known, muscle], estimate[known, index]) for index in (muscle, twin))
        if _correlation(estimate[known, muscle], estimate[known, twin]) > MAX_TWIN_R:
            sources.append(muscle)
            continue
        evidence = 0.5 * known.sum() / CORRELATED_SAMPLES * np.log((1 - own**2) / (1 - other**2))
        sources.append(twin if evidence > EXCHANGED_EVIDENCE else muscle)
    return sources


def movement_r(blocks: Sequence[Moments], head: FloatArray) -> float:
    """Correlate heads [inputs] near the given one, fitted to parts of the data, with the parts left out: Pearson's r.

    Below ``MIN_MOVEMENT_R`` the EMG has nothing to do with the movement.
    """
    return leave_out(blocks, head, np.eye(len(head)), TRIAL_STRENGTH).r


def _with_heads_of(estimator: Estimator, sources: Sequence[int]) -> Estimator:
    network = copy.deepcopy(estimator.network)
    for head in (network.head, network.deviation_head):
        set_head_weights(head, head_weights(head)[list(sources)])
    return replace(estimator, network=network)


def _correlation(measured: FloatArray, estimated: FloatArray) -> float:
    """Pearson's r, 0 where it is negative or one of them is constant."""
    return float(np.clip(np.nan_to_num(score(measured, estimated).r), 0.0, 0.999))
