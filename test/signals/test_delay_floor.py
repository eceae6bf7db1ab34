"""DelayFloor: a line below the smallest delays, as the best of all such lines is."""

import numpy as np
import pytest
from numpy.typing import NDArray

from imu_emg_estimator.signals.delay_floor import DelayFloor
from imu_emg_estimator.signals.grid_alignment import SECOND

BLOCK_NS = SECOND // 4
MAX_SLOPE = 0.012


def best_line(times: NDArray[np.int64], delays: NDArray[np.int64]) -> tuple[float, float]:
    """Slope and level at the last point of the line below all points that lies closest to them: tries all pairs."""
    x, y = (times - times[-1]).astype(float), (delays - delays[-1]).astype(float)
    lines = [(0.0, y.min())]
    for first in range(len(x)):
        for second in range(first + 1, len(x)):
            slope = (y[second] - y[first]) / (x[second] - x[first])
            lines.append((slope, y[first] - slope * x[first]))
    below = [line for line in lines if (line[1] + line[0] * x <= y + 1e-3).all()]
    slope, _ = min(below, key=lambda line: float((y - line[1] - line[0] * x).sum()))
    slope = float(np.clip(slope, -MAX_SLOPE, MAX_SLOPE))
    return slope, float(delays[-1]) + float((y - slope * x).min())


@pytest.mark.parametrize("seed", range(50))
def test_floor_is_the_closest_line_below_all_points(seed: int) -> None:
    rng = np.random.default_rng(seed)
    floor = DelayFloor(MAX_SLOPE)
    blocks = int(rng.integers(4, 40))
    times = 1_700_000_000 * SECOND + np.cumsum(rng.integers(BLOCK_NS // 2, 2 * BLOCK_NS, blocks))
    drift = rng.uniform(-0.02, 0.02)
    delays = np.round(drift * (times - times[0]) + rng.exponential(2e6, blocks) - 4e8).astype(np.int64)
    for time, delay in zip(times.tolist(), delays.tolist(), strict=True):
        floor.add(time, delay)
    slope, level = best_line(times[-16:], delays[-16:])
    assert floor.slope == pytest.approx(slope, abs=1e-9)
    assert floor.at(int(times[-1])) == pytest.approx(level, abs=1000)
    assert floor.at(int(times[-1]) + SECOND) == pytest.approx(level + slope * SECOND, abs=1000)


def test_floor_has_no_slope_before_it_can_be_known() -> None:
    floor = DelayFloor(MAX_SLOPE)
    for block, delay in enumerate((5_000_000, 3_000_000)):
        floor.add(block * BLOCK_NS, delay)
    assert floor.slope == 0.0
    assert floor.at(10 * SECOND) == 3_000_000


@pytest.mark.parametrize(
    ("step", "drift", "expected"), [(0, 0.002, 1), (0, -0.002, -1), (20_000_000, 0.0, 0), (0, 0.0, 0)]
)
def test_floor_tells_drift_from_a_step(step: int, drift: float, expected: int) -> None:
    floor, rng = DelayFloor(MAX_SLOPE), np.random.default_rng(0)
    for block in range(16):
        floor.add(block * BLOCK_NS, round(drift * block * BLOCK_NS + step * (block > 8) + rng.exponential(2e5)))
    change = floor.change()
    assert np.sign(change) * (abs(change) > 3e6) == expected


def test_floor_shifts_with_its_past() -> None:
    floor = DelayFloor(MAX_SLOPE)
    for block in range(20):
        floor.add(block * BLOCK_NS, round(0.001 * block * BLOCK_NS))
    before = floor.at(6 * SECOND)
    floor.shift(-400_000_000)
    assert floor.at(6 * SECOND) == before - 400_000_000
    floor.add(20 * BLOCK_NS, round(0.001 * 20 * BLOCK_NS) - 400_000_000)
    assert floor.at(6 * SECOND) == pytest.approx(before - 400_000_000, abs=1000)


def test_floor_is_lowered_but_never_raised_by_one_delay() -> None:
    floor = DelayFloor(MAX_SLOPE)
    floor.add(0, 5_000_000)
    floor.lower(SECOND, 9_000_000)
    assert floor.at(SECOND) == 5_000_000
    floor.lower(SECOND, 2_000_000)
    assert floor.at(SECOND) == 2_000_000


@pytest.mark.parametrize(("apart_ms", "slope"), [(690, 0.0), (710, 0.005)])
def test_floor_has_a_slope_from_700_ms_on(apart_ms: int, slope: float) -> None:
    floor = DelayFloor(MAX_SLOPE)
    floor.add(0, 0)
    floor.add(apart_ms * 1_000_000, apart_ms * 5_000)
    assert floor.slope == pytest.approx(slope)


def changed(quarters: list[float], blocks: int = 8) -> float:
    """Return the change [ms] of delays [ms] that are these, quarter by quarter."""
    floor = DelayFloor(MAX_SLOPE)
    for block in range(blocks):
        floor.add(block * BLOCK_NS, round(1e6 * quarters[4 * block // blocks]))
    return floor.change() / 1e6


@pytest.mark.parametrize(("second", "change"), [(1.71, 4.0), (1.69, 0.0)])
def test_change_is_steady_where_every_quarter_shows_two_fifths_of_its_share(second: float, change: float) -> None:
    assert changed([0.0, 1.3, second, 3.0]) == pytest.approx(change)


def test_change_needs_eight_blocks() -> None:
    assert (changed([0.0, 1.0, 2.0, 3.0], 7), changed([0.0, 1.0, 2.0, 3.0], 8)) == (0.0, pytest.approx(4.0))
