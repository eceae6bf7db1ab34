"""GridAligner: one row per grid step, whatever the sensors do to their samples."""

from collections.abc import Iterable

import numpy as np
import pytest
from fixtures.reference_aligner import ReferenceAligner
from numpy.typing import NDArray

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.signals.grid_alignment import SECOND, AlignmentSettings, GridAligner, GridRow

RATE = 58.8  # Hz
SENSORS = 3
START = 1_700_000_000 * SECOND
Arrival = tuple[int, int, NDArray[np.float64]]  # sensor, timestamp [ns], sample


def value(sensor: int, timestamp: int) -> NDArray[np.float64]:
    """A signal that is linear in time, so that interpolating it is exact."""
    return (timestamp - START) / SECOND * np.arange(1.0, 7.0) + 10.0 * sensor


def grid_timestamp(index: int, start: int = START) -> int:
    return start + round(index * SECOND / RATE)


def arrivals(steps: range, sensors: Iterable[int] = range(SENSORS), shift: int = 0) -> list[Arrival]:
    """Samples on the grid of all sensors in turn, their timestamps and signals shifted by ``shift``."""
    return [(s, grid_timestamp(k) + shift, value(s, grid_timestamp(k) + shift)) for k in steps for s in sensors]


def push_all(aligner: GridAligner, samples: Iterable[Arrival]) -> list[GridRow]:
    return [row for sample in samples for row in aligner.push(*sample)]


def assert_regular(rows: list[GridRow], start: int = START) -> None:
    """Every step of the grid once, in order, and only the first one marked as a restart."""
    assert [row.timestamp for row in rows] == [grid_timestamp(k, start) for k in range(len(rows))]
    assert [row.restarted for row in rows] == [True] + [False] * (len(rows) - 1)


def expected(row: GridRow) -> NDArray[np.float64]:
    return np.stack([value(sensor, row.timestamp) for sensor in range(SENSORS)])


@pytest.fixture
def aligner() -> GridAligner:
    return GridAligner(SENSORS, RATE)


def test_aligner_passes_grid_samples_once_all_sensors_arrive(aligner: GridAligner) -> None:
    for k in range(100):
        *early, last = arrivals(range(k, k + 1))
        assert push_all(aligner, early) == []
        (row,) = push_all(aligner, [last])
        assert row.timestamp == row.newest == grid_timestamp(k)
        np.testing.assert_array_equal(row.imu, expected(row))
        assert row.restarted == (k == 0)
    assert aligner.late_samples == 0


def test_aligner_interpolates_other_rates_with_jitter(aligner: GridAligner) -> None:
    rng = np.random.default_rng(0)
    samples: list[Arrival] = []
    for sensor, rate in enumerate((100.0, 200.0, 73.0)):
        times = np.arange(0.0, 5.0, 1 / rate)
        times[1:] += rng.uniform(-0.3, 0.3, len(times) - 1) / rate
        samples += [(sensor, START + round(t * SECOND), value(sensor, START + round(t * SECOND))) for t in times]
    rows = push_all(aligner, sorted(samples, key=lambda sample: sample[1]))
    assert len(rows) >= 4.97 * RATE
    assert_regular(rows)
    for row in rows:
        np.testing.assert_allclose(row.imu, expected(row), atol=1e-9)


def test_aligner_ignores_order_and_duplicates(aligner: GridAligner) -> None:
    rng = np.random.default_rng(1)
    samples = [sample for k in range(100) for sample in arrivals(range(k, k + 1)) * 2]
    shuffled = [samples[i] for i in np.argsort(np.arange(len(samples)) + rng.uniform(0, 9, len(samples)))]
    rows = push_all(aligner, shuffled)
    first = rows[0].timestamp
    assert [row.timestamp for row in rows] == [grid_timestamp(k, first) for k in range(len(rows))]
    assert len(rows) >= 95
    for row in rows[2:]:
        np.testing.assert_allclose(row.imu, expected(row), atol=1e-9)
    assert aligner.late_samples >= 290


def test_aligner_masks_dead_sensor(aligner: GridAligner) -> None:
    rows = push_all(aligner, arrivals(range(60)) + arrivals(range(60, 200), sensors=(0, 1)))
    assert_regular(rows)
    assert len(rows) == 200
    for k, row in enumerate(rows):
        assert np.isnan(row.imu[2]).all() == (k >= 60)
        np.testing.assert_allclose(row.imu[:2], expected(row)[:2], atol=1e-9)
    delays = [row.newest - row.timestamp for row in rows]
    assert max(delays) <= 0.05 * SECOND + SECOND / RATE  # the deadline, and at most one step of waiting
    assert delays[-1] == 0  # a sensor that stays silent is not waited for


def test_aligner_masks_sensor_without_samples(aligner: GridAligner) -> None:
    rows = push_all(aligner, arrivals(range(60), sensors=(1, 2)))
    assert_regular(rows)
    assert len(rows) == 60
    assert all(np.isnan(row.imu[0]).all() and np.isfinite(row.imu[1:]).all() for row in rows)


def test_aligner_resumes_returning_sensor(aligner: GridAligner) -> None:
    pause = arrivals(range(60, 120), sensors=(0, 1))
    rows = push_all(aligner, arrivals(range(60)) + pause + arrivals(range(120, 180)))
    assert_regular(rows)
    assert len(rows) >= 179
    assert all(np.isnan(row.imu[2]).all() for row in rows[60:120])
    assert all(np.isfinite(row.imu).all() for row in rows[122:])


def test_aligner_uses_burst_within_deadline(aligner: GridAligner) -> None:
    samples: list[Arrival] = []
    for k in range(0, 100, 2):
        samples += arrivals(range(k, k + 2), sensors=(0, 1)) + arrivals(range(k, k + 2), sensors=(2,))
    rows = push_all(aligner, samples)
    assert len(rows) == 100
    assert all(np.isfinite(row.imu).all() for row in rows)


@pytest.mark.parametrize("all_at_once", [True, False], ids=["all", "one"])
def test_aligner_waits_for_sensor_that_keeps_bursting(aligner: GridAligner, all_at_once: bool) -> None:
    samples = arrivals(range(1))
    for k in range(1, 298, 9):
        group = range(k, k + 9)  # 0.15 s
        if all_at_once:
            samples += [sample for s in range(SENSORS) for sample in arrivals(group, sensors=(s,))]
        else:
            samples += arrivals(group, sensors=(0, 1)) + arrivals(group, sensors=(2,))
    rows = push_all(aligner, samples)
    assert_regular(rows)
    assert len(rows) >= 290
    assert sum(np.isnan(row.imu).any() for row in rows[:60]) > 0  # until it is known to burst
    assert sum(np.isnan(row.imu).any() for row in rows[60:]) == 0


def test_aligner_masks_burst_after_deadline(aligner: GridAligner) -> None:
    samples = arrivals(range(50))
    samples += arrivals(range(50, 60), sensors=(0, 1)) + arrivals(range(50, 60), sensors=(2,))
    rows = push_all(aligner, samples + arrivals(range(60, 100)))
    assert_regular(rows)
    assert len(rows) == 100
    lost = [k for k, row in enumerate(rows) if np.isnan(row.imu[2]).any()]
    assert lost == list(range(50, 50 + len(lost)))
    assert 3 <= len(lost) <= 8
    for row in rows:
        known = np.isfinite(row.imu)
        np.testing.assert_allclose(row.imu[known], expected(row)[known], atol=1e-9)


@pytest.mark.parametrize("ahead", [0.04, 0.2, 0.5, 0.9, 5.0])
def test_aligner_tolerates_one_clock_ahead(aligner: GridAligner, ahead: float) -> None:
    shift = round(ahead * SECOND)
    samples = arrivals(range(20))
    for k in range(20, 150):
        samples += arrivals(range(k, k + 1), sensors=(0,), shift=shift) + arrivals(range(k, k + 1), sensors=(1, 2))
    rows = push_all(aligner, samples)
    assert len(rows) >= 145
    assert all(np.isfinite(row.imu[1:]).all() for row in rows)


@pytest.mark.parametrize("behind", [0.2, 0.9, 5.0])
def test_aligner_masks_one_clock_behind(aligner: GridAligner, behind: float) -> None:
    shift = -round(behind * SECOND)
    samples = arrivals(range(100))
    for k in range(100, 200):
        samples += arrivals(range(k, k + 1), sensors=(0,), shift=shift) + arrivals(range(k, k + 1), sensors=(1, 2))
    rows = push_all(aligner, samples)
    assert_regular(rows)
    assert len(rows) >= 195
    assert all(np.isfinite(row.imu[1:]).all() for row in rows)
    assert all(row.newest - row.timestamp <= 0.3 * SECOND for row in rows)


@pytest.mark.parametrize("shift", [-5 * SECOND, 5 * SECOND])
def test_aligner_leaves_out_jumping_sensor_of_two(shift: int) -> None:
    samples = arrivals(range(100), sensors=(0, 1))
    for k in range(100, 200):
        samples += arrivals(range(k, k + 1), sensors=(0,), shift=shift) + arrivals(range(k, k + 1), sensors=(1,))
    rows = push_all(GridAligner(2, RATE), samples)
    assert_regular(rows)
    assert len(rows) == 200
    assert all(np.isfinite(row.imu[1]).all() for row in rows)


@pytest.mark.parametrize("jump", [-60.0, -1.5, 1.5, 3600.0, 4e8])
def test_aligner_restarts_once_when_all_clocks_jump(aligner: GridAligner, jump: float) -> None:
    shift = round(jump * SECOND)
    before = push_all(aligner, arrivals(range(100)))
    after = push_all(aligner, arrivals(range(100, 200), shift=shift))
    assert_regular(before)
    assert_regular(after, start=after[0].timestamp)
    assert abs(after[0].timestamp - grid_timestamp(100) - shift) <= 2 * SECOND / RATE
    assert len(after) >= 98
    for row in after[2:]:
        np.testing.assert_allclose(row.imu, expected(row), rtol=1e-12, atol=1e-6)


def test_aligner_restarts_at_every_loop_of_a_bag(aligner: GridAligner) -> None:
    rows = push_all(aligner, [sample for _ in range(4) for sample in arrivals(range(120))])
    assert sum(row.restarted for row in rows) == 4
    assert len(rows) >= 4 * 118


def test_aligner_follows_new_clock_of_remaining_sensors(aligner: GridAligner) -> None:
    """A hub that restarts: its clock begins anew, and only one sensor comes back."""
    push_all(aligner, arrivals(range(100)))
    rows = push_all(aligner, arrivals(range(100), sensors=(1,), shift=-500 * SECOND))
    assert rows
    assert rows[0].restarted
    assert rows[-1].timestamp >= grid_timestamp(98) - 500 * SECOND - 1
    assert np.isfinite(rows[-1].imu[1]).all()


def test_aligner_keeps_masked_parts_masked(aligner: GridAligner) -> None:
    samples = arrivals(range(50))
    for sensor, _, sample in samples:
        if sensor == 1:
            sample[3:] = np.nan
    for row in push_all(aligner, samples):
        assert np.isnan(row.imu[1, 3:]).all()
        assert np.isfinite(row.imu[1, :3]).all()
        assert np.isfinite(row.imu[[0, 2]]).all()


def test_aligner_masks_gaps_beyond_limit() -> None:
    aligner = GridAligner(1, RATE, AlignmentSettings(largest_gap=0.1))
    rows = push_all(aligner, arrivals(range(50), sensors=(0,)) + arrivals(range(60, 100), sensors=(0,)))
    assert_regular(rows)
    assert [k for k, row in enumerate(rows) if np.isnan(row.imu).any()] == list(range(50, 60))


def test_aligner_reset_clears_state(aligner: GridAligner) -> None:
    push_all(aligner, arrivals(range(50)))
    aligner.reset()
    rows = push_all(aligner, arrivals(range(70, 80)))
    assert_regular(rows, start=grid_timestamp(70))


# whatever comes


def disorder(generator: np.random.Generator, sensors: int) -> list[Arrival]:
    """Some seconds in which everything goes wrong that can: in order of arrival."""
    received = []
    for sensor in range(sensors):
        rate = generator.choice([25.0, RATE, 100.0, 200.0])
        times = np.arange(0.0, 3.0, 1 / rate) + generator.uniform(0, 0.02)
        times += generator.uniform(-0.6, 0.6, len(times)) / rate * (generator.random() < 0.5)
        timestamps = START + np.round(times * SECOND).astype(np.int64)
        delays = 0.01 * generator.exponential(size=len(times)) * (generator.random() < 0.5)
        for fault in generator.choice(
            ["none", "dies", "pauses", "leaps", "stutters", "freezes"], generator.integers(3)
        ):
            from_, to = np.sort(generator.uniform(0, 3.5, 2))
            within = (times > from_) & (times < to)
            if fault == "dies":
                times[within] = np.nan
            elif fault == "pauses":  # and sends it all at once
                delays = np.where(within, to - times, delays)
            elif fault == "leaps":
                timestamps[times > from_] += round(generator.choice([-9.0, -0.9, -0.2, 0.03, 0.3, 0.9, 9.0]) * SECOND)
            elif fault == "stutters":
                timestamps[within] = np.repeat(timestamps[within][::2], 2)[: within.sum()]
            elif fault == "freezes":
                timestamps[within] = timestamps[0]
        samples = np.round(generator.standard_normal((len(times), 6)), 2)
        fails, returns = np.sort(generator.integers(0, 2 * len(times), 2))
        samples[fails:returns, :3] = np.nan
        received += [
            (time + delay, sensor, int(timestamp), sample)
            for time, delay, timestamp, sample in zip(times, delays, timestamps, samples, strict=True)
            if np.isfinite(time) and generator.random() > 0.02
        ]
    received.sort(key=lambda entry: entry[0])
    arrived = [entry[1:] for entry in received]
    if generator.random() < 0.3:  # all clocks together
        cut, leap = generator.integers(len(arrived)), round(generator.choice([-20.0, -1.5, 2.0, 50.0]) * SECOND)
        arrived[cut:] = [(sensor, timestamp + leap, sample) for sensor, timestamp, sample in arrived[cut:]]
    return arrived


@pytest.mark.parametrize("seconds", [-0.1, float("nan"), 1.1e6, 1e308])
@pytest.mark.parametrize("name", ["largest_gap", "deadline", "timeout", "jump"])
def test_alignment_settings_refuse_value_out_of_bounds(name: str, seconds: float) -> None:
    with pytest.raises(InputError, match=f"alignment setting '{name}' is .* s; choose a value from 0 to 1e\\+06 s"):
        AlignmentSettings(**{name: seconds})


@pytest.mark.parametrize("seed", range(30))
def test_aligner_equals_reference_implementation(seed: int) -> None:
    generator = np.random.default_rng(seed)
    sensors = int(generator.integers(1, 7))
    settings = AlignmentSettings(
        largest_gap=float(generator.choice([0.03, 0.1])),
        deadline=float(generator.choice([0.0, 0.05, 0.3])),
        timeout=float(generator.choice([0.05, 0.25])),
    )
    aligner, reference = GridAligner(sensors, RATE, settings), ReferenceAligner(sensors, RATE, settings)
    count = 0
    for sensor, timestamp, sample in disorder(generator, sensors):
        rows, expected_rows = (
            aligner.push(sensor, timestamp, sample.tolist()),
            reference.push(sensor, timestamp, sample),
        )
        assert [(r.timestamp, r.newest, r.restarted) for r in rows] == [
            (r.timestamp, r.newest, r.restarted) for r in expected_rows
        ]
        for row, expected_row in zip(rows, expected_rows, strict=True):
            np.testing.assert_array_equal(row.imu, expected_row.imu)
        assert aligner.late_samples == reference.late
        count += len(rows)
    assert count > 0


@pytest.mark.parametrize("seed", range(6))
def test_aligner_equals_plain_interpolation(seed: int) -> None:
    """Samples in order, with jitter and losses, late by less than the deadline: a row is what lies around it."""
    generator = np.random.default_rng(seed)
    known: list[tuple[NDArray[np.int64], NDArray[np.float64]]] = []
    received: list[tuple[float, Arrival]] = []
    for sensor in range(SENSORS):
        rate = generator.choice([100.0, 150.0, 250.0])
        times = np.arange(0.0, 3.0, 1 / rate)
        times[1:] += generator.uniform(-0.4, 0.4, len(times) - 1) / rate
        times = times[(generator.random(len(times)) > 0.1) | (times < 0.05)]
        timestamps = START + np.round(times * SECOND).astype(np.int64)
        values = generator.standard_normal((len(times), 6))
        known.append((timestamps, values))
        delay = generator.uniform(0.0, 0.015)
        entries = zip(times + delay, timestamps.tolist(), values, strict=True)
        received += [(time, (sensor, timestamp, sample)) for time, timestamp, sample in entries]
    rows = push_all(GridAligner(SENSORS, RATE), [entry for _, entry in sorted(received, key=lambda entry: entry[0])])
    assert len(rows) > 2.8 * RATE
    for row in rows:
        for sensor, (timestamps, values) in enumerate(known):
            after = int(np.searchsorted(timestamps, row.timestamp))
            around = timestamps[max(after - 1, 0) : after + 1]
            inside = len(around) == 2 and (around[1] - around[0] <= SECOND // 10 or row.timestamp in around)
            expected_sample = [
                np.interp(row.timestamp - START, timestamps - START, column)
                if inside or row.timestamp in around
                else np.nan
                for column in values.T
            ]
            np.testing.assert_allclose(row.imu[sensor], expected_sample, atol=1e-9)


@pytest.mark.parametrize(("apart_ms", "is_bridged"), [(99, True), (101, False)])
def test_aligner_interpolates_over_100_ms_by_default(apart_ms: int, is_bridged: bool) -> None:
    aligner = GridAligner(1, RATE)
    aligner.push(0, START, value(0, START).tolist())
    rows = aligner.push(0, START + apart_ms * SECOND // 1000, value(0, START).tolist())
    assert len(rows) == 5
    assert np.isfinite([row.imu for row in rows]).all() == is_bridged


@pytest.mark.parametrize(("later_ms", "restarts"), [(999, False), (1001, True)])
def test_aligner_begins_anew_after_a_second_by_default(later_ms: int, restarts: bool) -> None:
    aligner = GridAligner(1, RATE)
    aligner.push(0, START, value(0, START).tolist())
    rows = aligner.push(0, START + later_ms * SECOND // 1000, value(0, START).tolist())
    assert rows[0].restarted is restarts
