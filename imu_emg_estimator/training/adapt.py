"""Few-shot adaptation: a bundle and a short recording of one wearer into a better bundle for that wearer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle, Reference
from imu_emg_estimator.model.offline import estimate_recording
from imu_emg_estimator.model.transformer import GegluTransformer, network_of, weights_of
from imu_emg_estimator.recording import FloatArray, Recording
from imu_emg_estimator.signals.imu import features
from imu_emg_estimator.training.pretrain import Wearer, activation_loss, delayed, prepare, reference_amplitude

METHODS = ("all_weights", "head")
DEFAULT_METHOD = "all_weights"
SHORTEST = 5.0  # s of EMG; less does not show a handful of strides

Progress = Callable[[int, int, float], None]


@dataclass(frozen=True)
class AdaptationSettings:
    """How a network is adapted.

    Attributes:
        method: ``all_weights`` trains every weight, ``head`` only the two linear heads.
        steps: optimiser steps.
        batch: sequences a step.
        sequence: samples a sequence.
        learning_rate: peak of the one-cycle schedule.
        anchor: strength of the pull towards the pre-trained weights.
        huber: error [references] where the loss turns from square to linear.
        seed: of every random choice.
    """

    method: str = DEFAULT_METHOD
    steps: int = 60
    batch: int = 5
    sequence: int = 256
    learning_rate: float = 1.5e-3
    anchor: float = 0.03
    huber: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(f"adaptation method '{self.method}' is not known; use one of {', '.join(METHODS)}")


def adapt(
    bundle: Bundle,
    recordings: Sequence[Recording],
    settings: AdaptationSettings | None = None,
    progress: Progress | None = None,
) -> Bundle:
    """Adapt a bundle to one wearer.

    The wearer's reference amplitude is taken from the same recordings; muscles without
    trusted EMG there keep the bundle's reference and take no part.

    Args:
        bundle: pre-trained, or adapted before.
        recordings: of one wearer, of the bundle's rig, with EMG envelopes.

    Returns:
        A new bundle; the given one is unchanged. Its ``calibration`` is left for the caller to fill in.

    Raises:
        InputError: another rig, or less than 5 s of trusted EMG.
    """
    settings = settings or AdaptationSettings()
    for recording in recordings:
        if recording.rig != bundle.rig:
            raise InputError(
                f"recording {recording.name} is of rig '{recording.rig.name}', the bundle of '{bundle.rig.name}'"
            )
    model = network_of(bundle)
    wearer = prepare(recordings, _fitted_reference(bundle, model, recordings))
    seconds = float(wearer.weight.max(axis=1).sum()) / bundle.rig.rate
    if seconds < SHORTEST:
        raise InputError(f"only {seconds:.1f} s of usable EMG to adapt on; record at least {SHORTEST:g} s of movement")
    _train(model, bundle, wearer, settings, progress)
    return replace(
        bundle,
        weights=weights_of(model),
        reference=_reference(bundle, wearer, recordings[0].envelope_unit),
        parent_id=bundle.model_id,
        scores={},
    )


def _fitted_reference(bundle: Bundle, model: GegluTransformer, recordings: Sequence[Recording]) -> FloatArray:
    """Amplitude [muscles] that scales the bundle's estimate onto the measured envelope, by least squares.

    Unlike a percentile of the calibration it does not depend on which movements the bag happens
    to hold: walking alone must not make walking the wearer's full activation.
    """
    envelope = np.concatenate([recording.envelope for recording in recordings])
    estimate = np.concatenate(
        [estimate_recording(model, bundle.normalisation, recording.imu)[0] for recording in recordings]
    )
    reference = reference_amplitude(recordings)
    for muscle in np.flatnonzero(np.isfinite(reference)):
        known = np.isfinite(envelope[:, muscle]) & np.isfinite(estimate[:, muscle])
        truth, guess = envelope[known, muscle], estimate[known, muscle]
        if (power := float(guess @ guess)) > 0 and (scale := float(truth @ guess) / power) > 0:
            reference[muscle] = scale
    return reference


def _train(
    model: GegluTransformer,
    bundle: Bundle,
    wearer: Wearer,
    settings: AdaptationSettings,
    progress: Progress | None,
) -> None:
    torch.manual_seed(settings.seed)
    generator = np.random.default_rng(settings.seed)
    trained = _trained_parameters(model, settings.method)
    anchors = [parameter.detach().clone() for parameter in trained]
    optimiser = torch.optim.Adam(trained, settings.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.learning_rate, settings.steps, pct_start=0.2)
    inputs, target, weight = _dense(bundle, wearer, settings.sequence)
    model.train()
    for step in range(settings.steps):
        chosen = generator.integers(len(inputs) - settings.sequence + 1, size=settings.batch)
        batch = [
            torch.from_numpy(np.stack([array[start : start + settings.sequence] for start in chosen]))
            for array in (inputs, target, weight)
        ]
        phase = int(generator.integers(bundle.config.dilation))
        loss = activation_loss(model, batch[0], batch[1], batch[2], settings.huber, phase)
        loss = loss + settings.anchor * _distance(trained, anchors)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        schedule.step()
        if progress:
            progress(step + 1, settings.steps, float(loss.detach()))
    model.eval()


def _dense(bundle: Bundle, wearer: Wearer, sequence: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Inputs, targets and weights of all recordings in a row; each starts with cold context, as live.

    Targets near the start of a recording would see the end of the one before: they get weight 0.
    """
    look_ahead = bundle.config.look_ahead
    parts = []
    for start, stop in zip(wearer.starts[:-1], wearer.starts[1:], strict=True):
        inputs = features(wearer.imu[start:stop], bundle.normalisation)
        target = delayed(wearer.target[start:stop], look_ahead)
        weight = delayed(wearer.weight[start:stop], look_ahead)
        weight[: min(bundle.config.context, len(weight) // 2)] = 0.0
        parts.append((inputs, target, weight))
    inputs, target, weight = (np.concatenate(part) for part in zip(*parts, strict=True))
    padding = ((max(0, sequence - len(inputs)), 0), (0, 0))
    return np.pad(inputs, padding), np.pad(target, padding), np.pad(weight, padding)


def _trained_parameters(model: GegluTransformer, method: str) -> list[torch.nn.Parameter]:
    heads = [*model.head.parameters(), *model.deviation_head.parameters()]
    return heads if method == "head" else list(model.parameters())


def _distance(parameters: Sequence[Tensor], anchors: Sequence[Tensor]) -> Tensor:
    return torch.stack(
        [((parameter - anchor) ** 2).sum() for parameter, anchor in zip(parameters, anchors, strict=True)]
    ).sum()


def _reference(bundle: Bundle, wearer: Wearer, unit: str) -> Reference:
    known = np.isfinite(wearer.reference)
    amplitude = np.where(known, wearer.reference, bundle.reference.amplitude)
    return Reference(
        amplitude=tuple(float(value) for value in amplitude),
        unit=unit,
        definition="amplitude at which the uncalibrated estimate fits the wearer's EMG envelope best",
    )
