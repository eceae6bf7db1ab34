"""Columns of tables."""

import numpy as np
import pytest

from imu_emg_estimator.datasets.table_columns import usual_rate


def test_usual_rate_of_instants_of_arrival_is_the_streams() -> None:
    """A band sends 50 rows a second, of which a computer stamps most pairs 22 ms apart; one gap does not count."""
    times = np.cumsum(np.tile([0.022, 0.022, 0.022, 0.014], 200))
    assert usual_rate(times) == pytest.approx(50.0, rel=0.005)
    times[400:] += 30.0
    assert usual_rate(times) == pytest.approx(50.0, rel=0.005)
    assert usual_rate(np.array([0.0, 4.0])) == 0.25
