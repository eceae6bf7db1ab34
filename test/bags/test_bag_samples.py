"""Samples of a bag: their rate, what no sensor gives, and the order in which they were received."""

from pathlib import Path

import numpy as np
import pytest

from imu_emg_estimator.bags.bag_samples import ImuSamples, in_order
from imu_emg_estimator.bags.read_limits import BagLimits, Meter
from imu_emg_estimator.signals.grid_alignment import SECOND

START = 1_700_000_000 * SECOND


def samples_of(times: list[float], first: float = 0.0, delay: float = 0.0) -> ImuSamples:
    """Samples at these times [s], of which the first value of each counts from ``first``."""
    imu = ImuSamples()
    for index, time in enumerate(times):
        timestamp = START + round(time * SECOND)
        imu.add(timestamp, [first + index, 0.0, 9.81, 0.0, 0.0, 0.0], timestamp + round(delay * SECOND))
    return imu


def test_rate_is_that_of_the_middle_half() -> None:
    times = [index / 100.0 for index in range(1001)]
    assert samples_of(times).rate == pytest.approx(100.0, rel=2e-3)
    times[0], times[-1] = -60.0, 600.0
    assert samples_of(times).rate == pytest.approx(100.0, rel=2e-3)
    assert samples_of([1.0] * 10).rate == 0.0


@pytest.mark.parametrize(("value", "known"), [(999_999.0, True), (-999_999.0, True), (1e6, False), (-1e300, False)])
def test_value_that_no_sensor_gives_is_absent(value: float, known: bool) -> None:
    imu = ImuSamples()
    imu.add(START, [value, 0.0, 9.81, 0.0, 0.0, 0.0], START)
    np.testing.assert_array_equal(imu.samples(), [[value if known else np.nan, 0.0, 9.81, 0.0, 0.0, 0.0]])


def test_messages_come_in_the_order_of_their_receive_times() -> None:
    one = samples_of([index / 100.0 for index in range(3000)], delay=0.003)
    other = samples_of([index / 50.0 for index in range(1500)], first=10_000.0, delay=0.05)
    found = list(in_order([one, other], Meter(Path("bag"), BagLimits(), 0)))
    assert len(found) == 4500
    received = [receive_time for _, _, receive_time, _ in found]
    assert received == sorted(received)
    for sensor, first, period in ((0, 0.0, 0.01), (1, 10_000.0, 0.02)):
        own = [(timestamp, values[0]) for index, timestamp, _, values in found if index == sensor]
        assert own == [(START + round(k * period * SECOND), first + k) for k in range(len(own))]
