"""check_recording: whole recordings are judged as the live stream is."""

import numpy as np
import pytest
from numpy.typing import NDArray

from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.recording_checks import StateTime, check_recording, join_states
from imu_emg_estimator.signals.sample_checks import SampleChecks
from imu_emg_estimator.signals.sensor_verdict import SensorState, Verdict

RATE, SENSORS = 60.0, 3
USED = np.ones((SENSORS, 6), dtype=bool)
Array = NDArray[np.floating]


@pytest.fixture
def imu() -> Array:
    """Ten seconds of three sensors that swing once a second."""
    generator = np.random.default_rng(0)
    phase = 2 * np.pi * np.arange(600) / RATE
    imu = 0.02 * generator.standard_normal((600, SENSORS, 6))
    imu[:, :, 2] += 9.81 + 2.0 * np.sin(2 * phase)[:, None]
    imu[:, :, 0] += 4.0 * np.sin(phase)[:, None]
    imu[:, :, 1] += np.sin(3 * phase)[:, None]
    imu[:, :, 4] += 3.0 * np.cos(phase)[:, None]
    return imu


def instants(count: int) -> NDArray[np.int64]:
    return np.round(np.arange(count) * SECOND / RATE).astype(np.int64)


def test_check_recording_passes_good_samples_on(imu: Array) -> None:
    checked = check_recording(imu, instants(600), RATE, USED)
    np.testing.assert_array_equal(checked.imu, imu)
    assert checked.states == ((), (), ())


def test_check_recording_tells_state_and_seconds(imu: Array) -> None:
    imu[240:480, 1, :3] = imu[239, 1, :3]
    imu[300:, 2, :3] /= 9.81
    before = imu.copy()
    checked = check_recording(imu, instants(600), RATE, USED)
    (frozen,), (unit,) = checked.states[1:]
    assert (frozen.state.verdict, unit.state.verdict) == (Verdict.FROZEN, Verdict.OTHER_UNITS)
    assert frozen.seconds == pytest.approx(4.0, abs=0.5)
    assert unit.seconds == pytest.approx(5.0, abs=0.5)
    assert np.isnan(checked.imu[260:480, 1, :3]).all()
    assert np.isfinite(checked.imu[:240, 1]).all()
    assert np.isfinite(checked.imu[520:, 1]).all()
    np.testing.assert_array_equal(imu, before)


def test_check_recording_equals_live_stream(imu: Array) -> None:
    imu[200:, 0, :3] *= -1.0
    imu[100:150, 1, :3] = imu[99, 1, :3]
    checks = SampleChecks(RATE, USED)
    live = [
        [checks.check(sensor, int(instant), tuple(row[sensor].tolist())).sample for sensor in range(SENSORS)]
        for instant, row in zip(instants(600), imu, strict=True)
    ]
    np.testing.assert_array_equal(check_recording(imu, instants(600), RATE, USED).imu, live)


def test_check_recording_leaves_unused_parts_alone(imu: Array) -> None:
    imu[:, 0, 3:] = 1.0
    used = USED.copy()
    used[:, 3:] = False
    checked = check_recording(imu, instants(600), RATE, used)
    assert checked.states == ((), (), ())
    np.testing.assert_array_equal(checked.imu, imu)


def test_join_states_adds_up_and_keeps_the_last_reason() -> None:
    early, late = (SensorState(Verdict.FROZEN, reason, "switch it off", True) for reason in ("0.1 s", "3.0 s"))
    slow = SensorState(Verdict.SLOW, "sends at 30 Hz", "move it closer", False)
    joined = join_states([StateTime(slow, 2.0), StateTime(early, 1.0), StateTime(late, 1.5)])
    assert joined == (StateTime(late, 2.5), StateTime(slow, 2.0))
