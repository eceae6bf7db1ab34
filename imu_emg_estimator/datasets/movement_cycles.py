"""Cycles of an activity in recordings: strides by the foot's landing, other movements by their strongest swing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from imu_emg_estimator.datasets.movement_statistics import SIT_TO_STAND
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.rig import LOCOMOTION
from imu_emg_estimator.signals.signal_quality import true_runs
from imu_emg_estimator.signals.stride_detection import IndexArray, stride_starts, strides, time_normalise

Array = NDArray[np.float64]

POINTS = 64  # of a normalised cycle, without the first of the next one
STANDING_UP, SITTING_DOWN = "standing_up", "sitting_down"
SWING_SEGMENT = "shank"  # whose sensor shows where strides begin
SWING_CORNER_HZ = 3.0
SWING_BACK = -0.5  # standard deviations, to which a movement swings back between two cycles
MIN_CYCLE_S, MAX_CYCLE_S = 0.4, 10.0
MAX_ODDITY = 2.0  # a cycle is not so many times longer or shorter than the median one
MIN_BOUT_S = 2.0


def signals_of(recording: Recording) -> Array:
    """Return the channels [samples, channels]: IMUs, then the envelopes of trusted muscles; NaN = not known."""
    trusted = np.where(recording.muscle_weight > 0, recording.envelope, np.nan)
    return np.concatenate([recording.imu.reshape(len(recording), -1), trusted], axis=1, dtype=np.float64)


def mirrored(recording: Recording) -> Recording:
    """Exchange left and right."""
    rig = recording.rig
    return replace(
        recording,
        imu=recording.imu[:, rig.mirror_sensors()] * rig.mirror_signs(),
        envelope=recording.envelope[:, rig.mirror_muscles()],
        muscle_weight=recording.muscle_weight[rig.mirror_muscles()],
    )


def cycles_of(recording: Recording, activity: str, swing: Array | None) -> tuple[Array, Array]:
    """Cut out the cycles of an activity.

    Args:
        swing: weights [sensors * 3] of accelerations whose sum shows the cycles, see ``swing_of``; None = strides.

    Returns:
        Signals [cycles, POINTS, channels], and durations [s] of the cycles.
    """
    rate, signals = recording.rig.rate, signals_of(recording)
    if activity == SIT_TO_STAND:
        return _sit_to_stands(recording, signals)
    if swing is None:
        starts = stride_starts(recording.imu[:, _shank(recording)], rate, recording.rig.lateral_axis)
        pairs = strides(starts, rate)
    else:
        pairs = _swings(recording, activity, swing)
    steady = [bool((recording.condition[first : last + 1] == activity).all()) for first, last in pairs]
    pairs = pairs[np.array(steady, dtype=bool)]
    return time_normalise(signals, pairs, POINTS + 1)[:, :POINTS], (pairs[:, 1] - pairs[:, 0]) / rate


def swing_of(recordings: Sequence[Recording], activity: str) -> Array | None:
    """Return the first principal component [sensors * 3] of the accelerations; None where strides show the cycles."""
    if activity == SIT_TO_STAND or (activity in LOCOMOTION and _shank(recordings[0]) is not None):
        return None
    bouts = [bout for recording in recordings for _, bout in _bouts(recording, activity)]
    if not bouts:
        return np.zeros(3 * len(recordings[0].rig.sensors))
    moving = np.concatenate(bouts)
    return np.asarray(np.linalg.svd(moving.T @ moving)[0][:, 0])


def _shank(recording: Recording) -> int | None:
    shanks = [at for at, sensor in enumerate(recording.rig.sensors) if sensor.segment == SWING_SEGMENT]
    return min(shanks, key=lambda at: recording.rig.sensors[at].side != "right", default=None)


def _bouts(recording: Recording, activity: str) -> Iterator[tuple[int, Array]]:
    """Yield where bouts begin, and their slow accelerations [samples, sensors * 3] without the mean."""
    rate = recording.rig.rate
    slow = butter(2, SWING_CORNER_HZ, "lowpass", fs=rate, output="sos")
    for start, stop in true_runs(recording.condition == activity, round(MIN_BOUT_S * rate)):
        known = np.nan_to_num(recording.imu[start:stop, :, :3].reshape(stop - start, -1).astype(np.float64))
        smooth = sosfiltfilt(slow, known, axis=0)
        yield start, smooth - smooth.mean(axis=0)


def _swings(recording: Recording, activity: str, swing: Array) -> IndexArray:
    """Return first and last sample [cycles, 2]: a cycle begins where the swing passes its mean on the way up."""
    pairs: list[IndexArray] = [np.empty((0, 2), dtype=np.intp)]
    for start, moving in _bouts(recording, activity):
        along = moving @ swing
        below, armed, starts = SWING_BACK * along.std(), False, []
        for index, value in enumerate(along.tolist()):
            if armed and value > 0:
                starts.append(start + index)
            armed = value < below or (armed and value <= 0)
        pairs.append(np.stack([starts[:-1], starts[1:]], axis=1).astype(np.intp) if starts else pairs[0])
    found = np.concatenate(pairs)
    lengths = (found[:, 1] - found[:, 0]) / recording.rig.rate
    plausible = (lengths >= MIN_CYCLE_S) & (lengths <= MAX_CYCLE_S)
    usual = np.median(lengths[plausible]) if plausible.any() else np.nan
    usual_length = (lengths < usual * MAX_ODDITY) & (lengths > usual / MAX_ODDITY)
    return np.asarray(found[plausible & usual_length])


def _sit_to_stands(recording: Recording, signals: Array) -> tuple[Array, Array]:
    """Join every rise to the next time that the subject sits down, each half of the cycle."""
    rate = recording.rig.rate
    halves = []
    for label in (STANDING_UP, SITTING_DOWN):
        runs = [(first, last - 1) for first, last in true_runs(recording.condition == label, round(MIN_CYCLE_S * rate))]
        pairs = np.array(runs, dtype=np.intp).reshape(-1, 2)
        halves.append((time_normalise(signals, pairs, POINTS // 2), (pairs[:, 1] - pairs[:, 0]) / rate))
    (up, rising), (down, sitting) = halves
    count = min(len(up), len(down))
    return np.concatenate([up[:count], down[:count]], axis=1), rising[:count] + sitting[:count]
