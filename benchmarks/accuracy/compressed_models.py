"""Compressed forms of this package's model: an ensemble distilled into one network, and int8 weights.

All are plain GEGLU-Transformers once they are trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from benchmarks.accuracy.int8_weights import quantised
from benchmarks.accuracy.models import (
    BenchmarkModel,
    Budget,
    Fitted,
    FittedNetwork,
    Settings,
    fit_network,
    recipe_of,
)
from imu_emg_estimator.model.causal_network import Estimator
from imu_emg_estimator.model.subject_data import trusted_subjects
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.training.distillation import distil

TEACHER = "geglu_transformer"
TEACHERS = 3
SMALL: Mapping[str, Any] = {"width": 32, "layers": 2, "feedforward": 64}


def fit_teachers(
    recordings: Sequence[Recording],
    budget: Budget,
    seed: int,
    settings: Settings | None = None,
) -> list[Estimator]:
    """Train three networks with different seeds; no two ensembles share one."""
    return [
        fit_network(TEACHER, recordings, budget, TEACHERS * seed + number, settings).estimator
        for number in range(TEACHERS)
    ]


def fit_distilled(
    recordings: Sequence[Recording],
    budget: Budget,
    seed: int,
    settings: Settings | None = None,
    shape: Mapping[str, Any] | None = None,
) -> FittedNetwork:
    """Distil an ensemble into one network; costs slightly over four budgets.

    Args:
        settings: of teachers and student alike: ``learning_rate`` and any of ``ModelConfig``.
        shape: of the student, where it differs from the teachers'.
    """
    teachers = fit_teachers(recordings, budget, seed, settings)
    subjects, rig = trusted_subjects(recordings), recordings[0].rig
    recipe, config = recipe_of(budget, rig, seed, settings, **(shape or {}))
    student, normalisation = distil(teachers, list(subjects.values()), rig, config, recipe)
    return FittedNetwork(Estimator(student, normalisation, teachers[0].amplitude))


def _fit_int8(
    recordings: Sequence[Recording],
    budget: Budget,
    seed: int,
    settings: Settings | None = None,
) -> Fitted:
    estimator = fit_network(TEACHER, recordings, budget, seed, settings).estimator
    return FittedNetwork(replace(estimator, network=quantised(estimator.network)), int8=True)


fit_student = partial(fit_distilled, shape=SMALL)

# None has a grid of its own: hyperparameters are those that the GEGLU-Transformer was tuned to.
COMPRESSED: dict[str, BenchmarkModel] = {
    model.name: model
    for model in (
        BenchmarkModel("distilled", "three GEGLU-Transformers distilled into one (4 times the budget)", fit_distilled),
        BenchmarkModel("student", "the three distilled into a quarter of the size (4 times the budget)", fit_student),
        BenchmarkModel("int8", "the GEGLU-Transformer with int8 weights (0.27 of the bytes)", _fit_int8),
    )
}  # fmt: skip
