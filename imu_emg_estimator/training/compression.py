"""A smaller bundle from a larger one: distilled, rounded if asked, and compared on subjects that neither had seen."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.causal_network import Estimator, weights_of
from imu_emg_estimator.model.int8_weights import rounded
from imu_emg_estimator.training.pretraining import TrainingSettings
from imu_emg_estimator.training.recipe import RECIPE


def recipe_of(bundle: Bundle) -> tuple[TrainingSettings, dict[str, Any]]:
    """Return the settings and the shape with which ``recipe.train_estimator`` trains such a network anew."""
    own = bundle.training.get("settings", {})
    settings = replace(RECIPE, **{name: own[name] for name in ("steps", "seed") if name in own})
    shape = bundle.config.to_dict()
    return settings, {name: value for name, value in shape.items() if name not in ("inputs", "muscles")}


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
