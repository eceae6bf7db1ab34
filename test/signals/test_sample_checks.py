"""SampleChecks: what the stream of a sensor alone tells."""

from collections.abc import Iterable

import numpy as np
import pytest

from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.sample_checks import Checked, SampleChecker, SampleChecks
from imu_emg_estimator.signals.sensor_verdict import GOOD, Verdict

RATE = 60.0  # Hz
Array = np.ndarray
NAN = float("nan")


def movement(seconds: float, rate: float = RATE, seed: int = 0) -> Array:
    """Samples [samples, 6] of a shank that swings once a second: gravity, swing and noise."""
    time = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * time
    angle = 0.5 * np.sin(phase)
    acceleration = 9.81 * np.stack([np.cos(angle), 0.1 * np.sin(2 * phase), np.sin(angle)], axis=1)
    acceleration += 3.0 * np.stack([np.sin(2 * phase), 0.3 * np.cos(phase), np.cos(3 * phase)], axis=1)
    turning = np.stack([0.1 * np.sin(phase), 0.5 * 2 * np.pi * np.cos(phase), 0.1 * np.cos(phase)], axis=1)
    samples = np.concatenate([acceleration, turning], axis=1)
    return samples + 0.02 * np.random.default_rng(seed).standard_normal(samples.shape)


def run(
    checker: SampleChecker, samples: Array, rate: float = RATE, sequences: Iterable[int] | None = None
) -> list[Checked]:
    """Check samples [samples, 6] one after the other."""
    numbers = sequences or [None] * len(samples)
    return [
        checker.check(round(index * SECOND / rate), tuple(sample), number)
        for index, (sample, number) in enumerate(zip(samples.tolist(), numbers, strict=True))
    ]


def first_masked(checked: list[Checked], rate: float = RATE) -> float:
    """Instant [s] of the first sample whose state is masked; infinity = none."""
    return next((index / rate for index, one in enumerate(checked) if one.state.masked), float("inf"))


@pytest.mark.parametrize("rate", [50.0, 60.0, 100.0, 200.0])
def test_checker_accepts_movement_and_passes_it_on(rate: float) -> None:
    samples = movement(20.0, rate)
    checked = run(SampleChecker(rate), samples, rate)
    assert {one.state for one in checked} == {GOOD}
    np.testing.assert_array_equal([one.sample for one in checked], samples)


@pytest.mark.parametrize("rate", [50.0, 60.0, 100.0, 200.0])
def test_checker_masks_frozen_sensor_within_100_ms(rate: float) -> None:
    samples = movement(6.0, rate)
    begin = round(3.0 * rate)
    samples[begin : begin + round(rate)] = samples[begin - 1]
    checked = run(SampleChecker(rate), samples, rate)
    assert 0.0 < first_masked(checked, rate) - begin / rate <= 0.1
    assert checked[begin + round(0.5 * rate)].state.verdict is Verdict.FROZEN
    assert np.isnan(checked[begin + round(0.5 * rate)].sample).all()
    assert checked[begin + round(1.5 * rate)].state is GOOD


def test_checker_accepts_samples_that_a_driver_sends_four_times() -> None:
    held = np.repeat(movement(10.0, 50.0), 4, axis=0)
    assert {one.state for one in run(SampleChecker(RATE), held, 200.0)} == {GOOD}


def test_checker_judges_used_parts_alone() -> None:
    samples = movement(3.0)
    samples[:, 3:] = 1.0
    samples[100:, 3:] = NAN
    assert {one.state for one in run(SampleChecker(RATE, rate_used=False), samples)} == {GOOD}
    assert run(SampleChecker(RATE), samples)[-1].state.verdict is Verdict.ABSENT


def test_checks_tell_sensors_apart_and_forget_one_or_all() -> None:
    checks = SampleChecks(RATE, np.ones((2, 6), dtype=bool))
    for index, sample in enumerate(movement(1.0).tolist()):
        instant = round(index * SECOND / RATE)
        checks.check(0, instant, tuple(sample))
        checks.check(1, instant, (1.0,) * 6)
    assert [state.verdict for state in checks.states] == [Verdict.OK, Verdict.FROZEN]
    checks.reset(1)
    assert checks.states == (GOOD, GOOD)
