"""The level of live EMG."""

import numpy as np
import pytest

from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.view.emg_level import EmgLevel

RATE_HZ = 1000.0


@pytest.mark.parametrize("packet", [7, 100])
def test_level_follows_raw_emg_of_the_muscles_in_time(packet: int) -> None:
    time = np.arange(4000) / RATE_HZ
    burst = np.where((time > 2.0) & (time < 3.0), 1.0, 0.1)
    signal = 5.0 + burst * np.sin(2 * np.pi * 80.0 * time)  # with an offset, as amplifiers have
    level = EmgLevel(["soleus_left", "soleus_right"], ["noise", "right soleus"])
    found = []
    for first in range(0, len(time), packet):
        data = np.stack([time, signal], axis=1)[first : first + packet]
        found += level.take(round(first / RATE_HZ * SECOND), RATE_HZ, data, False)
    instants = np.array([instant for instant, _ in found]) / SECOND
    values = np.array([value for _, value in found])
    assert np.isnan(values[:, 0]).all()  # not measured
    assert np.interp([1.5, 2.5, 3.5], instants, values[:, 1]) == pytest.approx([0.064, 0.637, 0.064], rel=0.1)
    assert np.interp([1.95, 3.05], instants, values[:, 1]) == pytest.approx([0.2, 0.2], abs=0.12)
    assert (np.diff(instants) > 0).all()


def test_envelopes_are_taken_as_they_are() -> None:
    level = EmgLevel(["a"], ["a"])
    (_, value), *_ = level.take(0, 10.0, np.array([[-1.0], [3.0]]), True)
    assert value == [-1.0]
