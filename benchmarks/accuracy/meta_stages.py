"""Meta-learning stages after pre-training: episodes, as in the recipe, and Reptile for comparison.

Reptile adapts all weights in an episode by a few steps of gradient descent; the shared weights then move towards the
adapted ones (Nichol et al. 2018, arXiv:1803.02999), first order.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.activation_loss import activation_loss
from imu_emg_estimator.model.causal_network import Estimator, Network
from imu_emg_estimator.model.subject_data import SubjectData
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.training.episodic_training import EpisodeSampler, EpisodeSettings, train_in_episodes
from imu_emg_estimator.training.pretraining import TrainingSettings

KINDS = ("ridge", "reptile")
REPTILE_STEPS = 40  # cost about as much as the pre-training: each holds many


@dataclass(frozen=True)
class MetaStage:
    """A stage of training.

    Attributes:
        kind: how an episode adapts: the head in closed form (``ridge``), or all weights by descent (``reptile``).
        inner_steps, inner_rate: of Reptile's descent in an episode.
        outer_rate: share of the way to the adapted weights that Reptile goes at first.
    """

    kind: str = "ridge"
    episodes: EpisodeSettings = field(default_factory=EpisodeSettings)
    inner_steps: int = 10
    inner_rate: float = 1e-3
    outer_rate: float = 0.3

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"meta-learning of kind '{self.kind}' is not known; use one of {', '.join(KINDS)}")

    def seeded(self, seed: int) -> MetaStage:
        """Return the same with another seed."""
        return replace(self, episodes=replace(self.episodes, training=replace(self.episodes.training, seed=seed)))


def usual_stage(kind: str) -> MetaStage:
    """Return a stage that costs about as much as the pre-training that it goes on from."""
    steps = REPTILE_STEPS if kind == "reptile" else EpisodeSettings().training.steps
    return MetaStage(kind, EpisodeSettings(training=TrainingSettings(steps=steps)))


def run_stage(
    stage: MetaStage,
    estimator: Estimator,
    subjects: Sequence[SubjectData],
    rig: Rig,
) -> Estimator:
    """Train a network further on its training subjects; the given estimator is unchanged.

    Raises:
        InputError: no subject has labelled locomotion.
    """
    if stage.kind == "ridge":
        return train_in_episodes(estimator, subjects, rig, stage.episodes)
    torch.manual_seed(stage.episodes.training.seed)
    trained = replace(estimator, network=copy.deepcopy(estimator.network))
    _reptile(trained.network, EpisodeSampler(subjects, rig, trained, stage.episodes), stage)
    return trained


def _reptile(network: Network, sampler: EpisodeSampler, stage: MetaStage) -> None:
    """Step towards the mean of the weights to which episodes lead."""
    shared, steps = list(network.parameters()), stage.episodes.training.steps
    for step in range(steps):
        adapted = [_descended(network, sampler, stage) for _ in range(stage.episodes.episodes)]
        share = stage.outer_rate * (1 - step / steps)
        with torch.no_grad():
            for parameter, *ends in zip(shared, *(episode.parameters() for episode in adapted), strict=True):
                parameter += share * (torch.stack(ends).mean(dim=0) - parameter)
    network.eval()


def _descended(network: Network, sampler: EpisodeSampler, stage: MetaStage) -> Network:
    """Return a copy of the network after some gradient steps in an episode."""
    own, episode, recipe = copy.deepcopy(network).train(), sampler.draw(), stage.episodes.training
    inputs, target, weight = map(torch.from_numpy, (episode.inputs, episode.varied, episode.varied_weight))
    optimiser = torch.optim.Adam(own.parameters(), stage.inner_rate)
    for _ in range(stage.inner_steps):
        phase = sampler.phase()
        loss = activation_loss(own, inputs, target, weight, recipe.huber, phase, recipe.correlation_share)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(own.parameters(), 1.0)
        optimiser.step()
    return own
