"""What becomes of every muscle: heads of single muscles are taken only where the rest of the network is shared."""

from dataclasses import replace

import numpy as np
import pytest
from fixtures.factories import random_bundle
from numpy.typing import NDArray

from imu_emg_estimator.calibration.calibration_decision import HEADS, decide
from imu_emg_estimator.calibration.calibration_report import ADAPTED, KEPT
from imu_emg_estimator.calibration.cross_fitting import CrossFit
from imu_emg_estimator.model.bundle import Bundle

RATE_HZ = 58.8


def better_for_first_muscle() -> CrossFit:
    """Estimates that adapting makes much better for the first muscle, and leaves as they were for the second."""
    generator = np.random.default_rng(3)
    time = np.arange(round(60 * RATE_HZ)) / RATE_HZ
    measured = 40.0 * (1.0 + np.sin(2 * np.pi * np.outer(time, (0.9, 1.1))))

    def noisy(first: float, second: float) -> NDArray[np.float64]:
        return np.asarray(measured + generator.standard_normal(measured.shape) * (first, second))

    before = noisy(60.0, 20.0)
    adapted = before.copy()
    adapted[:, 0] = noisy(5.0, 0.0)[:, 0]
    return CrossFit(measured, before=before, kept=before, scaled=before, adapted={HEADS: adapted})


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


@pytest.mark.parametrize(("worse", "way"), [(1, None), (0, HEADS)], ids=["of the other muscle", "of the adapted one"])
def test_decide_takes_nothing_if_a_muscle_that_was_not_adapted_would_lose_r(worse: int, way: str | None) -> None:
    """A channel that is left out is masked for all muscles, also for those whose heads stay."""
    base, found = random_bundle(), better_for_first_muscle()
    kept = found.kept.copy()
    kept[:, worse] += 20.0 * np.random.default_rng(4).standard_normal(len(kept))
    decided, outcomes = decide(replace(found, kept=kept, scaled=kept), base, base, "count")
    first, second = (outcomes[name] for name in base.rig.muscle_names)
    assert decided == way
    assert second.decision == KEPT
    if way is None:
        assert first.decision == KEPT
        assert (first.after, second.after) == (first.before, second.before)
        assert first.improvement.change > 0.1  # what was given up is told
