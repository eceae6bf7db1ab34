"""Whole recordings judged by the checks of the live stream: which states every sensor was in, and for how long."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.recording import FloatArray
from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.sample_checks import SampleChecks
from imu_emg_estimator.signals.sensor_verdict import GOOD, SensorState, Verdict


class StateTime(NamedTuple):
    """A state that a sensor was in, as it was last seen, and for how long [s]."""

    state: SensorState
    seconds: float


@dataclass(frozen=True, eq=False)
class CheckedRecording:
    """A recording after its check.

    Attributes:
        imu: [samples, sensors, 6] NaN where a part must not be used.
        states: by sensor, those that it was in beside ``GOOD``, the longest first.
    """

    imu: FloatArray
    states: tuple[tuple[StateTime, ...], ...]


def check_recording(
    imu: FloatArray,
    instants: NDArray[np.integer],
    rate: float,
    used: NDArray[np.bool_],
    ranges: FloatArray | None = None,
) -> CheckedRecording:
    """Check the samples of a recording as they would be live.

    Args:
        imu: [samples, sensors, 6] in m/s² and rad/s; NaN = not available.
        instants: [samples] of the samples, ascending [ns].
        rate: of the rig [Hz].
        used, ranges: see ``SampleChecks``.
    """
    checks = SampleChecks(rate, used, ranges)
    result = np.array(imu, dtype=np.float64)
    periods = np.diff(instants, append=instants[-1:] + round(SECOND / rate)) / SECOND
    met: list[list[StateTime]] = [[] for _ in range(imu.shape[1])]
    for row, (instant, period) in enumerate(zip(instants.tolist(), periods.tolist(), strict=True)):
        for sensor, sample in enumerate(result[row].tolist()):
            checked, state = checks.check(sensor, instant, tuple(sample))
            if state.masked:
                result[row, sensor] = checked
            if state is not GOOD:
                met[sensor].append(StateTime(state, period))
    return CheckedRecording(result, tuple(map(join_states, met)))


def join_states(met: Iterable[StateTime]) -> tuple[StateTime, ...]:
    """Add up the times in the same kind of state, the longest first; of each kind the last state stays."""
    joined: dict[tuple[Verdict, str], StateTime] = {}
    for state, seconds in met:
        kind = (state.verdict, state.remedy)
        before = joined[kind].seconds if kind in joined else 0.0
        joined[kind] = StateTime(state, before + seconds)
    return tuple(sorted(joined.values(), key=lambda one: -one.seconds))
