"""RepeatedSamples: what comes again although time goes on, against a slow obvious model where there is one."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.repeated_samples import (
    ACCELERATION,
    MIN_FROZEN_NS,
    MIN_REPEATS,
    RATE,
    Part,
    RepeatedSamples,
)
from imu_emg_estimator.signals.sensor_verdict import SensorState, Verdict

Array = NDArray[np.floating]
HZ = 60.0


def run(
    samples: Array, part: Part = ACCELERATION, highest: float | None = None, rate: float = HZ
) -> list[SensorState | None]:
    repeated = RepeatedSamples(part, highest)
    return [repeated.take(round(i * SECOND / rate), tuple(sample)) for i, sample in enumerate(samples.tolist())]


def swing(count: int, seed: int = 0) -> Array:
    """Accelerations [count, 3] with peaks of 20 m/s² in x, in steps of a sensor's resolution."""
    phase = 2 * np.pi * np.arange(count) / HZ
    values = np.stack([9.81 + 10.0 * np.sin(phase), 4.0 * np.cos(phase), 3.0 * np.sin(2 * phase)], axis=1)
    return np.round((values + 0.05 * np.random.default_rng(seed).standard_normal((count, 3))) * 2048) / 2048


@pytest.mark.parametrize("rate", [30.0, 60.0, 200.0])
@pytest.mark.parametrize("seed", range(4))
def test_frozen_is_told_as_by_obvious_model(rate: float, seed: int) -> None:
    """Random runs of equal samples: frozen where at least three came again, over at least 60 ms."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(1, 20, 80)
    samples = np.repeat(generator.standard_normal((80, 3)) + 9.81, lengths, axis=0)
    instants = np.round(np.arange(len(samples)) * SECOND / rate)
    first = np.repeat(np.cumsum(lengths) - lengths, lengths)
    repeats = np.arange(len(samples)) - first
    expected = (repeats >= MIN_REPEATS) & (instants - instants[first] >= MIN_FROZEN_NS)
    found = [bool(state and state.reason.startswith("repeats one")) for state in run(samples, rate=rate)]
    np.testing.assert_array_equal(found, expected)


def test_swing_is_accepted() -> None:
    assert set(run(swing(1200))) == {None}
    assert set(run(swing(1200), RATE)) == {None}


def test_zeros_are_told_at_once_of_acceleration_alone() -> None:
    samples = swing(10)
    samples[4] = 0.0
    found = run(samples)
    assert [bool(state) for state in found] == [index == 4 for index in range(10)]
    assert found[4] is not None
    assert found[4].verdict is Verdict.IMPLAUSIBLE
    assert set(run(samples, RATE)) == {None}


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_stuck_axis_is_told_while_the_others_move(axis: int) -> None:
    samples = swing(240)
    samples[120:, axis] = samples[119, axis]
    found = run(samples)
    assert set(found[:120]) == {None}
    first = next(index for index, state in enumerate(found) if state)
    assert (first - 120) / HZ < 0.6
    last = found[-1]
    assert last is not None
    assert last.verdict is Verdict.FROZEN
    assert f"acceleration in {'xyz'[axis]} stays at" in last.reason


@pytest.mark.parametrize("level", [8.0, 12.0, 16.0])
def test_flat_tops_below_any_range_are_clipped(level: float) -> None:
    found = run(np.clip(swing(300), -level, level))
    assert any(state and state.verdict is Verdict.CLIPPED for state in found)
    assert all(state is None or state.verdict in (Verdict.CLIPPED, Verdict.FROZEN) for state in found)


def test_flat_tops_that_training_showed_are_the_sensors_own() -> None:
    tops = np.clip(swing(300) * 1.05, -19.6, 19.6)
    assert set(run(tops)) == {None}
    assert set(run(tops, highest=19.6)) == {None}
    clipped = run(tops, highest=60.0)
    assert any(state and state.verdict is Verdict.CLIPPED for state in clipped)


def test_flat_tops_are_judged_alike_where_older_samples_are_put_aside() -> None:
    samples = np.clip(swing(1300), -12.0, 12.0)
    found = run(samples)
    begun = [first is None and second is not None for first, second in pairwise(found)]
    assert sum(begun[:650]) == pytest.approx(sum(begun[650:]), abs=1)


@pytest.mark.parametrize("lag", [2, 5, 60, 300])
def test_loop_is_told_within_its_first_samples(lag: int) -> None:
    samples = swing(600)
    samples = np.concatenate([samples, np.resize(samples[-lag:], (180, 3))])
    found = run(samples)
    assert set(found[:600]) == {None}
    first = next(index for index, state in enumerate(found) if state)
    assert 0 < (first - 600) / HZ <= 0.15
    last = found[-1]
    assert last is not None
    assert last.verdict is Verdict.FROZEN
    assert f"its last {lag} samples" in last.reason


@pytest.mark.parametrize("length_s", [10, 15])
@pytest.mark.parametrize("rate", [20.0, HZ, 200.0])
def test_recording_played_again_is_no_loop(length_s: int, rate: float) -> None:
    samples = np.tile(swing(round(length_s * rate)), (2, 1))
    assert set(run(samples, rate=rate)) == {None}


def test_memory_of_samples_is_bounded() -> None:
    repeated = RepeatedSamples(ACCELERATION)
    for index, sample in enumerate(np.random.default_rng(0).standard_normal((10_000, 3)).tolist()):
        repeated.take(index * 10_000_000, tuple(sample))
    assert len(repeated._recent) + len(repeated._older) <= 2 * 500
