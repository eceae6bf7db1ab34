"""RepeatedSamples: what comes again although time goes on, against a slow obvious model where there is one."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.repeated_samples import (
    ACCELERATION,
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


@pytest.mark.parametrize("rate", [16.0, 30.0, 50.0, 60.0, 190.0, 200.0])
@pytest.mark.parametrize("seed", range(4))
def test_frozen_is_told_as_by_obvious_model(rate: float, seed: int) -> None:
    """Random runs of equal samples: frozen where at least three came again, over at least 60 ms."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(1, 20, 80)
    samples = np.repeat(generator.standard_normal((80, 3)) + 9.81, lengths, axis=0)
    instants = np.round(np.arange(len(samples)) * SECOND / rate)
    first = np.repeat(np.cumsum(lengths) - lengths, lengths)
    repeats = np.arange(len(samples)) - first
    expected = (repeats >= 3) & (instants - instants[first] >= 60_000_000)
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


def test_old_samples_in_another_order_are_told_within_their_first_dozen() -> None:
    samples = swing(600)
    found = run(np.concatenate([samples, samples[:-60:-1]]))
    assert [index - 600 for index, state in enumerate(found) if state][:1] == [12]  # the first repeats the last
    assert found[-1] is not None
    assert found[-1].reason == "sends 58 samples in a row that it sent before"


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


def first_told(samples: Array, part: Part = ACCELERATION) -> tuple[int, Verdict] | None:
    """Index of the first sample, of one every 10 ms, at which something is wrong, and what."""
    found = run(samples, part, rate=100.0)
    return next(((index, state.verdict) for index, state in enumerate(found) if state), None)


def constant_x(value: float, step: float, before: list[float], count: int = 90) -> Array:
    """Samples whose x is constant after what it was before, while y and z move by a step in sum."""
    moving = np.arange(count) * step / 2
    x = np.concatenate([before, np.full(count - len(before), value)])
    return np.stack([x, moving, -moving], axis=1)


@pytest.mark.parametrize(("step", "repeats"), [(1.0, 26), (0.25, 26), (0.125, 49), (0.001, 60)])
def test_axis_is_stuck_after_250_ms_and_6_m_per_s2_of_movement_or_60_repeats(step: float, repeats: int) -> None:
    assert first_told(constant_x(5.0, step, [1.0, 8.0])) == (2 + repeats, Verdict.FROZEN)


@pytest.mark.parametrize(("step", "repeats"), [(3.0, 2), (1.5, 3), (1.0, 4), (0.5, 7)])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_axis_is_cut_off_where_it_stays_at_its_highest_for_3_m_per_s2_of_movement(
    sign: float, step: float, repeats: int
) -> None:
    assert first_told(constant_x(8.0 * sign, step, [5.0 * sign])) == (1 + repeats, Verdict.CLIPPED)


@pytest.mark.parametrize(("others", "clipped"), [(116, False), (117, True)])
def test_axis_is_cut_off_at_the_highest_value_of_two_strides(others: int, clipped: bool) -> None:
    """Of 120 samples: one that was higher, others, and three at the top."""
    before = [1.0, 9.0, *(0.01 * np.arange(others)).tolist()]
    samples = constant_x(8.0, 3.0, before, len(before) + 3)
    assert (first_told(samples) == (len(before) + 2, Verdict.CLIPPED)) is clipped


@pytest.mark.parametrize(
    ("part", "value", "own"),
    [(ACCELERATION, 19.0, False), (ACCELERATION, 19.1, True), (RATE, 4.2, False), (RATE, 4.3, True)],
)
def test_flat_tops_at_97_percent_of_the_smallest_range_are_the_sensors_own(part: Part, value: float, own: bool) -> None:
    assert (first_told(constant_x(value, 3.0, [1.0], 20), part) is None) is own


@pytest.mark.parametrize(("step", "looped"), [(1.0, 5), (0.25, 5), (0.125, 9), (1 / 256, 20)])
def test_loop_is_told_after_5_samples_and_1_m_per_s2_of_movement_or_20_samples(step: float, looped: int) -> None:
    once = np.arange(50)[:, None] * step * np.array([0.5, 0.25, 0.25]) + 9.0
    assert first_told(np.concatenate([once, once])) == (50 + looped, Verdict.FROZEN)  # the very first is not remembered
