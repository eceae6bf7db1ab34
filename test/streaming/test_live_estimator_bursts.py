"""LiveEstimator: sensors that send ten samples at a time, as radio links do."""

from collections.abc import Callable

import numpy as np
import pytest

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.streaming.activation_status import DEGRADED, OK, STALE
from imu_emg_estimator.streaming.live_estimator import LiveEstimator, LiveSettings, Output

START = 1_700_000_000 * SECOND
DELAY = 2_000_000  # ns, from a sample to its arrival


@pytest.fixture
def live(bundle: Bundle) -> LiveEstimator:
    return LiveEstimator(bundle, LiveSettings())


def play_bursts(
    live: LiveEstimator, make_recording: Callable[..., Recording], rate: float, sensors: int, stamped: bool = False
) -> list[Output]:
    """Play walking in which the last sensors send ten samples [Hz] at a time from 3 s on, at different times."""
    imu = make_recording([("walking", 10.0)]).imu
    grid, size, messages = np.arange(len(imu)) / live.bundle.rig.rate, 10, []
    for sensor in range(6):
        for number, at in enumerate(np.arange(0.0, grid[-1], 1 / rate).tolist()):
            bursts = at > 3.0 and sensor >= 6 - sensors
            last = number + (3 * sensor - number) % size if bursts else number  # of its burst
            arrival = START + round((last / rate + 0.002) * SECOND) + (size - last + number) * 1000
            instant = arrival - DELAY if stamped else START + round(at * SECOND)
            sample = tuple(float(np.interp(at, grid, column)) for column in imu[:, sensor].T)
            messages.append((arrival, sensor, instant, sample, number))
    outputs: list[Output] = []
    for arrival, sensor, instant, sample, number in sorted(messages):
        outputs += live.check(arrival)
        outputs += live.take(sensor, instant, sample, arrival, number)
    return [output for output in outputs if 6.0 < (output.timestamp - START) / SECOND < 9.5]


@pytest.mark.parametrize("stamped_on_arrival", [False, True])
def test_live_estimator_stays_ok_while_all_sensors_send_bursts_at_different_times(
    live: LiveEstimator, make_recording: Callable[..., Recording], stamped_on_arrival: bool
) -> None:
    assert {o.status for o in play_bursts(live, make_recording, 100.0, 6, stamped_on_arrival)} == {OK}


def test_live_estimator_is_stale_without_a_break_while_all_sensors_send_too_long_bursts(
    live: LiveEstimator, make_recording: Callable[..., Recording]
) -> None:
    outputs = play_bursts(live, make_recording, 50.0, 6)
    assert {o.status for o in outputs} == {STALE}
    assert {state.reason for state in live.states} == {"sends in bursts, or with gaps, that are too long to wait for"}


def test_live_estimator_leaves_out_the_sensor_that_sends_too_long_bursts(
    live: LiveEstimator, make_recording: Callable[..., Recording]
) -> None:
    outputs = play_bursts(live, make_recording, 59.0, 1)
    assert {(o.status, o.missing) for o in outputs} == {(DEGRADED, live.bundle.rig.sensor_names[5:])}
    assert live.states[5].remedy == "let its driver send every sample at once, or check its radio link"
