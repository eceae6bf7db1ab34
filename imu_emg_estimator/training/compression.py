"""A smaller bundle from a larger one: distilled, rounded if asked, and compared on subjects that neither had seen."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.causal_network import Estimator, weights_of
from imu_emg_estimator.model.int8_weights import rounded
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.training.checkpoints import Checkpoint
from imu_emg_estimator.training.fit_conformal_uncertainty import Networks, train_folds
from imu_emg_estimator.training.pretraining import TrainingSettings
from imu_emg_estimator.training.recipe import RECIPE, train_estimator
from imu_emg_estimator.utils.progress import StepProgress

Training = tuple[StepProgress | None, Checkpoint | None]


def retrained_teachers(
    bundle: Bundle, recordings: Sequence[Recording], folds: int, training: Callable[[int], Training]
) -> Networks:
    """Train the bundle's recipe and shape without the subjects of each fold.

    Args:
        training: progress and checkpoint of a fold, by its number from 1.
    """
    own = bundle.training.get("settings", {})
    settings = replace(RECIPE, **{name: own[name] for name in ("steps", "seed") if name in own})
    shape = bundle.config.to_dict()
    overrides = {name: value for name, value in shape.items() if name not in ("inputs", "muscles")}
    numbers = iter(range(1, folds + 1))

    def train(kept: Sequence[Recording]) -> Estimator:
        progress, checkpoint = training(next(numbers))
        return train_estimator(kept, settings, overrides, progress, checkpoint)

    return train_folds(recordings, folds, train) if folds else []


def with_int8_weights(estimator: Estimator) -> Estimator:
    """Round the network's weights to 8 bits."""
    network = copy.deepcopy(estimator.network)
    network.load_state_dict({name: torch.from_numpy(value) for name, value in rounded(weights_of(network)).items()})
    return replace(estimator, network=network)


def small_bundle(bundle: Bundle, student: Estimator, settings: TrainingSettings) -> Bundle:
    """Put a student into its teacher's bundle; what was measured on the teacher's network is dropped."""
    return replace(
        bundle,
        name=f"{bundle.name}_small",
        config=student.network.config,
        weights=weights_of(student.network),
        training={**bundle.training, "distilled_from": bundle.model_id, "distillation": settings.to_dict()},
        scores={},
        uncertainty=None,
        subset_figures=None,
    )


def comparison_of(original: Mapping[str, Any], small: Mapping[str, Any], condition: str) -> dict[str, dict[str, Any]]:
    """Compare r in a condition on the subjects that both were scored on, see ``evaluation.summarise``.

    Returns:
        By seconds of calibration: mean r of the ``original`` and the ``small`` one, their ``difference``, and the
        difference of each of the ``subjects``.
    """
    result: dict[str, dict[str, Any]] = {}
    for seconds in next(iter(small.values()), {}):
        pairs = {
            subject: tuple(own[subject][seconds][condition]["mean"]["r"] for own in (original, small))
            for subject in small
            if condition in small[subject][seconds]
        }
        before, after = map(float, np.mean(list(pairs.values()), axis=0)) if pairs else (np.nan, np.nan)
        differences = {subject: late - early for subject, (early, late) in pairs.items()}
        row = {"original": before, "small": after, "difference": after - before, "subjects": differences}
        result |= {seconds: row} if pairs else {}
    return result
