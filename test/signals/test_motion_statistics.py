"""Slow statistics of motion: what they say of mounting and movement, live as offline, through missing sensors."""

import numpy as np
import pytest
from numpy.typing import NDArray

from imu_emg_estimator.signals.motion_statistics import (
    MotionStatistics,
    RunningMotion,
    motion_moments,
    motion_statistics,
)

GRAVITY_MPS2 = 9.81
WINDOW_S = 2.0

RATE, SENSORS = 50.0, 3
Array = NDArray[np.floating]


@pytest.fixture
def imu() -> Array:
    """Ten seconds: sensors 0 and 1 shake along x together, 2 against them along y too; z is up."""
    generator = np.random.default_rng(0)
    imu = 0.01 * generator.standard_normal((500, SENSORS, 6))
    shake = 3.0 * np.sin(2 * np.pi * 2.0 * np.arange(500) / RATE)
    imu[:, :, 2] += GRAVITY_MPS2
    imu[:, :, 0] += shake[:, None] * np.array([1.0, 1.0, -1.0])
    imu[:, 2, 1] += shake
    return imu


def named(statistics: Array) -> tuple[Array, Array, Array]:
    """Means [3, 3], deviations [3, 3], and all correlations of a row."""
    return statistics[:9].reshape(3, 3), np.exp(statistics[9:18]).reshape(3, 3), statistics[18:]


def test_motion_statistics_hold_gravity_and_correlations(imu: Array) -> None:
    statistics, available = motion_statistics(imu, RATE)
    mean, deviation, correlation = named(statistics[-1])
    np.testing.assert_allclose(mean[:, 2], 1.0, atol=0.01)
    np.testing.assert_allclose(mean[:, :2], 0.0, atol=0.05)
    np.testing.assert_allclose(deviation[:, 0], 3.0 / GRAVITY_MPS2 / np.sqrt(2), rtol=0.1)
    assert deviation[:, 2].max() < 0.03
    owners = MotionStatistics(SENSORS).owners[18:]
    within, across = correlation[:9], correlation[9:]
    assert (owners[:9, 0] == owners[:9, 1]).all()
    assert (owners[9:, 0] != owners[9:, 1]).all()
    assert np.sort(within)[0] == pytest.approx(-1.0, abs=0.05)  # x and y of sensor 2
    assert sorted(across.round()) == [-1, -1, 0, 0, 0, 0, 0, 0, 1]  # x of 0 and 1 together, of 2 against both
    assert available[-1].all()


def test_running_motion_equals_offline_with_missing_sensors(imu: Array) -> None:
    imu[100:200, 1, :3] = np.nan
    imu[150:152] = np.inf
    imu[:, 2, 3:] = np.nan  # gyroscopes take no part
    running = RunningMotion(SENSORS, RATE)
    expected, available = motion_statistics(imu, RATE)
    for index, row in enumerate(imu):
        running.step(row)
        statistics, now = running.describe()
        np.testing.assert_allclose(statistics, expected[index], rtol=0, atol=1e-9)
        np.testing.assert_array_equal(now, available[index])


def test_motion_statistics_need_filled_window(imu: Array) -> None:
    imu[250:, 1] = np.nan
    _, available = motion_statistics(imu, RATE)
    window = round(WINDOW_S * RATE)
    first, last = np.flatnonzero(available[:, 1])[[0, -1]]
    assert 0.5 * window < first < 1.5 * window
    assert 250 < last < 250 + window
    assert available[first:, [0, 2]].all()


def test_motion_statistics_tolerate_short_gap(imu: Array) -> None:
    whole, _ = motion_statistics(imu, RATE)
    imu[450:455, 0] = np.nan
    gap, _ = motion_statistics(imu, RATE)
    assert np.abs(gap[-1] - whole[-1]).max() < 0.1


def test_running_motion_reset_clears_state(imu: Array) -> None:
    running = RunningMotion(SENSORS, RATE)
    for row in imu:
        running.step(row)
    running.reset()
    assert not running.describe()[1].any()


@pytest.mark.parametrize("value", [1e200, 1e30, 1e6, np.inf, -np.inf, np.nan, -1e308])
def test_running_motion_never_takes_in_an_absurd_sample(imu: Array, value: float) -> None:
    running, expected = RunningMotion(SENSORS, RATE), RunningMotion(SENSORS, RATE)
    for index, row in enumerate(imu):
        masked, absurd = row.copy(), row.copy()
        if index == 300:
            masked[1, :3], absurd[1, 0] = np.nan, value
        running.step(absurd)
        expected.step(masked)
        if index >= 300 and index % 10 == 0:
            np.testing.assert_array_equal(running.describe()[0], expected.describe()[0])
            np.testing.assert_array_equal(running.describe()[1], expected.describe()[1])


def test_correlations_are_of_the_time_that_both_sensors_were_there(imu: Array) -> None:
    """A sensor that was away while gravity lay otherwise in the others' axes is not unlike them when it is back."""
    imu[:, :, 1] += np.where(np.arange(500) < 250, -3.0, 3.0)[:, None]
    away = imu.copy()
    away[:250, 1] = np.nan
    statistics, available = motion_statistics(away, RATE)
    both = slice(250 + round(1.0 * RATE * WINDOW_S), 500)
    assert available[both].all()
    owners = MotionStatistics(SENSORS).owners
    across = (owners[:, 0] != owners[:, 1]) & (owners == 1).any(axis=1)
    expected, _ = motion_statistics(imu[250:], RATE)
    found = statistics[both][:, across]
    np.testing.assert_allclose(found[-1], expected[-1][across], atol=0.15)
    covariance = MotionStatistics(SENSORS).covariance(motion_moments(away, RATE)[both.start])
    np.testing.assert_allclose(covariance, covariance.T)
    assert abs(covariance[0, 3] - covariance[3, 3]) < 0.02  # x of sensors 0 and 1 shake together


@pytest.mark.parametrize("rate", [25.0, 58.8, 100.0])
def test_sensor_is_known_from_six_tenths_of_a_window_of_two_seconds(rate: float) -> None:
    """The weight of n rows is 1 - (1 - 1 / (2 rate))^n."""
    running, rows = RunningMotion(1, rate), 0
    while not running.describe()[1].all():
        running.step(np.array([[0.0, 0.0, GRAVITY_MPS2, 0.0, 0.0, 0.0]]))
        rows += 1
    assert rows == int(np.ceil(np.log(0.4) / np.log(1.0 - 1.0 / (2.0 * rate))))


def test_what_does_not_move_has_the_deviation_of_noise_and_no_direction() -> None:
    still = np.tile([0.0, 0.0, GRAVITY_MPS2, 0.0, 0.0, 0.0], (500, SENSORS, 1))
    means, deviations, correlations = named(motion_statistics(still, RATE)[0][-1])
    np.testing.assert_allclose(means, [[0.0, 0.0, 1.0]] * 3, atol=1e-9)
    np.testing.assert_allclose(deviations, np.sqrt(5e-4), rtol=1e-6)
    np.testing.assert_allclose(correlations, 0.0, atol=1e-6)
    covariance = MotionStatistics(SENSORS).covariance(motion_moments(still, RATE)[-1])
    np.testing.assert_allclose(covariance, 5e-4 * np.eye(9), atol=1e-9)


@pytest.mark.parametrize(("gravities", "known"), [(99.9, True), (100.1, False)])
def test_acceleration_beyond_100_g_is_none(gravities: float, known: bool) -> None:
    rows = np.tile([0.0, 0.0, gravities * GRAVITY_MPS2, 0.0, 0.0, 0.0], (500, 1, 1))
    for sign in (1.0, -1.0):
        assert motion_statistics(sign * rows, RATE)[1][-1].all() == known


def test_statistics_are_in_standard_gravities() -> None:
    resting = np.tile([0.0, 0.0, 9.81, 0.0, 0.0, 0.0], (300, SENSORS, 1))
    statistics, _ = motion_statistics(resting, RATE)
    np.testing.assert_allclose(
        statistics[-1, : 3 * SENSORS].reshape(SENSORS, 3), [[0.0, 0.0, 1.0]] * SENSORS, atol=1e-6
    )
