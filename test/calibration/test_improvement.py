"""An improvement is significant where it is larger than chance explains, and only there."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from imu_emg_estimator.calibration.improvement import Improvement, improvement_in_r, improvement_in_r2
from imu_emg_estimator.signals.accuracy_metrics import score

RATE, SECONDS = 50.0, 60.0
Array = NDArray[np.floating]


def smooth(generator: np.random.Generator) -> Array:
    """A minute that changes over half a second, as an envelope does."""
    return np.convolve(generator.standard_normal(round(SECONDS * RATE) + 24), np.ones(25) / 5, mode="valid")


@pytest.fixture(params=range(3))
def generator(request: pytest.FixtureRequest) -> np.random.Generator:
    return np.random.default_rng(request.param)


def test_improvement_is_difference_of_scores(generator: np.random.Generator) -> None:
    measured = smooth(generator)
    before, after = measured + smooth(generator), 0.5 * measured + 0.3 * smooth(generator)
    expected = [score(measured, estimate) for estimate in (before, after)]
    assert improvement_in_r(measured, before, after, RATE).change == pytest.approx(expected[1].r - expected[0].r)
    assert improvement_in_r2(measured, before, after, RATE).change == pytest.approx(expected[1].r2 - expected[0].r2)
    assert improvement_in_r(measured, before, after, RATE).blocks == 20


def test_large_improvement_is_significant(generator: np.random.Generator) -> None:
    measured = smooth(generator)
    before, after = measured + 2.0 * smooth(generator), measured + 0.5 * smooth(generator)
    improvement = improvement_in_r(measured, before, after, RATE)
    assert improvement.significant
    assert improvement.low < improvement.at_least < improvement.change < improvement.high
    back = improvement_in_r(measured, after, before, RATE)
    assert not back.significant
    assert back.change == pytest.approx(-improvement.change)


def test_chance_is_seldom_significant() -> None:
    """The confidence is 95 %: of forty differences by chance, some two are significant."""
    significant = 0
    for seed in range(40):
        generator = np.random.default_rng(seed)
        measured = smooth(generator)
        before, after = (measured + smooth(generator) for _ in range(2))
        significant += improvement_in_r(measured, before, after, RATE).significant
    assert significant <= 5


def test_interval_covers_true_improvement() -> None:
    """Over a long time the improvement is known; of forty minutes, nearly all intervals must hold it."""
    held, changes, intervals = 0, [], []
    for seed in range(40):
        generator = np.random.default_rng(seed)
        measured = smooth(generator)
        improvement = improvement_in_r(measured, measured + smooth(generator), measured + 0.7 * smooth(generator), RATE)
        changes.append(improvement.change)
        intervals.append((improvement.low, improvement.high))
    held = sum(low <= np.mean(changes) <= high for low, high in intervals)
    assert 34 <= held <= 40


def test_improvement_does_not_depend_on_unit_or_gaps(generator: np.random.Generator) -> None:
    measured = smooth(generator)
    before, after = measured + smooth(generator), measured + 0.5 * smooth(generator)
    improvement = improvement_in_r(measured, before, after, RATE)
    tiny = improvement_in_r(*(1e-7 * values for values in (measured, before, after)), RATE)
    assert tiny.at_least == pytest.approx(improvement.at_least)
    missing = measured.copy()
    missing[::7] = np.nan
    assert improvement_in_r(missing, before, after, RATE).change == pytest.approx(improvement.change, abs=0.05)


def test_improvement_of_nothing_is_not_significant() -> None:
    nothing = np.full(100, np.nan)
    assert not improvement_in_r(nothing, nothing, nothing, RATE).significant
    constant = np.ones(1000)
    assert improvement_in_r(constant, constant, constant, RATE).change == 0.0
    assert not improvement_in_r2(constant, constant, 2 * constant, RATE).significant


@pytest.mark.parametrize(
    ("seconds", "blocks"), [(1.0, 4), (14.9, 4), (15.1, 5), (59.9, 19), (60.1, 20), (600.0, 20)]
)  # of three seconds each
def test_improvement_is_found_on_blocks_of_three_seconds(
    seconds: float, blocks: int, generator: np.random.Generator
) -> None:
    measured, before, after = generator.random((3, round(100 * seconds)))
    assert improvement_in_r(measured, before, after, 100.0).blocks == blocks


@pytest.mark.parametrize(("samples", "blocks"), [(7, 0), (8, 4)])
def test_improvement_needs_two_samples_a_block(samples: int, blocks: int, generator: np.random.Generator) -> None:
    measured, before, after = generator.random((3, samples))
    assert improvement_in_r(measured, before, after, 100.0).blocks == blocks


@pytest.mark.parametrize("figure", [improvement_in_r, improvement_in_r2])
def test_interval_is_that_of_a_jackknife_over_blocks(
    figure: Callable[..., Improvement], generator: np.random.Generator
) -> None:
    """Two sides of 95 % by Student's t with one degree of freedom less than there are blocks, and one side."""
    measured, before, after = generator.random((3, 3000))

    def figure_of(estimate: NDArray[np.float64], kept: NDArray[np.bool_]) -> float:
        truth, guess = measured[kept], estimate[kept]
        if figure is improvement_in_r:
            return float(np.corrcoef(truth, guess)[0, 1])
        return float(1.0 - ((truth - guess) ** 2).sum() / ((truth - truth.mean()) ** 2).sum())

    block = np.arange(3000) // 300
    changes = [figure_of(after, block != left) - figure_of(before, block != left) for left in range(10)]
    everything = np.ones(3000, bool)
    change = figure_of(after, everything) - figure_of(before, everything)
    error = 9 * np.std(changes, ddof=1) / np.sqrt(10)
    found = figure(measured, before, after, 100.0)
    assert found.change == pytest.approx(change)
    assert (found.low, found.high) == pytest.approx((change - 2.2621572 * error, change + 2.2621572 * error))
    assert found.at_least == pytest.approx(change - 1.8331129 * error)


def test_improvement_of_too_few_samples_is_none(generator: np.random.Generator) -> None:
    measured, before, after = generator.random((3, 3))
    assert improvement_in_r(measured, before, after, 100.0) == Improvement(0.0, -np.inf, np.inf, -np.inf, 0)
