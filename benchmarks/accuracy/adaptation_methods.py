"""Methods that adapt a network to a subject, for comparison with the product's own."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

from benchmarks.accuracy.network_adapters import add_film, add_low_rank, biases, fold, norm_parameters
from benchmarks.accuracy.subject_prior import SubjectPrior
from imu_emg_estimator.calibration import adaptation
from imu_emg_estimator.calibration.adaptation import AdaptationSettings
from imu_emg_estimator.calibration.closed_form import blocks_of, fit_head
from imu_emg_estimator.calibration.electrode_check import check_electrodes
from imu_emg_estimator.calibration.request import METHOD
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.causal_network import Estimator, Network, head_weights, set_head_weights
from imu_emg_estimator.model.offline_estimate import estimate_activations
from imu_emg_estimator.model.subject_data import CalibrationData
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.utils.progress import StepProgress

METHODS: dict[str, str] = {
    "none": "nothing is changed",
    "affine": "gain and offset of every muscle",
    "head": "the linear heads, by gradient descent",
    "norms_and_biases": "normalisation layers and all biases",
    "film": "a subject embedding that modulates the normalisation layers",
    "lora": "low-rank changes of all linear layers",
    "all_weights": "every weight",
    "ridge_zero": "the head, in closed form, shrunk towards zero",
    "ridge_head": "the head, in closed form, shrunk towards the pre-trained one",
    "ridge_prior": "the same, in the metric in which the heads of subjects differ from each other",
    "scratch": "every weight, from random ones",
    METHOD: "the product's: every weight after an electrode check, averaged with the closed form; that alone if an "
    "electrode failed; the amplitude alone if the closed form cannot beat the given heads; averaged with the weights "
    "given",
}
MIN_AFFINE_GAIN = 0.05  # an estimate may be reduced, but not inverted

Part = TypeVar("Part")


@dataclass(frozen=True)
class MethodSettings(AdaptationSettings):
    """Settings of any method; ``recommended`` gives the best ones for each.

    Attributes:
        method: one of ``METHODS``.
        rank: of LoRA's changes.
        electrode_check: exchange heads and drop channels as ``check_electrodes`` finds; the product always does.
    """

    method: str = METHOD
    rank: int = 4
    electrode_check: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.method not in METHODS:
            raise InputError(f"adaptation method '{self.method}' is not known; use one of {', '.join(METHODS)}")


RECOMMENDED: dict[str, dict[str, Any]] = {
    "head": {"learning_rate": 5e-3},
    "norms_and_biases": {"learning_rate": 5e-3},
    "film": {"learning_rate": 5e-2, "anchor": 0.0},
    "lora": {"learning_rate": 5e-3, "anchor": 0.0},
    "scratch": {"steps": 150, "anchor": 0.0, "learning_rate": 2e-3},
    "ridge_zero": {"strength": 5.0},
}


def recommended(method: str = METHOD) -> MethodSettings:
    """Return the best settings of a method, found on subjects that it is not reported on."""
    return MethodSettings(method=method, **RECOMMENDED.get(method, {}))


def adapt_estimator(
    estimator: Estimator,
    recordings: Sequence[Recording],
    settings: AdaptationSettings = AdaptationSettings(),
    progress: StepProgress | None = None,
    prior: SubjectPrior | None = None,
) -> Estimator:
    """Adapt any network to one subject by any method; settings without a method are the product's.

    Args:
        recordings: of one subject, with EMG envelopes.
        prior: differences between the training subjects; needed by ``ridge_prior`` and ``film``.

    Returns:
        A new estimator of the same architecture; the given one is unchanged.

    Raises:
        InputError: less than 5 s of trusted EMG, or a method that needs a prior without one.
    """
    if not isinstance(settings, MethodSettings) or settings.method == METHOD:
        return adaptation.adapt_estimator(estimator, recordings, settings, progress)
    if settings.method == "none":
        return estimator
    adapted, data = _started(estimator, recordings, settings)
    _adapt_network(adapted.network, data, settings, prior, progress)
    return adapted


def _started(
    estimator: Estimator, recordings: Sequence[Recording], settings: MethodSettings
) -> tuple[Estimator, CalibrationData]:
    """Copy the estimator, with the subject's amplitudes."""
    if settings.electrode_check:
        check = check_electrodes(estimator, recordings)
        adaptation.require_seconds(check.data)
        return adaptation.start_adaptation(estimator, check), check.data
    data = CalibrationData.of(estimator, recordings, estimate_activations(estimator, recordings))
    adaptation.require_seconds(data)
    amplitude = np.where(np.isfinite(data.amplitude), data.amplitude, estimator.amplitude)
    return replace(estimator, network=copy.deepcopy(estimator.network), amplitude=amplitude), data


def _adapt_network(
    network: Network,
    data: CalibrationData,
    settings: MethodSettings,
    prior: SubjectPrior | None,
    progress: StepProgress | None,
) -> None:
    if settings.method == "affine":
        _fit_affine(network, data)
    elif settings.method == "ridge_head":
        adaptation.fit_heads(network, data, settings.strength)
    elif settings.method == "ridge_zero":
        centre = np.zeros_like(head_weights(network.head))
        _fit_ridge(network, data, settings.strength, centre, np.eye(centre.shape[1]))
    elif settings.method == "ridge_prior":
        precision = _known(None if prior is None else prior.head_precision, settings.method)
        _fit_ridge(network, data, settings.strength, head_weights(network.head), precision)
    else:
        adaptation.imitate_where_unknown(network, data, settings.seed)
        torch.manual_seed(settings.seed)
        adaptation.descend(network, _trained_parameters(network, settings, prior), data, settings, progress)
        fold(network)


def _fit_affine(network: Network, data: CalibrationData) -> None:
    heads = head_weights(network.head)
    for muscle in data.known_muscles():
        known = data.weight[:, muscle] > 0
        tokens, target = data.tokens[known], data.target[known, muscle]
        estimate = tokens @ heads[muscle]
        variance = float(np.var(estimate))
        gain = float(np.cov(estimate, target, bias=True)[0, 1]) / variance if variance > 0 else 1.0
        gain = max(gain, MIN_AFFINE_GAIN)
        offset = float(target.mean() - gain * estimate.mean())
        heads[muscle] = gain * heads[muscle] + np.append(np.zeros(network.config.width), offset)
        error = float(np.mean((tokens @ heads[muscle] - target) ** 2))
        adaptation.rescale_deviation(network, data, muscle, error)
    set_head_weights(network.head, heads)


def _fit_ridge(network: Network, data: CalibrationData, strength: float, centre: Any, precision: Any) -> None:
    """Fit the heads as the product does, shrunk to other ones [muscles, width + 1] or in another metric."""
    heads = head_weights(network.head)
    for muscle in data.known_muscles():
        fit = fit_head(blocks_of(*data.of_muscle(muscle)), centre[muscle], precision, strength)
        heads[muscle] = fit.head
        adaptation.rescale_deviation(network, data, muscle, fit.left_out.error)
    set_head_weights(network.head, heads)


def _trained_parameters(network: Network, settings: MethodSettings, prior: SubjectPrior | None) -> list[nn.Parameter]:
    """Make the network ready for a method; returns what it trains."""
    if settings.method == "head":
        return [*network.head.parameters(), *network.deviation_head.parameters()]
    if settings.method == "norms_and_biases":
        return list({**norm_parameters(network), **biases(network)}.values())
    if settings.method == "lora":
        return add_low_rank(network, settings.rank)
    if settings.method == "film":
        return [add_film(network, _known(None if prior is None else prior.film, settings.method)).value]
    if settings.method == "scratch":
        _reset(network)
    return list(network.parameters())


def _reset(network: Network) -> None:
    """Make all weights random."""
    for module in network.modules():
        reset: Callable[[], None] | None = getattr(module, "reset_parameters", None)
        if callable(reset):
            reset()


def _known(part: Part | None, method: str) -> Part:
    """Return a part of the prior that a method rests on; raises InputError where it is missing."""
    if part is None:
        raise InputError(f"method '{method}' needs to know how subjects differ; the model does not, use another method")
    return part
