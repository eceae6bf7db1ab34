"""Few-shot adaptation: a network and a short recording of one subject into a better network for that subject."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from imu_emg_estimator.calibration.closed_form import (
    MIN_ERROR,
    Moments,
    blocks_of,
    fit_head,
    leave_out,
    squared_error,
)
from imu_emg_estimator.calibration.electrode_check import MIN_R, movement_r, sources_of_channels
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.activation_loss import activation_loss
from imu_emg_estimator.model.adapters import (
    SubjectPrior,
    add_film,
    add_low_rank,
    biases,
    fold,
    norm_parameters,
    with_bias,
    write_head,
)
from imu_emg_estimator.model.bundle import Bundle, Reference
from imu_emg_estimator.model.causal_network import Estimator, Network
from imu_emg_estimator.model.geglu_transformer import network_of, weights_of
from imu_emg_estimator.model.network_config import LOG_DEVIATION_RANGE
from imu_emg_estimator.model.offline_estimate import estimate_recording
from imu_emg_estimator.model.subject_data import SubjectData, delayed, prepare, reference_amplitude
from imu_emg_estimator.recording import FloatArray, Recording
from imu_emg_estimator.signals.accuracy_metrics import score
from imu_emg_estimator.signals.masked_imu_features import features

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
    "guarded": "every weight after a look at the electrodes, mixed with the closed form; that alone if one failed; "
    "the amplitude alone if the closed form cannot better left-out parts of the data; mixed with the weights given",
}
DEFAULT_METHOD = "guarded"
CLOSED_FORMS = ("ridge_zero", "ridge_head", "ridge_prior")
DESCENT_SHARE = 0.75  # of the weights that descent finds in the mix with those of the closed form
BELIEF = 10.0  # s of a subject's data that the model's own weights count for when they are mixed with the adapted ones
MIN_STEPS = 10  # the schedule needs some to warm up, and to come to rest
SHORTEST = 5.0  # s of EMG; less does not show a handful of strides
MIN_GAIN = 0.05  # of an affine fit: an estimate may be turned down, never over

Progress = Callable[[int, int, float], None]
Part = TypeVar("Part")


@dataclass(frozen=True)
class AdaptationSettings:
    """How a network is adapted; ``recommended`` gives what was found best for a method.

    Attributes:
        method: one of ``METHODS``.
        steps: optimiser steps, of the methods that need them; ``MIN_STEPS`` or more.
        batch: sequences a step.
        sequence: samples a sequence.
        learning_rate: peak of the one-cycle schedule.
        anchor: strength of the pull towards the pre-trained weights.
        huber: error [references] where the loss turns from square to linear.
        rank: of LoRA's changes.
        strength: of the closed forms' shrinkage before the data speak [independent samples].
        screening: first look for channels that carry another muscle or nothing, see ``screening``; ``guarded`` always
            does.
        seed: of every random choice.
    """

    method: str = DEFAULT_METHOD
    steps: int = 60
    batch: int = 5
    sequence: int = 256
    learning_rate: float = 1.5e-3
    anchor: float = 0.03
    huber: float = 0.5
    rank: int = 4
    strength: float = 50.0
    screening: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(f"adaptation method '{self.method}' is not known; use one of {', '.join(METHODS)}")
        if self.steps < MIN_STEPS:
            raise InputError(f"{self.steps} steps of adaptation are too few; give {MIN_STEPS} or more")


RECOMMENDED: dict[str, dict[str, Any]] = {
    "head": {"learning_rate": 5e-3},
    "norms_and_biases": {"learning_rate": 5e-3},
    "film": {"learning_rate": 5e-2, "anchor": 0.0},
    "lora": {"learning_rate": 5e-3, "anchor": 0.0},
    "scratch": {"steps": 150, "anchor": 0.0, "learning_rate": 2e-3},
    "ridge_zero": {"strength": 5.0},
}


def recommended(method: str = DEFAULT_METHOD) -> AdaptationSettings:
    """The settings that were found best for a method, on subjects that it is not reported on."""
    return AdaptationSettings(method=method, **RECOMMENDED.get(method, {}))


def adapt(
    bundle: Bundle,
    recordings: Sequence[Recording],
    settings: AdaptationSettings | None = None,
    progress: Progress | None = None,
    prior: SubjectPrior | None = None,
) -> Bundle:
    """Adapt a bundle to one subject.

    Args:
        bundle: pre-trained, or adapted before.
        recordings: of one subject, of the bundle's rig, with EMG envelopes.
        prior: see ``adapt_estimator``; None = the bundle's own, if it has one.

    Returns:
        A new bundle; the given one is unchanged. Its ``calibration`` is left for the caller to fill in.

    Raises:
        InputError: another rig, or less than 5 s of trusted EMG.
    """
    for recording in recordings:
        if recording.rig != bundle.rig:
            raise InputError(
                f"recording {recording.name} is of rig '{recording.rig.name}', the bundle of '{bundle.rig.name}'"
            )
    if prior is None and bundle.head_prior is not None:
        prior = SubjectPrior(head_precision=bundle.head_prior)
    adapted = adapt_estimator(estimator_of(bundle), recordings, settings, progress, prior)
    return replace(
        bundle,
        weights=weights_of(adapted.network),
        reference=adapted_reference(bundle.reference, adapted.amplitude, recordings[0].envelope_unit),
        parent_id=bundle.model_id,
        scores={},
    )


def estimator_of(bundle: Bundle) -> Estimator:
    """The bundle's network, ready to estimate and to be adapted."""
    return Estimator(network_of(bundle), bundle.normalisation, np.array(bundle.reference.amplitude))


def adapted_reference(given: Reference, amplitude: FloatArray, unit: str) -> Reference:
    """The reference of the subject; a muscle whose amplitude [muscles] was not found anew keeps its unit, too."""
    values = tuple(float(value) for value in amplitude)
    if values == given.amplitude:
        return given
    units = tuple(
        given.unit_of(muscle) if value == given.amplitude[muscle] else unit for muscle, value in enumerate(values)
    )
    return Reference(
        amplitude=values,
        unit=unit,
        definition="amplitude at which the uncalibrated estimate fits the subject's EMG envelope best",
        units=() if set(units) == {unit} else units,
    )


def adapt_estimator(
    estimator: Estimator,
    recordings: Sequence[Recording],
    settings: AdaptationSettings | None = None,
    progress: Progress | None = None,
    prior: SubjectPrior | None = None,
    share: float | None = None,
) -> Estimator:
    """Adapt any network to one subject.

    The subject's reference amplitude is taken from the same recordings; muscles without
    trusted EMG there keep the estimator's and take no part.

    Args:
        recordings: of one subject, with EMG envelopes.
        prior: how training subjects differ; ``ridge_prior`` and ``film`` need it.
        share: of the adapted weights in the result; the rest is of those given, with the heads of those muscles that
            the channels carry. None = ``trust`` in what there is of the subject for ``guarded``, else 1.

    Returns:
        A new estimator of the same architecture; the given one is unchanged.

    Raises:
        InputError: less than 5 s of trusted EMG, or a method that needs a prior without one.
    """
    settings = settings or recommended()
    if settings.method == "none":
        return estimator
    screening = settings.screening or settings.method == "guarded"
    if screening:
        estimator = _with_channels_told_apart(estimator, recordings)
    reference = _fitted_reference(estimator, recordings)
    subject = prepare(recordings, reference)
    seconds = float(subject.weight.max(axis=1).sum()) / recordings[0].rig.rate
    if seconds < SHORTEST:
        raise InputError(f"only {seconds:.1f} s of usable EMG to adapt on; record at least {SHORTEST:g} s of movement")
    amplitude = np.where(np.isfinite(reference), reference, estimator.amplitude)
    adapted = replace(estimator, network=copy.deepcopy(estimator.network), amplitude=amplitude)
    data = _Calibration.of(adapted, subject, settings.sequence)
    failed = _unrelated_channels(adapted.network, data) if screening else []
    data.weight[:, failed] = 0.0
    amplitude[failed] = estimator.amplitude[failed]
    if settings.method == "guarded" and not _promises_gain(adapted.network, data, settings.strength):
        _fit_deviations(adapted.network, data)
    elif settings.method == "affine":
        _fit_affine(adapted.network, data)
    elif settings.method in CLOSED_FORMS or (settings.method == "guarded" and failed):
        _fit_heads(adapted.network, data, settings, prior)
    else:
        _learn(adapted.network, data, settings, prior, progress)
    if share is None:
        share = trust(seconds) if settings.method == "guarded" else 1.0
    if share < 1.0:
        _mix(adapted.network, estimator.network, share)
    return adapted


def trust(seconds: float) -> float:
    """Share of the weights adapted to so many seconds of a subject in a mix with the model's own."""
    return seconds / (seconds + BELIEF)


def _mix(network: Network, other: Network, share: float) -> None:
    """Make the network's weights a mean with another's, its own having this share."""
    own, others = network.state_dict(), other.state_dict()
    network.load_state_dict({name: torch.lerp(others[name], own[name], share) for name in own})


@dataclass(frozen=True)
class _Calibration:
    """All recordings in a row, aligned with the network's outputs.

    Each recording starts with cold context, as live; there the targets have weight 0.

    Attributes:
        inputs: [samples, inputs].
        tokens: [samples, width + 1] what the heads see of them before anything is adapted, with a 1 for the bias.
        target, weight: [samples, muscles].
    """

    inputs: FloatArray
    tokens: FloatArray
    target: FloatArray
    weight: FloatArray

    @classmethod
    def of(cls, estimator: Estimator, subject: SubjectData, sequence: int) -> _Calibration:
        config = estimator.network.config
        parts = []
        for start, stop in zip(subject.starts[:-1], subject.starts[1:], strict=True):
            inputs = features(subject.imu[start:stop], estimator.normalisation)
            target = delayed(subject.target[start:stop], config.look_ahead)
            weight = delayed(subject.weight[start:stop], config.look_ahead)
            weight[: min(config.context, len(weight) // 2)] = 0.0
            parts.append((inputs, target, weight))
        inputs, target, weight = (np.concatenate(part) for part in zip(*parts, strict=True))
        padding = ((max(0, sequence - len(inputs)), 0), (0, 0))
        inputs = np.pad(inputs, padding)
        return cls(inputs, _tokens(estimator.network, inputs), np.pad(target, padding), np.pad(weight, padding))

    def known_muscles(self) -> list[int]:
        return [int(muscle) for muscle in np.flatnonzero(self.weight.sum(axis=0) > 0)]

    def blocks(self, muscle: int) -> list[Moments]:
        """Blocks of time of what is known of a muscle, for the closed forms."""
        return blocks_of(self.tokens, self.target[:, muscle], self.weight[:, muscle])


@torch.no_grad()
def _tokens(network: Network, inputs: FloatArray) -> FloatArray:
    tokens = network.tokens(torch.from_numpy(inputs)[None])[0].numpy()
    return np.concatenate([tokens, np.ones_like(tokens[:, :1])], axis=1)


def _fitted_reference(estimator: Estimator, recordings: Sequence[Recording]) -> FloatArray:
    """Amplitude [muscles] that scales the estimate onto the measured envelope, by least squares; NaN = not measured.

    Unlike a percentile of the calibration it does not depend on which movements the bag happens
    to hold: walking alone must not make walking the subject's full activation.
    """
    envelope = np.concatenate([recording.envelope for recording in recordings])
    estimate = _estimates(estimator, recordings)
    reference = reference_amplitude(recordings)
    for muscle in np.flatnonzero(np.isfinite(reference)):
        known = np.isfinite(envelope[:, muscle]) & np.isfinite(estimate[:, muscle])
        truth, guess = envelope[known, muscle], estimate[known, muscle]
        if (power := float(guess @ guess)) > 0 and (scale := float(truth @ guess) / power) > 0:
            reference[muscle] = scale
    return reference


def _estimates(estimator: Estimator, recordings: Sequence[Recording]) -> FloatArray:
    """Activations [samples, muscles] of all recordings in a row."""
    return np.concatenate(
        [estimate_recording(estimator.network, estimator.normalisation, recording.imu)[0] for recording in recordings]
    )


# screening


def _sources(estimator: Estimator, recordings: Sequence[Recording]) -> list[int]:
    """Which muscle each channel carries, as far as the calibration data tell."""
    rig = recordings[0].rig
    if not rig.is_mirrorable:
        return list(range(len(rig.muscles)))
    envelope = np.concatenate(
        [np.where(recording.muscle_weight > 0, recording.envelope, np.nan) for recording in recordings]
    )
    return sources_of_channels(envelope, _estimates(estimator, recordings), rig.mirror_muscles().tolist())


def _with_channels_told_apart(estimator: Estimator, recordings: Sequence[Recording]) -> Estimator:
    """The estimator with the heads of those muscles that the channels carry."""
    return _with_heads_of(estimator, _sources(estimator, recordings))


def _with_heads_of(estimator: Estimator, sources: Sequence[int]) -> Estimator:
    network = copy.deepcopy(estimator.network)
    for head in (network.head, network.deviation_head):
        write_head(head, with_bias(head)[list(sources)])
    return replace(estimator, network=network)


def _unrelated_channels(network: Network, data: _Calibration) -> list[int]:
    """Muscles whose EMG does not follow the movement."""
    return [muscle for muscle, r in _movement_r(network, data).items() if r < MIN_R]


def _movement_r(network: Network, data: _Calibration) -> dict[int, float]:
    heads = with_bias(network.head)
    return {muscle: movement_r(data.blocks(muscle), heads[muscle]) for muscle in data.known_muscles()}


@dataclass(frozen=True)
class Electrodes:
    """What the EMG has to do with the movement, by muscle with trusted EMG.

    Attributes:
        follows: r of heads fitted to parts of the data on the parts left out; below ``screening.MIN_R``, the EMG
            has nothing to do with the movement.
        source: the muscle whose movement the channel goes with; another than its own where leads are exchanged.
        together: by pair of twins: Pearson's r of the two channels, and of their estimates.
    """

    follows: Mapping[int, float]
    source: Mapping[int, int]
    together: Mapping[tuple[int, int], tuple[float, float]]


def look_at_electrodes(bundle: Bundle, recordings: Sequence[Recording]) -> Electrodes:
    """What a subject's EMG has to do with the movement, before anything is adapted to it."""
    given = estimator_of(bundle)
    sources = _sources(given, recordings)
    told_apart = _with_heads_of(given, sources)
    reference = _fitted_reference(told_apart, recordings)
    known = [int(muscle) for muscle in np.flatnonzero(np.isfinite(reference))]
    data = _Calibration.of(told_apart, prepare(recordings, reference), 1)
    return Electrodes(
        follows=_movement_r(told_apart.network, data),
        source={muscle: sources[muscle] for muscle in known},
        together=_togetherness(given, recordings, known),
    )


def _togetherness(
    estimator: Estimator, recordings: Sequence[Recording], known: Sequence[int]
) -> dict[tuple[int, int], tuple[float, float]]:
    rig = recordings[0].rig
    if not rig.is_mirrorable:
        return {}
    envelope = np.concatenate([recording.envelope for recording in recordings])
    estimate = _estimates(estimator, recordings)
    twins = rig.mirror_muscles()
    return {
        (muscle, twin): (
            score(envelope[:, muscle], envelope[:, twin]).r,
            score(estimate[:, muscle], estimate[:, twin]).r,
        )
        for muscle, twin in enumerate(int(twin) for twin in twins)
        if muscle < twin and muscle in known and twin in known
    }


# closed forms


def _fit_heads(network: Network, data: _Calibration, settings: AdaptationSettings, prior: SubjectPrior | None) -> None:
    heads, precision = with_bias(network.head), np.eye(network.config.width + 1)
    if settings.method == "ridge_prior":
        precision = _known(None if prior is None else prior.head_precision, settings.method)
    for muscle in data.known_muscles():
        centre = np.zeros_like(heads[muscle]) if settings.method == "ridge_zero" else heads[muscle]
        fit = fit_head(data.blocks(muscle), centre, precision, settings.strength)
        heads[muscle] = fit.head
        _rescale_deviation(network, data, muscle, fit.left_out.error)
    write_head(network.head, heads)


def _promises_gain(network: Network, data: _Calibration, strength: float) -> bool:
    """Whether heads fitted to parts of the data are better, over all muscles, on the parts left out than those given.

    Where they are not, the network fits this subject's movements already, as far as these data tell, and learning from
    them would trade that for their chance.
    """
    heads = with_bias(network.head)
    given = fitted = 0.0
    for muscle in data.known_muscles():
        blocks = data.blocks(muscle)
        given += squared_error(blocks, heads[muscle])
        trial = leave_out(blocks, heads[muscle], np.eye(len(heads[muscle])), strength)
        fitted += trial.error * sum(block.count for block in blocks)
    return fitted < given


def _fit_deviations(network: Network, data: _Calibration) -> None:
    heads = with_bias(network.head)
    for muscle in data.known_muscles():
        errors = data.tokens @ heads[muscle] - data.target[:, muscle]
        error = float(np.average(errors**2, weights=data.weight[:, muscle]))
        _rescale_deviation(network, data, muscle, max(error, MIN_ERROR))


def _fit_affine(network: Network, data: _Calibration) -> None:
    heads = with_bias(network.head)
    for muscle in data.known_muscles():
        known = data.weight[:, muscle] > 0
        tokens, target = data.tokens[known], data.target[known, muscle]
        estimate = tokens @ heads[muscle]
        spread = float(np.var(estimate))
        gain = float(np.cov(estimate, target, bias=True)[0, 1]) / spread if spread > 0 else 1.0
        gain = max(gain, MIN_GAIN)
        offset = float(target.mean() - gain * estimate.mean())
        heads[muscle] = gain * heads[muscle] + np.append(np.zeros(network.config.width), offset)
        error = float(np.mean((tokens @ heads[muscle] - target) ** 2))
        _rescale_deviation(network, data, muscle, error)
    write_head(network.head, heads)


@torch.no_grad()
def _rescale_deviation(network: Network, data: _Calibration, muscle: int, error: float) -> None:
    """Let a muscle's stated standard deviation agree, on the whole, with the mean squared error that was found."""
    log_deviation = data.tokens[data.weight[:, muscle] > 0] @ with_bias(network.deviation_head)[muscle]
    stated = float(np.mean(np.exp(2 * log_deviation)))
    network.deviation_head.bias[muscle] += 0.5 * float(np.log(error / stated))


# gradient descent


def _learn(
    network: Network,
    data: _Calibration,
    settings: AdaptationSettings,
    prior: SubjectPrior | None,
    progress: Progress | None,
) -> None:
    """Adapt by gradient descent, and where the method asks for it, mix the result with that of the closed form."""
    closed_form = _with_fitted_heads(network, data, settings, prior) if settings.method == "guarded" else None
    _imitate_where_unknown(network, data, settings.seed)
    torch.manual_seed(settings.seed)
    _descend(network, _trained_parameters(network, settings, prior), data, settings, progress)
    fold(network)
    if closed_form is not None:
        _mix(network, closed_form, DESCENT_SHARE)


def _with_fitted_heads(
    network: Network, data: _Calibration, settings: AdaptationSettings, prior: SubjectPrior | None
) -> Network:
    fitted = copy.deepcopy(network)
    _fit_heads(fitted, data, settings, prior)
    return fitted


@torch.no_grad()
def _imitate_where_unknown(network: Network, data: _Calibration, seed: int) -> None:
    """Give muscles without EMG what the network says of them as targets, so that learning the others keeps them.

    The targets are drawn from the stated distribution, so that they teach neither another mean nor another deviation.
    """
    known = data.known_muscles()
    unknown = [muscle for muscle in range(network.config.muscles) if muscle not in known]
    mean, log_deviation = (part[0].numpy() for part in network(torch.from_numpy(data.inputs)[None]))
    noise = np.random.default_rng(seed).standard_normal(mean.shape)
    drawn = mean + noise * np.exp(np.clip(log_deviation, *LOG_DEVIATION_RANGE))
    data.target[:, unknown] = drawn[:, unknown]
    data.weight[:, unknown] = data.weight.max(axis=1, keepdims=True)


def _trained_parameters(
    network: Network, settings: AdaptationSettings, prior: SubjectPrior | None
) -> list[nn.Parameter]:
    """What a method trains, after it has made the network ready for that."""
    heads = [*network.head.parameters(), *network.deviation_head.parameters()]
    if settings.method == "head":
        return heads
    if settings.method == "norms_and_biases":
        return list({**norm_parameters(network), **biases(network)}.values())
    if settings.method == "lora":
        return add_low_rank(network, settings.rank)
    if settings.method == "film":
        return [add_film(network, _known(None if prior is None else prior.film, settings.method)).value]
    if settings.method == "scratch":
        for module in network.modules():
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()
    return list(network.parameters())


def _known(part: Part | None, method: str) -> Part:
    """A part of the prior that a method rests on."""
    if part is None:
        raise InputError(f"method '{method}' needs to know how subjects differ; the model does not, use another method")
    return part


def _descend(
    network: Network,
    trained: Sequence[nn.Parameter],
    data: _Calibration,
    settings: AdaptationSettings,
    progress: Progress | None,
) -> None:
    generator = np.random.default_rng(settings.seed)
    anchors = [parameter.detach().clone() for parameter in trained]
    optimiser = torch.optim.Adam(trained, settings.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.learning_rate, settings.steps, pct_start=0.2)
    network.train()
    for step in range(settings.steps):
        chosen = generator.integers(len(data.inputs) - settings.sequence + 1, size=settings.batch)
        batch = [
            torch.from_numpy(np.stack([array[start : start + settings.sequence] for start in chosen]))
            for array in (data.inputs, data.target, data.weight)
        ]
        phase = int(generator.integers(network.config.dilation))
        loss = activation_loss(network, batch[0], batch[1], batch[2], settings.huber, phase)
        loss = loss + settings.anchor * _distance(trained, anchors)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        schedule.step()
        if progress:
            progress(step + 1, settings.steps, float(loss.detach()))
    network.eval()


def _distance(parameters: Sequence[Tensor], anchors: Sequence[Tensor]) -> Tensor:
    return torch.stack(
        [((parameter - anchor) ** 2).sum() for parameter, anchor in zip(parameters, anchors, strict=True)]
    ).sum()
