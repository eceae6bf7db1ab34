"""StepComparison: what a sensor's correlations with the others deviate by, and all else."""

import numpy as np
import pytest

from imu_emg_estimator.model.motion_distribution import Distribution
from imu_emg_estimator.model.out_of_step import OutOfStep, StepComparison
from imu_emg_estimator.signals.motion_statistics import MotionStatistics

STATISTICS = MotionStatistics(4)
OWNERS = STATISTICS.owners
ACROSS = OWNERS[:, 0] != OWNERS[:, 1]


def distribution(centres: int = 1) -> Distribution:
    size = len(STATISTICS)
    means = np.random.default_rng(0).standard_normal((centres, size))
    return Distribution("random", ("walking", "running")[:centres], 2.0, means, 4.0 * np.eye(size))


@pytest.mark.parametrize("missing", [None, 3])
def test_deviations_are_mean_squares_of_a_sensors_correlations_and_of_the_rest(missing: int | None) -> None:
    available = np.arange(4) != missing
    training = distribution()
    statistics = training.centres[0] + np.random.default_rng(1).standard_normal(len(STATISTICS))
    across, rest, nearest = StepComparison(training, available).deviations(statistics, training.centres)
    squares = ((statistics - training.centres[0]) / 2.0) ** 2
    counts = available[OWNERS].all(axis=1)
    assert nearest == 0
    for sensor in np.flatnonzero(available).tolist():
        own = counts & ACROSS & (sensor == OWNERS).any(axis=1)
        assert across[sensor] == pytest.approx(squares[own].mean())
        assert rest[sensor] == pytest.approx(squares[counts & ~own].mean())


def test_deviations_are_from_the_nearest_centre() -> None:
    training = distribution(2)
    near = training.centres[1] + 0.01
    across, _, nearest = StepComparison(training, np.ones(4, bool)).deviations(near, training.centres)
    assert nearest == 1
    np.testing.assert_allclose(across, (0.01 / 2.0) ** 2)


def test_deviation_of_a_missing_sensor_is_nothing() -> None:
    training = distribution()
    available = np.arange(4) != 2
    across, _, _ = StepComparison(training, available).deviations(training.centres[0] + 1.0, training.centres)
    assert across[2] == pytest.approx(0.0)


def test_out_of_step_says_what_to_do() -> None:
    assert "out of step with the other sensors" in OutOfStep((1,)).fault()
    assert "check the delay" in OutOfStep((1,)).advice()
