"""What is left without some sensors: looked up live, by combination."""

from dataclasses import replace

import numpy as np
import pytest
from fixtures.bundle_files import SUBSETS
from fixtures.factories import refusal
from numpy.typing import NDArray

from imu_emg_estimator.model.sensor_subsets import RunningFactor, SensorSubsets, Subset

RELEASE_S = 0.5


def mask(*missing: int) -> NDArray[np.bool_]:
    return np.isin(np.arange(6), missing)


@pytest.mark.parametrize(
    ("missing", "usable"),
    [((), True), ((0,), True), ((5,), False), ((0, 3), False), ((1,), False), (range(6), False)],
    ids=["none", "one", "inaccurate", "interval too narrow", "not measured", "all"],
)
def test_usable_follows_accuracy_and_coverage(missing: tuple[int, ...], usable: bool) -> None:
    assert SUBSETS.usable(mask(*missing)) == usable


def test_factor_is_the_measured_one_or_the_largest() -> None:
    np.testing.assert_allclose(SUBSETS.factor(mask()), [1, 1])
    np.testing.assert_allclose(SUBSETS.factor(mask(0)), [1.25, 1.5])
    np.testing.assert_allclose(SUBSETS.factor(mask(1, 2, 3)), [2.0, 3.0])


def test_nearest_names_measured_combination() -> None:
    assert SUBSETS.measured(mask(0, 1)) is None
    assert SUBSETS.nearest(mask(0, 1)).missing == (0,)
    assert SUBSETS.nearest(mask(0, 3, 4)).missing == (0, 3)
    assert SUBSETS.nearest(mask(3)).missing == (0, 3), "of two that differ in one sensor, the one that misses more"


@pytest.mark.parametrize(
    ("missing", "back"),
    [((), ()), ((0,), ()), ((5,), (5,)), ((0, 3), (3,)), ((1, 2), (1, 2)), (range(6), (1, 2, 3, 4, 5))],
    ids=["none", "one that may be", "inaccurate", "all but one that may be", "not measured", "all"],
)
def test_fewest_sensors_that_are_needed_back(missing: tuple[int, ...], back: tuple[int, ...]) -> None:
    assert SUBSETS.needed_back(mask(*missing)) == back


def test_of_several_that_are_enough_the_best_is_needed_back() -> None:
    rows = tuple(Subset(gone, r, 0.1, (0.8, 0.8), (1.0,)) for gone, r in (((), 0.8), ((0,), 0.70), ((1,), 0.75)))
    assert SensorSubsets(3, rows).needed_back(np.array([True, True, False])) == (0,)
    assert SensorSubsets(3, rows[:1]).needed_back(np.array([False, True, False])) == (1,)


def test_running_factor_rises_at_once_and_falls_slowly() -> None:
    rate = 50.0
    running = RunningFactor(SUBSETS, rate)
    assert running.step(mask()) is None
    np.testing.assert_allclose(running.step(mask(0)), [1.25, 1.5])
    later = [running.step(mask()) for _ in range(round(RELEASE_S * rate))]
    np.testing.assert_allclose(later[-1], 1 + np.array([0.25, 0.5]) / np.e, rtol=1e-5)
    np.testing.assert_allclose(running.step(mask(0)), [1.25, 1.5])
    while (factor := running.step(mask())) is not None:
        assert (factor > 1).all()
    running.step(mask(5))
    running.reset()
    assert running.step(mask()) is None


WHOLE, LACKING = Subset((), 0.8, 0.1, (0.8, 0.8), (1.0, 1.0)), Subset((0, 2), 0.7, 0.1, (0.8, 0.8), (1.0, 1.5))


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ((WHOLE, LACKING), ""),
        ((LACKING,), "each combination once and all of them once"),
        ((WHOLE, LACKING, LACKING), "each combination once and all of them once"),
        ((WHOLE, replace(LACKING, missing=(3,))), "(3,), not some of 0 to 2"),
        ((WHOLE, replace(LACKING, missing=(-1,))), "(-1,), not some of 0 to 2"),
        ((WHOLE, replace(LACKING, missing=(2, 0))), "(2, 0), not some of 0 to 2"),
        ((WHOLE, replace(LACKING, missing=(0, 0))), "(0, 0), not some of 0 to 2"),
        ((WHOLE, replace(LACKING, factor=(1.5,))), "not 2 numbers of at least 1"),
        ((WHOLE, replace(LACKING, factor=(1.0, 0.999))), "not 2 numbers of at least 1"),
        ((WHOLE, replace(LACKING, factor=(1.0, np.inf))), "not 2 numbers of at least 1"),
        ((WHOLE, replace(LACKING, coverage=(0.8,))), "a figure that is not a finite number"),
        ((WHOLE, replace(LACKING, coverage=(0.8, np.nan))), "a figure that is not a finite number"),
        ((WHOLE, replace(LACKING, r=np.nan)), "a figure that is not a finite number"),
        ((WHOLE, replace(LACKING, spread=np.inf)), "a figure that is not a finite number"),
    ],
)
def test_figures_are_checked_one_by_one(rows: tuple[Subset, ...], words: str) -> None:
    if not words:
        SensorSubsets(3, rows).check(3, 2)
        with refusal("not of 4 sensors"):
            SensorSubsets(3, rows).check(4, 2)
        return
    with refusal(words):
        SensorSubsets(3, rows).check(3, 2)


@pytest.mark.parametrize(("r", "coverage", "meets"), [(0.681, 0.8, True), (0.679, 0.8, False), (0.8, 0.749, False)])
def test_minimum_is_85_percent_of_the_accuracy_and_coverage_of_75_percent(
    r: float, coverage: float, meets: bool
) -> None:
    row = replace(LACKING, r=r, coverage=(0.5, coverage))
    assert SensorSubsets(3, (WHOLE, row)).meets_minimum(row) == meets
