"""A gain is called sure where there is more than chance in it, and not where there is not."""

import numpy as np
import pytest
from numpy.typing import NDArray

from imu_emg_estimator.calibration.improvement import gain_in_r, gain_in_r2
from imu_emg_estimator.signals.accuracy_metrics import score

RATE, SECONDS = 50.0, 60.0
Array = NDArray[np.floating]


def smooth(generator: np.random.Generator) -> Array:
    """A minute that changes over half a second, as an envelope does."""
    return np.convolve(generator.standard_normal(round(SECONDS * RATE) + 24), np.ones(25) / 5, mode="valid")


@pytest.fixture(params=range(3))
def generator(request: pytest.FixtureRequest) -> np.random.Generator:
    return np.random.default_rng(request.param)


def test_change_is_that_of_the_scores(generator: np.random.Generator) -> None:
    measured = smooth(generator)
    before, after = measured + smooth(generator), 0.5 * measured + 0.3 * smooth(generator)
    expected = [score(measured, estimate) for estimate in (before, after)]
    assert gain_in_r(measured, before, after, RATE).change == pytest.approx(expected[1].r - expected[0].r)
    assert gain_in_r2(measured, before, after, RATE).change == pytest.approx(expected[1].r2 - expected[0].r2)
    assert gain_in_r(measured, before, after, RATE).blocks == 20


def test_what_is_much_better_is_surely_better(generator: np.random.Generator) -> None:
    measured = smooth(generator)
    before, after = measured + 2.0 * smooth(generator), measured + 0.5 * smooth(generator)
    gain = gain_in_r(measured, before, after, RATE)
    assert gain.sure
    assert gain.low < gain.at_least < gain.change < gain.high
    back = gain_in_r(measured, after, before, RATE)
    assert not back.sure
    assert back.change == pytest.approx(-gain.change)


def test_equally_bad_estimates_are_seldom_told_apart() -> None:
    """The confidence is 95 %: of forty gains that are none, some two are called sure."""
    sure = 0
    for seed in range(40):
        generator = np.random.default_rng(seed)
        measured = smooth(generator)
        before, after = (measured + smooth(generator) for _ in range(2))
        sure += gain_in_r(measured, before, after, RATE).sure
    assert sure <= 5


def test_interval_covers_the_true_gain() -> None:
    """Over a long time the gain is known; of forty minutes, nearly all intervals must hold it."""
    held, changes, intervals = 0, [], []
    for seed in range(40):
        generator = np.random.default_rng(seed)
        measured = smooth(generator)
        gain = gain_in_r(measured, measured + smooth(generator), measured + 0.7 * smooth(generator), RATE)
        changes.append(gain.change)
        intervals.append((gain.low, gain.high))
    held = sum(low <= np.mean(changes) <= high for low, high in intervals)
    assert 34 <= held <= 40


def test_no_unit_and_no_gap_changes_it(generator: np.random.Generator) -> None:
    measured = smooth(generator)
    before, after = measured + smooth(generator), measured + 0.5 * smooth(generator)
    gain = gain_in_r(measured, before, after, RATE)
    tiny = gain_in_r(*(1e-7 * values for values in (measured, before, after)), RATE)
    assert tiny.at_least == pytest.approx(gain.at_least)
    missing = measured.copy()
    missing[::7] = np.nan
    assert gain_in_r(missing, before, after, RATE).change == pytest.approx(gain.change, abs=0.05)


def test_nothing_is_sure_of_nothing() -> None:
    nothing = np.full(100, np.nan)
    assert not gain_in_r(nothing, nothing, nothing, RATE).sure
    constant = np.ones(1000)
    assert gain_in_r(constant, constant, constant, RATE).change == 0.0
    assert not gain_in_r2(constant, constant, 2 * constant, RATE).sure
