"""AlternatingParts, by itself and in the grid: acceleration and angular rate that come in turns."""

import numpy as np
import pytest
from numpy.typing import NDArray

from imu_emg_estimator.signals.alternating_parts import AlternatingParts
from imu_emg_estimator.signals.grid_alignment import SECOND, GridAligner

RATE = 58.8  # Hz
SENSORS = 3
START = 1_700_000_000 * SECOND
GAP = SECOND // 10


def grid_timestamp(index: int) -> int:
    return START + round(index * SECOND / RATE)


def value(sensor: int, timestamp: int) -> NDArray[np.float64]:
    """A signal that is linear in time, so that interpolating it is exact."""
    return (timestamp - START) / SECOND * np.arange(1.0, 7.0) + 10.0 * sensor


def alone(timestamp: int, part: int) -> list[float]:
    """A sample that has one part alone."""
    sample = value(0, timestamp)
    sample[3 - 3 * part : 6 - 3 * part] = np.nan
    return sample.tolist()


def test_parts_that_are_missing_for_good_are_passed_on_at_once() -> None:
    parts = AlternatingParts(GAP)
    for k in range(50):
        ((timestamp, sample),) = parts.take(grid_timestamp(k), alone(grid_timestamp(k), 1))
        assert timestamp == grid_timestamp(k)
        np.testing.assert_array_equal(sample, alone(timestamp, 1))


def test_parts_at_different_rates_are_joined() -> None:
    """Two rates for each acceleration."""
    parts, ready = AlternatingParts(GAP), []
    for k in range(60):
        ready += parts.take(grid_timestamp(k), alone(grid_timestamp(k), int(k % 3 > 0)))
    assert [timestamp for timestamp, _ in ready] == [grid_timestamp(k) for k in range(len(ready))]
    assert len(ready) >= 56
    for timestamp, sample in ready[20:]:
        np.testing.assert_allclose(sample, value(0, timestamp), atol=1e-9)


def test_parts_are_joined_where_every_other_message_has_nothing() -> None:
    parts, ready = AlternatingParts(GAP), []
    for k in range(40):
        sample = value(0, grid_timestamp(k)) * (1.0 if k % 2 else np.nan)
        ready += parts.take(grid_timestamp(k), sample.tolist())
    for timestamp, sample in ready[8:]:
        np.testing.assert_allclose(sample, value(0, timestamp), atol=1e-9)


def test_parts_that_are_missing_now_and_then_are_not_waited_for() -> None:
    parts = AlternatingParts(GAP)
    for k in range(300):
        timestamp = grid_timestamp(k)
        sample = alone(timestamp, 1) if k % 20 == 7 else value(0, timestamp).tolist()
        assert [instant for instant, _ in parts.take(timestamp, sample)] == [timestamp]


def test_parts_wait_no_longer_than_the_gap() -> None:
    parts, ready = AlternatingParts(GAP), []
    for k in range(20):
        ready += parts.take(grid_timestamp(k), alone(grid_timestamp(k), k % 2))
    for k in range(20, 40):  # the accelerometer fails
        ready += parts.take(grid_timestamp(k), alone(grid_timestamp(k), 1))
    assert [timestamp for timestamp, _ in ready] == [grid_timestamp(k) for k in range(40)]
    assert np.isnan(ready[-1][1][:3]).all()
    assert np.isfinite(ready[-1][1][3:]).all()


def test_parts_begin_anew_after_a_pause() -> None:
    parts = AlternatingParts(GAP)
    for k in range(20):
        parts.take(grid_timestamp(k), alone(grid_timestamp(k), k % 2))
    later = grid_timestamp(20) + SECOND
    assert [timestamp for timestamp, _ in parts.take(later, alone(later, 0))] == [later]
    whole = value(0, later + 1).tolist()
    assert parts.take(later + 1, whole) == [(later + 1, tuple(whole))]
    for _ in range(30):  # both parts in every message
        later += SECOND // 50
        parts.take(later, value(0, later).tolist())
    assert parts.is_idle


def test_aligner_interpolates_parts_that_come_in_turns() -> None:
    """REP 145 lets a driver send acceleration and angular rate in messages of their own."""
    aligner = GridAligner(SENSORS, RATE)
    rows = []
    for k in range(2 * 120):
        timestamp = START + round(k * SECOND / (2 * RATE))
        for sensor in range(SENSORS):
            sample = value(sensor, timestamp)
            if sensor != 1:
                sample[3 * (k % 2) : 3 * (k % 2) + 3] = np.nan
            rows += aligner.push(sensor, timestamp, sample.tolist())
    assert len(rows) >= 118
    assert sum(np.isnan(row.imu).any() for row in rows[:5]) > 0
    for row in rows[6:]:
        np.testing.assert_allclose(row.imu, [value(sensor, row.timestamp) for sensor in range(SENSORS)], atol=1e-9)


@pytest.mark.parametrize("used", [(True, True), (True, False)], ids=["all", "acceleration"])
def test_aligner_waits_for_nothing_that_is_not_used(used: tuple[bool, bool]) -> None:
    aligner = GridAligner(1, RATE, used=[used])
    last = {True: 0, False: 0}
    for k in range(2 * 60):
        sample = value(0, grid_timestamp(k))
        sample[3 * (k % 2) : 3 * (k % 2) + 3] = np.nan
        rows = aligner.push(0, grid_timestamp(k), sample.tolist())
        last[k % 2 == 0] = len(rows)  # k is odd: it has the acceleration
    assert last == ({True: 1, False: 1} if all(used) else {True: 0, False: 2})


def in_turns(count: int) -> tuple[AlternatingParts, list[bool]]:
    """Return parts after so many messages with acceleration and without in turns, and which were passed on at once."""
    parts = AlternatingParts(GAP, (True, False))
    at_once = [bool(parts.take(grid_timestamp(k), alone(grid_timestamp(k), k % 2))) for k in range(count)]
    return parts, at_once


def test_parts_are_waited_for_after_three_turns() -> None:
    assert in_turns(10)[1] == [True] * 7 + [False, True, False]


@pytest.mark.parametrize(("whole", "waits"), [(20, True), (21, False)])
def test_parts_that_came_in_turns_are_waited_for_until_21_messages_had_all(whole: int, waits: bool) -> None:
    parts, _ = in_turns(41)
    for k in range(41, 41 + whole):
        parts.take(grid_timestamp(k), alone(grid_timestamp(k), 0))
    last = grid_timestamp(41 + whole)
    assert (parts.take(last, alone(last, 1)) == []) is waits
