"""Pre-training of one network on many subjects' recordings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from imu_emg_estimator.model.activation_loss import activation_loss
from imu_emg_estimator.model.causal_network import GegluTransformer, Network
from imu_emg_estimator.model.network_config import ModelConfig
from imu_emg_estimator.model.subject_data import SubjectData, delayed
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.masked_imu_features import Normalisation, feature_count, features, fit_normalisation
from imu_emg_estimator.training.augmentation import AugmentationSettings, augment
from imu_emg_estimator.training.checkpoints import Checkpoint, Stateful
from imu_emg_estimator.training.distributed_training import (
    check_share,
    mean_over_processes,
    own_share,
    rank,
    shared_loss,
)
from imu_emg_estimator.utils.progress import StepProgress

TOKEN_PERIOD_S = 0.068  # between the tokens of one interleaved sequence: an envelope of 4 Hz needs no more
FRONT_END_S = 0.289  # that the convolution covers
LOOK_AHEAD_S = 0.051  # by which an estimate lags its newest input
DROPOUT = 0.3  # 0.1 does as well: tuning chose the one or the other, see benchmarks/accuracy


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
        huber: error [references] where the loss turns from square to linear; a large one makes it the square.
        correlation_share: weight in the loss of one minus the correlation within each sequence.
        averaging: decay of the running mean of the weights, which is what is kept.
        look_ahead_s: by which an estimate lags its newest input; negative = a forecast.
        seed: of every random choice.
    """

    steps: int = 500
    batch: int = 32
    sequence: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    locomotion_share: float = 0.7
    huber: float = 0.5
    correlation_share: float = 0.2
    averaging: float = 0.995
    look_ahead_s: float = LOOK_AHEAD_S
    seed: int = 0
    augmentation: AugmentationSettings = field(default_factory=AugmentationSettings)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


Loss = Callable[..., Tensor]  # of a batch's tensors, and of the phase as the last argument


def pretrain(
    subjects: Sequence[SubjectData],
    rig: Rig,
    config: ModelConfig,
    settings: TrainingSettings,
    progress: StepProgress | None = None,
    architecture: Callable[[ModelConfig], Network] = GegluTransformer,
    checkpoint: Checkpoint | None = None,
) -> tuple[Network, Normalisation]:
    """Train a network on many subjects, each with equal say.

    Each step trains one of the network's interleaved sequences, picked at random.
    """
    torch.manual_seed(settings.seed)
    normalisation = input_normalisation(subjects)
    model = architecture(config)

    def loss(inputs: Tensor, target: Tensor, weight: Tensor, phase: int) -> Tensor:
        return activation_loss(model, inputs, target, weight, settings.huber, phase, settings.correlation_share)

    generator = np.random.default_rng(settings.seed)
    batches = training_batches(subjects, rig, settings, config.look_ahead, normalisation, generator)
    parts = BatchParts(settings.batch, (generator,))
    optimise(model, config.dilation, batches, loss, settings, progress, parts, checkpoint)
    return model, normalisation


def input_normalisation(subjects: Sequence[SubjectData]) -> Normalisation:
    """Fit the normalisation to the subjects' IMU data in locomotion; to all samples of those who have none."""
    return fit_normalisation(
        [subject.imu[subject.locomotion] if subject.locomotion.any() else subject.imu for subject in subjects]
    )


def optimise(
    model: nn.Module,
    dilation: int,
    batches: Iterable[Sequence[NDArray[Any]]],
    loss: Loss,
    settings: TrainingSettings,
    progress: StepProgress | None = None,
    parts: BatchParts | None = None,
    checkpoint: Checkpoint | None = None,
) -> None:
    """Train a model in place by the recipe; it ends with the running mean of its weights, in evaluation mode.

    Args:
        dilation: of the network; each step picks one of so many phases.
        batches: one for every step at least.
        loss: of the model.
        parts: of the batches; needed where several processes share them, or for a checkpoint.
        checkpoint: to go on from, and to keep; raises InputError where it cannot be read.
    """
    parts = parts or BatchParts()
    check_share(parts.count)
    device = training_device()
    model.to(device).train()
    average = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(settings.averaging)
    )
    optimiser = torch.optim.AdamW(model.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.learning_rate, settings.steps, pct_start=0.15)
    phases = np.random.default_rng(settings.seed)
    if rank():
        torch.manual_seed(settings.seed + rank())  # of dropout, so that processes differ
    states: dict[str, Stateful] = {"model": model, "average": average, "optimiser": optimiser, "schedule": schedule}
    generators = [phases, *parts.generators]
    done = checkpoint.restore(states, generators) if checkpoint else 0
    objective = shared_loss(model, loss)
    for step, batch in zip(range(done, settings.steps), batches, strict=False):
        own, factor = own_share(batch, parts.count)
        tensors = (torch.from_numpy(array).to(device) for array in own)
        value = factor * objective(*tensors, int(phases.integers(dilation)))
        optimiser.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        average.update_parameters(model)
        if checkpoint:
            checkpoint.keep(step + 1, settings.steps, states, generators)
        mean = mean_over_processes(value)
        if progress:
            progress(step + 1, settings.steps, mean)
    model.load_state_dict(average.module.state_dict())
    model.cpu().eval()


@dataclass(frozen=True)
class BatchParts:
    """What batches are made of.

    Attributes:
        count: parts of a batch that several processes share, each of equally many sequences in a row.
        generators: that the batches are drawn with.
    """

    count: int = 1
    generators: tuple[np.random.Generator, ...] = ()


def training_device() -> torch.device:
    """Return the GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def training_batches(
    subjects: Sequence[SubjectData],
    rig: Rig,
    settings: TrainingSettings,
    look_ahead: int,
    normalisation: Normalisation,
    generator: np.random.Generator | None = None,
) -> Iterator[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]:
    """Yield varied sequences without end, each subject as likely as any other.

    Args:
        generator: of all draws; None = one of the settings' seed.

    Yields:
        Inputs [batch, samples, inputs], and target and weight [batch, samples, muscles], aligned with the outputs.
    """
    for imu, target, weight in varied_sequences(subjects, rig, settings, look_ahead, generator):
        yield np.stack([features(sequence, normalisation) for sequence in imu]), target, weight


def varied_sequences(
    subjects: Sequence[SubjectData],
    rig: Rig,
    settings: TrainingSettings,
    look_ahead: int,
    generator: np.random.Generator | None = None,
) -> Iterator[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]:
    """Yield augmented batches of IMU samples, targets and weights without end, each subject as likely as any other."""
    generator = generator or np.random.default_rng(settings.seed)
    choices = [_possible_starts(subject, settings.sequence) for subject in subjects]
    while True:
        sequences = []
        for _ in range(settings.batch):
            index = int(generator.integers(len(subjects)))
            anywhere, in_locomotion = choices[index]
            pool = in_locomotion if generator.random() < settings.locomotion_share and len(in_locomotion) else anywhere
            sequences.append(cut_sequence(subjects[index], int(generator.choice(pool)), settings.sequence, look_ahead))
        imu, target, weight = (np.stack(part) for part in zip(*sequences, strict=True))
        yield augment(imu, target, weight, rig, settings.augmentation, generator)


def _possible_starts(subject: SubjectData, length: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the starts of sequences anywhere, and of those whose middle is in locomotion."""
    spans = [np.arange(a, max(a + 1, b - length)) for a, b in zip(subject.starts[:-1], subject.starts[1:], strict=True)]
    anywhere = np.concatenate(spans)
    middle = np.minimum(anywhere + length // 2, len(subject.locomotion) - 1)
    return anywhere, anywhere[subject.locomotion[middle]]


def cut_sequence(
    subject: SubjectData, start: int, length: int, look_ahead: int
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Cut IMU samples, targets and weights from a start, the latter two aligned with the network's outputs.

    Padded with missing samples where the recording is shorter than ``length``.
    """
    end = int(subject.starts[np.searchsorted(subject.starts, start, side="right")])
    stop = min(start + length, end)
    padding = [(0, length - (stop - start)), (0, 0)]
    imu = np.pad(subject.imu[start:stop], [*padding, (0, 0)], constant_values=np.nan)
    target = np.pad(subject.target[start:stop], padding)
    weight = np.pad(subject.weight[start:stop], padding)
    return imu, delayed(target, look_ahead), delayed(weight, look_ahead)


def model_config(rig: Rig, look_ahead_s: float = LOOK_AHEAD_S, **overrides: Any) -> ModelConfig:
    """Return the network shape for a rig, of the same durations at any rate; keywords override defaults."""
    durations = {"dilation": TOKEN_PERIOD_S, "kernel": FRONT_END_S}
    shape = {name: max(1, round(duration * rig.rate)) for name, duration in durations.items()}
    given = {"dropout": DROPOUT, "look_ahead": round(look_ahead_s * rig.rate)} | shape | overrides
    return ModelConfig(inputs=feature_count(len(rig.sensors)), muscles=len(rig.muscles), **given)
