"""Units of IMU data are told by the size of gravity, and of the fastest turns."""

import numpy as np
import pytest
from numpy.typing import NDArray

from imu_emg_estimator.signals.imu_units import acceleration_unit, rate_unit

GRAVITY_MPS2 = 9.80665


def imu(acceleration: float = GRAVITY_MPS2, rate: float = 1.0) -> NDArray[np.float64]:
    """Samples [1000, 2, 6] with accelerations and angular rates of these lengths, in oblique directions."""
    samples = np.empty((1000, 2, 6))
    samples[..., :3] = acceleration * np.array([0.6, 0.0, -0.8])
    samples[..., 3:] = rate * np.array([0.0, 0.8, 0.6])
    return samples


@pytest.mark.parametrize(
    ("gravities", "unit"),
    [(0.59, None), (0.61, "m/s²"), (1.0, "m/s²"), (1.59, "m/s²"), (1.61, None), (10.0, None)],
)
def test_acceleration_is_in_m_per_s2_from_0_6_to_1_6_gravities(gravities: float, unit: str | None) -> None:
    found = acceleration_unit(imu(gravities * GRAVITY_MPS2))
    assert found == (None if unit is None else (unit, 1.0))


@pytest.mark.parametrize(("length", "known"), [(0.59, False), (0.61, True), (1.59, True), (1.61, False)])
def test_acceleration_is_in_g_from_0_6_to_1_6(length: float, known: bool) -> None:
    assert acceleration_unit(imu(length)) == (("g", GRAVITY_MPS2) if known else None)


def test_unit_of_acceleration_is_told_by_the_median_of_what_is_known() -> None:
    samples = imu()
    samples[:300] *= 5.0
    samples[300:600, 0] = np.nan
    assert acceleration_unit(samples) == ("m/s²", 1.0)
    assert acceleration_unit(samples * np.nan) is None


@pytest.mark.parametrize(("rate", "unit"), [(39.9, "rad/s"), (40.1, "deg/s")])
def test_rate_beyond_40_rad_per_s_is_in_degrees(rate: float, unit: str) -> None:
    name, scale = rate_unit(imu(rate=rate))
    assert name == unit
    assert scale == pytest.approx(1.0 if unit == "rad/s" else 0.0174532925)


@pytest.mark.parametrize(("fast", "unit"), [(9, "rad/s"), (12, "deg/s")])  # of a thousand samples
def test_unit_of_rate_is_told_by_the_fastest_hundredth_of_the_fastest_sensor(fast: int, unit: str) -> None:
    samples = imu()
    samples[:fast, 1, 3:] *= 100.0
    assert rate_unit(samples)[0] == unit
    samples[:, 0, 3] = np.nan
    assert rate_unit(samples)[0] == unit
    assert rate_unit(samples * np.nan)[0] == "rad/s"
