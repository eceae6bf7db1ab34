"""Pre-training: many wearers' recordings into one network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import smooth_l1_loss

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.configuration import LOG_DEVIATION_RANGE, ModelConfig
from imu_emg_estimator.model.network import Network
from imu_emg_estimator.model.transformer import GegluTransformer
from imu_emg_estimator.recording import FloatArray, Recording
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.imu import Normalisation, feature_count, features, fit_normalisation
from imu_emg_estimator.training.augmentation import AugmentationSettings, augment

LOSSES = ("huber", "correlation", "gaussian")
REFERENCE_PERCENTILE = 95.0  # of a wearer's envelope in locomotion: an activation of 1
CORRELATION_SHARE = 0.2  # of a loss that has one
LEAST_VARIANCE = 0.0025  # references squared; a flatter sequence has no correlation worth training on
TOKEN_PERIOD = 0.068  # s between the tokens of one interleaved sequence: an envelope of 4 Hz has no more to tell
FRONT_END = 0.289  # s that the convolution sees
LOOK_AHEAD = 0.051  # s by which an estimate lags its newest input
DROPOUT = 0.3  # 0.1 does as well: tuning chose the one or the other, see benchmarks/accuracy
TARGET_LIMIT = 3.0  # references; beyond, an envelope is an artefact and would rule the loss


@dataclass(frozen=True)
class TrainingSettings:
    """The recipe of a pre-training run.

    Attributes:
        steps: optimiser steps.
        batch: sequences a step.
        sequence: samples a sequence.
        learning_rate: peak of the one-cycle schedule.
        weight_decay: of AdamW.
        locomotion_share: share of sequences drawn from locomotion; the rest is drawn from everything.
        loss: ``huber``, ``correlation`` (Huber and one minus the correlation within each sequence) or
            ``gaussian`` (likelihood of mean and deviation together).
        huber: error [references] where the loss turns from square to linear; a large one makes it the square.
        averaging: decay of the running mean of the weights, which is what is kept.
        seed: of every random choice.
    """

    steps: int = 500
    batch: int = 32
    sequence: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    locomotion_share: float = 0.7
    loss: str = "correlation"
    huber: float = 0.5
    averaging: float = 0.995
    seed: int = 0
    augmentation: AugmentationSettings = field(default_factory=AugmentationSettings)

    def __post_init__(self) -> None:
        if self.loss not in LOSSES:
            raise InputError(f"loss '{self.loss}' is not known; use one of {', '.join(LOSSES)}")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Wearer:
    """All recordings of one wearer, joined, with activation as the target.

    Attributes:
        imu: [samples, sensors, 6].
        target, weight: [samples, muscles], target in references.
        starts: index of the first sample of each recording, and the total at the end.
        locomotion: [samples].
        reference: [muscles] envelope [its own unit] that stands for an activation of 1; NaN where never trusted.
    """

    imu: FloatArray
    target: FloatArray
    weight: FloatArray
    starts: NDArray[Any]
    locomotion: NDArray[Any]
    reference: FloatArray


Progress = Callable[[int, int, float], None]
Loss = Callable[..., Tensor]  # of a batch's tensors, and of the phase as the last argument


def reference_amplitude(recordings: Sequence[Recording]) -> FloatArray:
    """Envelope [muscles] that stands for an activation of 1 in these recordings of one wearer.

    It is the 95th percentile of the envelope in locomotion, or over everything where no
    locomotion is labelled. NaN for muscles that are not trusted or never measured.
    """
    envelope = np.concatenate([recording.envelope for recording in recordings])
    locomotion = np.concatenate([recording.is_locomotion() for recording in recordings])
    trusted = np.max([recording.muscle_weight for recording in recordings], axis=0) > 0
    reference = np.full(envelope.shape[1], np.nan)
    for muscle in np.flatnonzero(trusted):
        known = envelope[np.isfinite(envelope[:, muscle]), muscle]
        moving = envelope[np.isfinite(envelope[:, muscle]) & locomotion, muscle]
        chosen = moving if len(moving) else known
        if len(chosen) and (amplitude := float(np.percentile(chosen, REFERENCE_PERCENTILE))) > 0:
            reference[muscle] = amplitude
    return reference


def population_reference(references: FloatArray, rig: Rig | None = None) -> FloatArray:
    """The one amplitude [muscles] for a wearer of whom nothing is known.

    It minimises the mean over wearers of (amplitude - reference)² / reference²: the error is felt
    relative to each wearer's own range, so that strong wearers must not rule.

    Args:
        references: [wearers, muscles]; NaN where not known.
        rig: where its sides mirror each other, a muscle and its twin share all their amplitudes.
    """
    if rig is not None and rig.is_mirrorable:
        references = np.concatenate([references, references[:, rig.mirror_muscles()]])
    inverse = 1.0 / references
    result: FloatArray = np.nansum(inverse, axis=0) / np.nansum(inverse**2, axis=0)
    return result


def prepare(recordings: Sequence[Recording], reference: FloatArray | None = None) -> Wearer:
    """Join one wearer's recordings for training; reference as by ``reference_amplitude`` unless given."""
    reference = reference_amplitude(recordings) if reference is None else reference
    envelope = np.concatenate([recording.envelope for recording in recordings])
    weight = np.concatenate([np.tile(recording.muscle_weight, (len(recording), 1)) for recording in recordings])
    target = np.minimum(envelope / reference, TARGET_LIMIT)
    known = np.isfinite(target)
    return Wearer(
        imu=np.concatenate([recording.imu for recording in recordings]).astype(np.float32),
        target=np.where(known, target, 0.0).astype(np.float32),
        weight=(weight * known).astype(np.float32),
        starts=np.cumsum([0, *map(len, recordings)]),
        locomotion=np.concatenate([recording.is_locomotion() for recording in recordings]),
        reference=reference,
    )


def by_subject(recordings: Sequence[Recording]) -> dict[str, list[Recording]]:
    """Recordings of each wearer, in their given order."""
    grouped: dict[str, list[Recording]] = {}
    for recording in recordings:
        grouped.setdefault(recording.subject, []).append(recording)
    return grouped


def trusted_wearers(recordings: Sequence[Recording]) -> dict[str, Wearer]:
    """The wearers that can be learned from; raises InputError where no one has trusted EMG of a muscle."""
    wearers = {subject: prepare(group) for subject, group in by_subject(recordings).items()}
    wearers = {subject: wearer for subject, wearer in wearers.items() if np.isfinite(wearer.reference).any()}
    if not wearers:
        raise InputError(f"none of the {len(recordings)} recordings has trusted EMG to train on; add such wearers")
    known = np.isfinite(np.array([wearer.reference for wearer in wearers.values()])).any(axis=0)
    for muscle, has_one in zip(recordings[0].rig.muscle_names, known, strict=True):
        if not has_one:
            raise InputError(f"no wearer has trusted EMG of {muscle}; add one, or leave the muscle out of the rig")
    return wearers


def pretrain(
    wearers: Sequence[Wearer],
    rig: Rig,
    config: ModelConfig,
    settings: TrainingSettings,
    progress: Progress | None = None,
    architecture: Callable[[ModelConfig], Network] = GegluTransformer,
    initial: Network | None = None,
) -> tuple[Network, Normalisation]:
    """Train a network on many wearers, each with equal say.

    Each step trains one of the network's interleaved sequences, picked at random.

    Args:
        initial: network of the same architecture and shape whose weights are started from; None = random ones.
    """
    torch.manual_seed(settings.seed)
    normalisation = input_normalisation(wearers)
    model = architecture(config)
    if initial is not None:
        model.load_state_dict(initial.state_dict())

    def loss(inputs: Tensor, target: Tensor, weight: Tensor, phase: int) -> Tensor:
        return activation_loss(model, inputs, target, weight, settings.huber, phase, settings.loss)

    batches = training_batches(wearers, rig, settings, config.look_ahead, normalisation)
    optimise(model, config.dilation, batches, loss, settings, progress)
    return model, normalisation


def input_normalisation(wearers: Sequence[Wearer]) -> Normalisation:
    """Statistics of the training wearers' IMUs in locomotion; of all samples of those who have none."""
    return fit_normalisation(
        [wearer.imu[wearer.locomotion] if wearer.locomotion.any() else wearer.imu for wearer in wearers]
    )


def optimise(
    model: nn.Module,
    dilation: int,
    batches: Iterable[Sequence[NDArray[Any]]],
    loss: Loss,
    settings: TrainingSettings,
    progress: Progress | None = None,
) -> None:
    """Train a model in place by the recipe; what it ends with is the running mean of its weights, ready to estimate.

    Args:
        dilation: of the network; each step picks one of so many phases.
        batches: one for every step at least.
        loss: of the model.
    """
    device = training_device()
    model.to(device).train()
    average = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(settings.averaging)
    )
    optimiser = torch.optim.AdamW(model.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.learning_rate, settings.steps, pct_start=0.15)
    phases = np.random.default_rng(settings.seed)
    for step, batch in zip(range(settings.steps), batches, strict=False):
        value = loss(*(torch.from_numpy(array).to(device) for array in batch), int(phases.integers(dilation)))
        optimiser.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        average.update_parameters(model)
        if progress:
            progress(step + 1, settings.steps, float(value.detach()))
    model.load_state_dict(average.module.state_dict())
    model.cpu().eval()


def training_device() -> torch.device:
    """The GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def activation_loss(
    model: Network,
    inputs: Tensor,
    target: Tensor,
    weight: Tensor,
    huber: float,
    phase: int | None = None,
    kind: str = "huber",
) -> Tensor:
    """Error of the mean plus the Gaussian likelihood that teaches the standard deviation.

    ``target`` and ``weight`` are [batch, samples, muscles], already aligned with the outputs;
    of them only the samples of ``phase`` count, where one is given, as in ``Network.tokens``.
    The kinds of error are those of ``TrainingSettings.loss``.
    """
    if phase is not None:
        target, weight = (part[:, phase :: model.config.dilation] for part in (target, weight))
    mean, log_deviation = model(inputs, phase)
    return estimate_loss(mean, log_deviation, target, weight, huber, kind)


def estimate_loss(
    mean: Tensor, log_deviation: Tensor, target: Tensor, weight: Tensor, huber: float, kind: str = "huber"
) -> Tensor:
    """``activation_loss`` of what a network gave; all [batch, samples, muscles]."""
    total = weight.sum().clamp_min(1.0)
    log_deviation = log_deviation.clamp(*LOG_DEVIATION_RANGE)
    if kind == "gaussian":
        return (_likelihood(mean, log_deviation, target) * weight).sum() / total
    likelihood = (_likelihood(mean.detach(), log_deviation, target) * weight).sum() / total
    return mean_loss(mean, target, weight, huber, kind) + 0.1 * likelihood


def mean_loss(mean: Tensor, target: Tensor, weight: Tensor, huber: float, kind: str = "huber") -> Tensor:
    """Error of the mean alone, all [batch, samples, muscles]; Huber's for ``gaussian``, which needs a deviation."""
    error = smooth_l1_loss(mean, target, reduction="none", beta=huber) / huber
    loss = (error * weight).sum() / weight.sum().clamp_min(1.0)
    if kind == "correlation":
        loss = loss + CORRELATION_SHARE * (1.0 - _correlation(mean, target, weight))
    return torch.as_tensor(loss)


def _likelihood(mean: Tensor, log_deviation: Tensor, target: Tensor) -> Tensor:
    """Negative Gaussian log likelihood, without its constant."""
    return 0.5 * ((target - mean) / log_deviation.exp()) ** 2 + log_deviation


def _correlation(mean: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Correlation over the samples of each sequence and muscle, averaged over those that have some."""
    count = weight.sum(dim=1, keepdim=True).clamp_min(1.0)
    guess, truth = (part - (part * weight).sum(dim=1, keepdim=True) / count for part in (mean, target))
    power = (weight * guess**2).sum(dim=1) * (weight * truth**2).sum(dim=1)
    r = (weight * guess * truth).sum(dim=1) / (power + LEAST_VARIANCE**2 * count[:, 0] ** 2).sqrt()
    known = weight.sum(dim=1) > 0
    return (r * known).sum() / known.sum().clamp_min(1)


def delayed(values: FloatArray, samples: int) -> FloatArray:
    """Shift [samples, ...] later by so many samples, zeros in front: outputs lag their inputs by the look-ahead."""
    if samples == 0:
        return values
    return np.concatenate([np.zeros_like(values[:samples]), values[:-samples]])


def training_batches(
    wearers: Sequence[Wearer], rig: Rig, settings: TrainingSettings, look_ahead: int, normalisation: Normalisation
) -> Iterator[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]:
    """Without end: varied sequences, each wearer's as likely as any other's.

    Yields:
        Inputs [batch, samples, inputs], and target and weight [batch, samples, muscles], aligned with the outputs.
    """
    for imu, target, weight in varied_sequences(wearers, rig, settings, look_ahead):
        yield np.stack([features(sequence, normalisation) for sequence in imu]), target, weight


def varied_sequences(
    wearers: Sequence[Wearer], rig: Rig, settings: TrainingSettings, look_ahead: int
) -> Iterator[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]:
    """Without end: augmented batches of IMU samples, targets and weights, each wearer as likely as any other."""
    generator = np.random.default_rng(settings.seed)
    choices = [_possible_starts(wearer, settings.sequence) for wearer in wearers]
    while True:
        sequences = []
        for _ in range(settings.batch):
            index = int(generator.integers(len(wearers)))
            anywhere, in_locomotion = choices[index]
            pool = in_locomotion if generator.random() < settings.locomotion_share and len(in_locomotion) else anywhere
            sequences.append(cut_sequence(wearers[index], int(generator.choice(pool)), settings.sequence, look_ahead))
        imu, target, weight = (np.stack(part) for part in zip(*sequences, strict=True))
        yield augment(imu, target, weight, rig, settings.augmentation, generator)


def _possible_starts(wearer: Wearer, length: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Starts of sequences anywhere, and of those whose middle is in locomotion."""
    spans = [np.arange(a, max(a + 1, b - length)) for a, b in zip(wearer.starts[:-1], wearer.starts[1:], strict=True)]
    anywhere = np.concatenate(spans)
    middle = np.minimum(anywhere + length // 2, len(wearer.locomotion) - 1)
    return anywhere, anywhere[wearer.locomotion[middle]]


def cut_sequence(
    wearer: Wearer, start: int, length: int, look_ahead: int
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """IMU samples, targets and weights from a start, the latter two aligned with the network's outputs.

    Padded with missing samples where the recording is shorter than ``length``.
    """
    end = int(wearer.starts[np.searchsorted(wearer.starts, start, side="right")])
    stop = min(start + length, end)
    padding = [(0, length - (stop - start)), (0, 0)]
    imu = np.pad(wearer.imu[start:stop], [*padding, (0, 0)], constant_values=np.nan)
    target = np.pad(wearer.target[start:stop], padding)
    weight = np.pad(wearer.weight[start:stop], padding)
    return imu, delayed(target, look_ahead), delayed(weight, look_ahead)


def model_config(rig: Rig, **overrides: Any) -> ModelConfig:
    """Network shape for a rig, of the same durations at any rate; keywords override the default hyperparameters."""
    durations = {"dilation": TOKEN_PERIOD, "kernel": FRONT_END, "look_ahead": LOOK_AHEAD}
    shape = {name: max(1, round(duration * rig.rate)) for name, duration in durations.items()}
    given = {"dropout": DROPOUT} | shape | overrides
    return ModelConfig(inputs=feature_count(len(rig.sensors)), muscles=len(rig.muscles), **given)
