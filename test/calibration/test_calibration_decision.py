"""What becomes of every muscle: shape and amplitude are taken as far as the evidence goes, and nothing that costs r."""

from dataclasses import replace

import numpy as np
import pytest
from fixtures.calibration_actions import calibrated
from fixtures.factories import random_bundle
from numpy.typing import NDArray

from imu_emg_estimator.calibration.calibration_decision import (
    AMPLITUDES,
    HEADS,
    WHOLE,
    carries_over,
    compose_bundle,
    decide,
)
from imu_emg_estimator.calibration.calibration_report import ADAPTED, KEPT, SCALED
from imu_emg_estimator.calibration.cross_fitting import CrossFit
from imu_emg_estimator.calibration.shrinkage import Amplitude
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.causal_network import weights_of
from imu_emg_estimator.model.offline_estimate import estimator_of

RATE_HZ = 58.8


def better_for_first_muscle() -> CrossFit:
    """Estimates of the right amplitude that adapting makes better for the first muscle, and leaves for the second."""
    generator = np.random.default_rng(3)
    time = np.arange(round(60 * RATE_HZ)) / RATE_HZ
    measured = 40.0 * (1.0 + np.sin(2 * np.pi * np.outer(time, (0.9, 1.1))))

    def noisy(first: float, second: float) -> NDArray[np.float64]:
        return np.asarray(measured + generator.standard_normal(measured.shape) * (first, second))

    before = noisy(60.0, 20.0)
    before *= (measured * before).sum(axis=0) / (before**2).sum(axis=0)
    adapted = before.copy()
    adapted[:, 0] = noisy(5.0, 0.0)[:, 0]
    return CrossFit(measured, before=before, kept=before, factor=np.ones_like(before), adapted={HEADS: adapted})


def with_changed_weight(bundle: Bundle, head: bool) -> Bundle:
    name = next(name for name in bundle.weights if name.startswith("head.") == head)
    return replace(bundle, weights={**bundle.weights, name: bundle.weights[name] + np.float32(0.1)})


@pytest.mark.parametrize(("running_differs_in_head", "decision"), [(True, ADAPTED), (False, KEPT)])
def test_decide_takes_single_heads_only_for_a_shared_network(running_differs_in_head: bool, decision: str) -> None:
    base = random_bundle()
    running = with_changed_weight(base, head=running_differs_in_head)
    way, outcomes = decide(better_for_first_muscle(), base, running, "count")
    first, second = base.rig.muscle_names
    assert (way, outcomes[first].decision) == (HEADS if decision == ADAPTED else None, decision)
    assert outcomes[second].decision == KEPT


@pytest.mark.parametrize(
    ("worse", "way"), [(1, AMPLITUDES), (0, HEADS)], ids=["of the other muscle", "of the adapted one"]
)
def test_decide_takes_nothing_if_a_muscle_that_was_not_adapted_would_lose_r(worse: int, way: str) -> None:
    """A channel that is left out is masked for all muscles, also for those whose heads stay."""
    base, found = random_bundle(), better_for_first_muscle()
    kept = found.kept.copy()
    kept[:, worse] += 20.0 * np.random.default_rng(4).standard_normal(len(kept))
    decided, outcomes = decide(replace(found, kept=kept), base, base, "count")
    first, second = (outcomes[name] for name in base.rig.muscle_names)
    assert decided == way
    assert second.decision == KEPT
    if way == AMPLITUDES:
        assert first.decision == KEPT
        assert (first.after, second.after) == (first.before, second.before)
        assert first.improvement.change > 0.1  # what was given up is told


def test_decide_takes_amplitude_though_adapting_would_cost_r_elsewhere() -> None:
    """Nothing of what masks a channel is taken then, but the amplitude of what is seen with it."""
    base, found = random_bundle(), better_for_first_muscle()
    kept = found.kept + 20.0 * np.random.default_rng(4).standard_normal(found.kept.shape)
    before = found.before / (3.0, 1.0)
    way, outcomes = decide(replace(found, before=before, kept=kept), base, base, "count")
    first, second = (outcomes[name] for name in base.rig.muscle_names)
    assert (way, first.decision, second.decision) == (AMPLITUDES, SCALED, KEPT)
    assert first.amplitude is not None
    assert first.amplitude.low < 3.0 < first.amplitude.high
    assert first.after.r == pytest.approx(first.before.r)
    assert first.after.r2 > first.before.r2 + 0.3


def test_decide_takes_amplitude_where_blocks_differ() -> None:
    """Movements in turn, each with an amplitude of its own: r² hardly rises significantly, but the mean is known."""
    base, found = random_bundle(), better_for_first_muscle()
    blocks = np.repeat(np.array([0.5, 1.0, 4.0, 0.8]), len(found.measured) // 4)[:, None]
    before = found.before[: len(blocks)] / (2.5 * blocks)
    parts = {"measured": found.measured[: len(blocks)], "before": before, "kept": before}
    ones = np.ones_like(before)
    way, outcomes = decide(replace(found, **parts, factor=ones, adapted={HEADS: before}), base, base, "count")
    assert way is None
    assert {outcome.decision for outcome in outcomes.values()} == {SCALED}
    assert all(outcome.after.r2 > outcome.before.r2 for outcome in outcomes.values())


def test_decide_takes_less_of_a_shape_the_less_is_known_of_it() -> None:
    base, found = random_bundle(), better_for_first_muscle()
    shares = []
    for seconds in (16, 60):
        short = replace(
            found,
            **{
                name: getattr(found, name)[: round(seconds * RATE_HZ)]
                for name in ("measured", "before", "kept", "factor")
            },
            adapted={HEADS: (0.8 * found.before + 0.2 * found.adapted[HEADS])[: round(seconds * RATE_HZ)]},
        )
        _, outcomes = decide(short, base, base, "count")
        shares.append(outcomes[base.rig.muscle_names[0]].share)
    assert 0.3 < shares[0] < shares[1] < 1.0


def test_decide_takes_one_share_for_all_muscles_that_get_better_and_none_for_the_others() -> None:
    base, found = random_bundle(), better_for_first_muscle()
    generator = np.random.default_rng(5)
    adapted = found.adapted[HEADS].copy()
    adapted[:, 1] = found.measured[:, 1] + 16.0 * generator.standard_normal(len(adapted))
    first, second = base.rig.muscle_names
    _, both = decide(replace(found, adapted={HEADS: adapted}), base, base, "count")
    assert both[first].share == both[second].share > 0.9
    for none in (found.before[:, 1] + 5.0 * generator.standard_normal(len(adapted)), 3.0 * adapted[:, 1]):
        adapted[:, 1] = none  # of lower r, and of higher r but lower R²
        _, one = decide(replace(found, adapted={HEADS: adapted}), base, base, "count")
        assert (one[first].decision, one[second].decision) == (ADAPTED, KEPT)


@pytest.mark.parametrize(
    ("subjects", "recordings", "known"), [(3, 1, False), (7, 3, False), (8, 1, True), (0, 4, True)]
)
def test_a_better_shape_carries_over_from_many_subjects_or_recordings(
    subjects: int, recordings: int, known: bool
) -> None:
    base = replace(random_bundle(), training={"subjects": [str(number) for number in range(subjects)]})
    assert carries_over(base, recordings) == known


@pytest.mark.parametrize("way", [HEADS, WHOLE])
def test_decide_withholds_a_shape_that_may_not_carry_over(way: str) -> None:
    """Of an estimate that follows the EMG already; its amplitude is taken all the same."""
    base, found = random_bundle(), better_for_first_muscle()
    better = {HEADS: found.adapted[HEADS], way: found.measured + np.random.default_rng(6).standard_normal((1, 2))}
    weak = {"before": found.before / 2.5, "kept": found.kept / 2.5, "adapted": better}
    assert decide(replace(found, **weak), base, base, "count")[0] == way
    decided, outcomes = decide(replace(found, **weak), base, base, "count", any_shape=False)
    assert decided is None
    assert {outcome.decision for outcome in outcomes.values()} == {SCALED}
    assert outcomes[base.rig.muscle_names[0]].withheld


@pytest.mark.parametrize("way", [HEADS, WHOLE])
def test_decide_adapts_where_the_shape_is_none(way: str) -> None:
    """An estimate that does not follow the EMG has nothing to lose."""
    base, found = random_bundle(), better_for_first_muscle()
    better = {HEADS: found.before, way: found.measured + np.random.default_rng(7).standard_normal(found.measured.shape)}
    none = {"before": 80.0 - found.before, "kept": 80.0 - found.kept, "adapted": better}
    decided, outcomes = decide(replace(found, **none), base, base, "count", any_shape=False)
    assert decided == way
    assert {outcome.decision for outcome in outcomes.values()} == {ADAPTED}
    assert not any(outcome.withheld for outcome in outcomes.values())


def test_decide_adapts_a_shape_whose_amplitude_differs_between_blocks() -> None:
    """Models that were adapted to other blocks have other amplitudes, which says nothing of their shape."""
    base, found = random_bundle(), better_for_first_muscle()
    factor = np.repeat(np.array([[0.8], [1.1], [1.3], [0.9]]), -(-len(found.kept) // 4), axis=0)[: len(found.kept)]
    uneven = replace(found, factor=factor * np.ones(2), adapted={HEADS: found.adapted[HEADS] * factor})
    muscle = base.rig.muscle_names[0]
    ((_, outcomes), (_, plain)) = (decide(own, base, base, "count") for own in (uneven, found))
    assert outcomes[muscle].decision == ADAPTED
    assert outcomes[muscle].after.r == pytest.approx(plain[muscle].after.r, abs=0.005)
    assert outcomes[muscle].after.r2 < plain[muscle].after.r2 - 0.02


def test_compose_mixes_estimates_by_share() -> None:
    """What a head gives, times the amplitude, is the mean of the scaled and of the adapted estimate."""
    base = random_bundle()
    adapted = replace(estimator_of(with_changed_weight(base, head=True)), amplitude=np.array([7.0, 9.0]))
    _, outcomes = decide(better_for_first_muscle(), base, base, "count")
    first, second = base.rig.muscle_names
    amplitude = Amplitude(factor=2.0, low=1.0, high=4.0, measured=2.5, share=0.8)
    outcomes = {first: replace(outcomes[first], amplitude=amplitude, share=0.25), second: outcomes[second]}
    bundle = compose_bundle(base, base, adapted, HEADS, outcomes, "count")
    taken = weights_of(adapted.network)
    for part in ("head.weight", "head.bias"):
        scaled = 2.0 * base.reference.amplitude[0] * base.weights[part][0]
        mixed = 0.75 * scaled + 0.25 * 7.0 * taken[part][0]
        np.testing.assert_allclose(bundle.reference.amplitude[0] * bundle.weights[part][0], mixed, rtol=1e-5)
        np.testing.assert_array_equal(bundle.weights[part][1], base.weights[part][1])
    np.testing.assert_array_equal(bundle.weights["deviation_head.bias"][0], taken["deviation_head.bias"][0])
    assert bundle.reference.amplitude == (7.0, base.reference.amplitude[1])


@pytest.mark.parametrize(("noise", "is_taken"), [(100.0, True), (250.0, False)], ids=["r of 0.27", "r of 0.11"])
def test_decide_takes_no_network_whose_estimate_hardly_follows_a_muscle(noise: float, is_taken: bool) -> None:
    """Though it follows it significantly better than before, and the other muscle well."""
    base, found, generator = random_bundle(), better_for_first_muscle(), np.random.default_rng(9)
    before, adapted = found.before.copy(), found.measured + generator.standard_normal(found.measured.shape)
    before[:, 0] = found.measured[:, 0] + 3000.0 * generator.standard_normal(len(before))
    adapted[:, 0] += noise * generator.standard_normal(len(before))
    for estimate in (before, adapted):
        estimate *= (found.measured * estimate).sum(axis=0) / (estimate**2).sum(axis=0)
    found = replace(found, before=before, kept=before, adapted={HEADS: before, WHOLE: adapted})
    assert (decide(found, base, base, "count")[0] == WHOLE) == is_taken


def test_decide_scales_no_muscle_whose_estimate_hardly_follows_it() -> None:
    base, found = random_bundle(), better_for_first_muscle()
    generator = np.random.default_rng(10)
    noise = np.abs(found.measured.mean() + 30.0 * generator.standard_normal(found.measured.shape)) / 3.0
    followed = found.before / 3.0
    for before, decision in ((noise, KEPT), (followed, SCALED)):
        _, outcomes = decide(replace(found, before=before, kept=before, adapted={HEADS: before}), base, base, "count")
        assert {outcome.decision for outcome in outcomes.values()} == {decision}


def test_decide_scales_to_another_unit_where_r2_is_above_zero() -> None:
    """Nothing is told of R² before, which would be of volts against counts."""
    base, found = random_bundle(), better_for_first_muscle()
    _, outcomes = decide(
        replace(found, measured=found.measured / 1000.0, adapted={HEADS: found.before}), base, base, "V"
    )
    noisy, good = outcomes.values()
    assert (noisy.decision, good.decision) == (KEPT, SCALED)
    assert good.amplitude is not None
    assert good.amplitude.factor == pytest.approx(0.001, rel=0.01)
    assert good.after.r2 > 0.5
    assert np.isnan(good.before.r2)
    assert good.improvement_r2 is None


@pytest.mark.parametrize(("factor", "is_taken"), [(1.0, True), (1.6, False)], ids=["right amplitude", "too large"])
def test_decide_takes_no_network_that_costs_r2(factor: float, is_taken: bool) -> None:
    base, found = random_bundle(), better_for_first_muscle()
    adapted = factor * (found.measured + 5.0 * np.random.default_rng(11).standard_normal(found.measured.shape))
    before = found.measured + 30.0 * np.random.default_rng(12).standard_normal(found.measured.shape)
    uneven = replace(
        found, before=before, kept=before, factor=factor * found.factor, adapted={HEADS: before, WHOLE: adapted}
    )
    assert (decide(uneven, base, base, "count")[0] == WHOLE) == is_taken


@pytest.mark.parametrize(("too_large", "decision"), [(0.0405, KEPT), (0.0416, SCALED)])
def test_decide_scales_for_half_a_hundredth_of_r2_at_least(too_large: float, decision: str) -> None:
    """The amplitude of a calibrated bundle is the subject's: an exact estimate gains three times the square in R²."""
    base, measured = random_bundle(), better_for_first_muscle().measured
    before = (1.0 + too_large) * measured
    exact = CrossFit(measured, before=before, kept=before, factor=np.ones_like(before), adapted={HEADS: before})
    _, outcomes = decide(exact, base, calibrated(base, "anna-1"), "count")
    assert {outcome.decision for outcome in outcomes.values()} == {decision}
