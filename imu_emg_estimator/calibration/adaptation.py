"""Few-shot adaptation: a network and a short recording of one subject into a better network for that subject.

The method, step by step:

1. The electrodes are checked: exchanged channels exchange their heads, channels that do not follow the movement take
   no part.
2. If heads in closed form cannot beat the given ones on left-out parts of the data, only amplitude and stated
   deviations are fitted: the network fits this subject already, and learning would follow chance.
3. If an electrode failed, the heads of the other muscles are fitted in closed form, which leaves its muscle alone.
4. Else all weights are trained by gradient descent, and the result is averaged with the closed form's.
5. What comes of it is averaged with the given weights, the less the subject's data the nearer to those.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from imu_emg_estimator.calibration.closed_form import MIN_ERROR, blocks_of, fit_head, leave_out, squared_error
from imu_emg_estimator.calibration.electrode_check import ElectrodeCheck, check_electrodes
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.activation_loss import activation_loss
from imu_emg_estimator.model.bundle import Bundle, Reference
from imu_emg_estimator.model.causal_network import Estimator, Network, head_weights, set_head_weights, weights_of
from imu_emg_estimator.model.network_config import LOG_DEVIATION_RANGE
from imu_emg_estimator.model.offline_estimate import estimator_of
from imu_emg_estimator.model.subject_data import CalibrationData
from imu_emg_estimator.recording import FloatArray, Recording
from imu_emg_estimator.utils.progress import StepProgress

MIN_ADAPTATION_S = 5.0  # of EMG; less does not show a handful of strides
DESCENT_SHARE = 0.75  # of the weights from gradient descent in their average with those of the closed form
PRIOR_S = 10.0  # of a subject's data that the given weights count for when they are averaged with the adapted ones
MIN_STEPS = 10  # the schedule needs some to warm up, and to come to rest


@dataclass(frozen=True)
class AdaptationSettings:
    """Settings of the adaptation; the defaults did best on subjects that no figure is reported on.

    Attributes:
        steps: of the optimiser; ``MIN_STEPS`` or more.
        batch: sequences a step.
        sequence: samples a sequence.
        learning_rate: peak of the one-cycle schedule.
        anchor: strength of the pull towards the given weights.
        huber: error [references] where the loss turns from square to linear.
        strength: shrinkage of the closed form before the data speak [independent samples].
        seed: of every random choice.
    """

    steps: int = 60
    batch: int = 5
    sequence: int = 256
    learning_rate: float = 1.5e-3
    anchor: float = 0.03
    huber: float = 0.5
    strength: float = 50.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < MIN_STEPS:
            raise InputError(f"{self.steps} steps of adaptation are too few; give {MIN_STEPS} or more")


def adapt_estimator(
    estimator: Estimator,
    recordings: Sequence[Recording],
    settings: AdaptationSettings = AdaptationSettings(),
    progress: StepProgress | None = None,
    share: float | None = None,
    heads_only: bool = False,
) -> Estimator:
    """Adapt any network to one subject.

    The subject's reference amplitude is taken from the same recordings; muscles without
    trusted EMG there keep the estimator's and take no part.

    Args:
        recordings: of one subject, with EMG envelopes.
        share: of the adapted weights in the result, the rest is of those given; None = ``adapted_share`` of the data.
        heads_only: fit the heads in closed form and leave all else alone.

    Returns:
        A new estimator of the same architecture; the given one is unchanged.

    Raises:
        InputError: less than 5 s of trusted EMG.
    """
    check = check_electrodes(estimator, recordings)
    require_seconds(check.data)
    adapted = start_adaptation(estimator, check)
    network, data = adapted.network, check.data
    if heads_only:
        fit_heads(network, data, settings.strength)
    elif not promises_improvement(network, data, settings.strength):
        fit_deviations(network, data)
    elif check.unrelated:
        fit_heads(network, data, settings.strength)
    else:
        _descend_and_average(network, data, settings, progress)
    average_weights(network, check.estimator.network, adapted_share(data.seconds) if share is None else share)
    return adapted


def adapt_bundle(
    bundle: Bundle,
    recordings: Sequence[Recording],
    settings: AdaptationSettings = AdaptationSettings(),
    progress: StepProgress | None = None,
) -> Bundle:
    """Adapt a bundle to one subject, without judging whether it got better.

    Args:
        bundle: pre-trained, or adapted before.
        recordings: of one subject, of the bundle's rig, with EMG envelopes.

    Returns:
        A new bundle without a ``calibration``; the given one is unchanged.

    Raises:
        InputError: another rig, or less than 5 s of trusted EMG.
    """
    for recording in recordings:
        check_rig(bundle, recording)
    adapted = adapt_estimator(estimator_of(bundle), recordings, settings, progress)
    return replace(
        bundle,
        weights=weights_of(adapted.network),
        reference=adapted_reference(bundle.reference, adapted.amplitude, recordings[0].envelope_unit),
        parent_id=bundle.model_id,
        scores={},
    )


def check_rig(bundle: Bundle, recording: Recording) -> None:
    """Raise InputError where a recording is of another rig than the bundle."""
    if recording.rig != bundle.rig:
        raise InputError(
            f"recording {recording.name} is of rig '{recording.rig.name}', the bundle of '{bundle.rig.name}'"
        )


def adapted_reference(given: Reference, amplitude: FloatArray, unit: str) -> Reference:
    """Give the subject's reference; a muscle whose amplitude [muscles] was not found anew keeps its unit, too."""
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


def require_seconds(data: CalibrationData) -> None:
    """Raise InputError where there is too little EMG."""
    if data.seconds < MIN_ADAPTATION_S:
        raise InputError(
            f"only {data.seconds:.1f} s of usable EMG to adapt on; record at least {MIN_ADAPTATION_S:g} s of movement"
        )


def start_adaptation(given: Estimator, check: ElectrodeCheck) -> Estimator:
    """Copy the checked estimator, with the subject's amplitudes, and drop channels that do not follow the movement."""
    check.data.weight[:, check.unrelated] = 0.0
    amplitude = np.where(np.isfinite(check.data.amplitude), check.data.amplitude, given.amplitude)
    amplitude[check.unrelated] = given.amplitude[check.unrelated]
    return replace(given, network=copy.deepcopy(check.estimator.network), amplitude=amplitude)


def adapted_share(seconds: float) -> float:
    """Share of weights adapted to so many seconds of a subject in their average with the given ones."""
    return seconds / (seconds + PRIOR_S)


def average_weights(network: Network, other: Network, share: float) -> None:
    """Make the network's weights a mean with another's, its own having this share."""
    if share < 1.0:
        own, others = network.state_dict(), other.state_dict()
        network.load_state_dict({name: torch.lerp(others[name], own[name], share) for name in own})


# closed form


def fit_heads(network: Network, data: CalibrationData, strength: float) -> None:
    """Fit the heads by ridge regression, shrunk towards the given ones."""
    heads = head_weights(network.head)
    for muscle in data.known_muscles():
        fit = fit_head(blocks_of(*data.of_muscle(muscle)), heads[muscle], np.eye(len(heads[muscle])), strength)
        heads[muscle] = fit.head
        rescale_deviation(network, data, muscle, fit.left_out.error)
    set_head_weights(network.head, heads)


def promises_improvement(network: Network, data: CalibrationData, strength: float) -> bool:
    """Whether heads fitted to parts of the data beat the given ones, over all muscles, on the parts left out."""
    heads = head_weights(network.head)
    given = fitted = 0.0
    for muscle in data.known_muscles():
        blocks = blocks_of(*data.of_muscle(muscle))
        given += squared_error(blocks, heads[muscle])
        trial = leave_out(blocks, heads[muscle], np.eye(len(heads[muscle])), strength)
        fitted += trial.error * sum(block.count for block in blocks)
    return fitted < given


def fit_deviations(network: Network, data: CalibrationData) -> None:
    """Fit the stated deviations alone."""
    heads = head_weights(network.head)
    for muscle in data.known_muscles():
        errors = data.tokens @ heads[muscle] - data.target[:, muscle]
        error = float(np.average(errors**2, weights=data.weight[:, muscle]))
        rescale_deviation(network, data, muscle, max(error, MIN_ERROR))


@torch.no_grad()
def rescale_deviation(network: Network, data: CalibrationData, muscle: int, error: float) -> None:
    """Let a muscle's stated standard deviation agree, on the whole, with the mean squared error that was found."""
    log_deviation = data.tokens[data.weight[:, muscle] > 0] @ head_weights(network.deviation_head)[muscle]
    stated = float(np.mean(np.exp(2 * log_deviation)))
    network.deviation_head.bias[muscle] += 0.5 * float(np.log(error / stated))


# gradient descent


def _descend_and_average(
    network: Network, data: CalibrationData, settings: AdaptationSettings, progress: StepProgress | None
) -> None:
    """Train all weights, and average them with those of the closed form."""
    closed_form = copy.deepcopy(network)
    fit_heads(closed_form, data, settings.strength)
    imitate_where_unknown(network, data, settings.seed)
    torch.manual_seed(settings.seed)
    descend(network, list(network.parameters()), data, settings, progress)
    average_weights(network, closed_form, DESCENT_SHARE)


@torch.no_grad()
def imitate_where_unknown(network: Network, data: CalibrationData, seed: int) -> None:
    """Let muscles without EMG have what the network says of them as targets, so that learning the others keeps them.

    The targets are drawn from the stated distribution, so that they teach neither another mean nor another deviation.
    """
    known = data.known_muscles()
    unknown = [muscle for muscle in range(network.config.muscles) if muscle not in known]
    mean, log_deviation = (part[0].numpy() for part in network(torch.from_numpy(data.inputs)[None]))
    noise = np.random.default_rng(seed).standard_normal(mean.shape)
    drawn = mean + noise * np.exp(np.clip(log_deviation, *LOG_DEVIATION_RANGE))
    data.target[:, unknown] = drawn[:, unknown]
    data.weight[:, unknown] = data.weight.max(axis=1, keepdims=True)


def descend(
    network: Network,
    trained: Sequence[nn.Parameter],
    data: CalibrationData,
    settings: AdaptationSettings,
    progress: StepProgress | None,
) -> None:
    """Train parameters of the network on random sequences of the data, by Adam on a one-cycle schedule."""
    generator = np.random.default_rng(settings.seed)
    arrays = [_padded(array, settings.sequence) for array in (data.inputs, data.target, data.weight)]
    anchors = [parameter.detach().clone() for parameter in trained]
    optimiser = torch.optim.Adam(trained, settings.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.learning_rate, settings.steps, pct_start=0.2)
    network.train()
    for step in range(settings.steps):
        starts = generator.integers(len(arrays[0]) - settings.sequence + 1, size=settings.batch)
        inputs, target, weight = (
            torch.from_numpy(np.stack([array[start : start + settings.sequence] for start in starts]))
            for array in arrays
        )
        phase = int(generator.integers(network.config.dilation))
        loss = activation_loss(network, inputs, target, weight, settings.huber, phase)
        loss = loss + settings.anchor * _squared_distance(trained, anchors)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        schedule.step()
        if progress:
            progress(step + 1, settings.steps, float(loss.detach()))
    network.eval()


def _padded(array: FloatArray, samples: int) -> FloatArray:
    """The array with zeros before it where it has fewer samples."""
    return np.pad(array, ((max(0, samples - len(array)), 0), (0, 0)))


def _squared_distance(parameters: Sequence[Tensor], anchors: Sequence[Tensor]) -> Tensor:
    return torch.stack(
        [((parameter - anchor) ** 2).sum() for parameter, anchor in zip(parameters, anchors, strict=True)]
    ).sum()
