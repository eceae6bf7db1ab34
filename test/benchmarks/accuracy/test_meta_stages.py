"""Meta-learning stages go on from a trained network, and leave it unchanged."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from fixtures.factories import RecordingFactory, refusal

from benchmarks.accuracy.meta_stages import KINDS, REPTILE_STEPS, MetaStage, run_stage, usual_stage
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.causal_network import Estimator, network_of
from imu_emg_estimator.model.subject_data import SubjectData, prepare
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.training.episodic_training import EpisodeSettings
from imu_emg_estimator.training.pretraining import TrainingSettings

pytestmark = pytest.mark.slow

RECIPE = TrainingSettings(steps=3, sequence=64)
EPISODES = EpisodeSettings(episodes=1, support=2, query=2, training=RECIPE)
STAGE = MetaStage("reptile", EPISODES, inner_steps=2)


@pytest.fixture(scope="module")
def subjects(make_recording: RecordingFactory) -> list[SubjectData]:
    schedule = [("standing", 3.0), ("walking", 20.0), ("running", 5.0)]
    return [prepare([make_recording(schedule, subject=str(seed), seed=seed)]) for seed in (1, 2, 3)]


@pytest.fixture(scope="module")
def estimator(trained_bundle: Bundle) -> Estimator:
    return Estimator(network_of(trained_bundle), trained_bundle.normalisation, np.array([40.0, 40.0]))


def test_reptile_keeps_given_network_and_follows_seed(
    estimator: Estimator, subjects: list[SubjectData], rig: Rig
) -> None:
    before = {name: value.clone() for name, value in estimator.network.state_dict().items()}
    one, same = (run_stage(STAGE, estimator, subjects, rig).network.state_dict() for _ in range(2))
    other = run_stage(STAGE.seeded(1), estimator, subjects, rig).network.state_dict()
    assert all(torch.equal(value, before[name]) for name, value in estimator.network.state_dict().items())
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["front_end.convolution.weight"], other["front_end.convolution.weight"])
    assert not torch.equal(one["front_end.convolution.weight"], before["front_end.convolution.weight"])


def test_reptile_moves_weights_partly(estimator: Estimator, subjects: list[SubjectData], rig: Rig) -> None:
    base = estimator.network.state_dict()

    def moved(share: float) -> float:
        stage = replace(STAGE, outer_rate=share, episodes=replace(EPISODES, training=replace(RECIPE, steps=1)))
        state = run_stage(stage, estimator, subjects, rig).network.state_dict()
        return float((state["head.weight"] - base["head.weight"]).norm())

    assert moved(0.0) == 0.0
    assert moved(0.5) == pytest.approx(0.5 * moved(1.0), rel=1e-3)


def test_reptile_uses_loss_of_recipe(estimator: Estimator, subjects: list[SubjectData], rig: Rig) -> None:
    heads = []
    for share in (0.0, 0.2):
        episodes = replace(EPISODES, training=replace(RECIPE, correlation_share=share))
        heads.append(run_stage(replace(STAGE, episodes=episodes), estimator, subjects, rig).network.head.weight)
    assert not torch.equal(*heads)


def test_run_stage_refuses_subjects_without_locomotion(
    estimator: Estimator, subjects: list[SubjectData], rig: Rig
) -> None:
    still = [replace(subject, locomotion=np.zeros_like(subject.locomotion)) for subject in subjects]
    with refusal("locomotion"):
        run_stage(STAGE, estimator, still, rig)


def test_meta_stage_names_unknown_kind_and_known_ones() -> None:
    with refusal("'magic'", *KINDS):
        MetaStage(kind="magic")


def test_usual_stage_of_reptile_has_fewer_steps() -> None:
    assert usual_stage("reptile").episodes.training.steps == REPTILE_STEPS
    assert usual_stage("ridge").episodes == EpisodeSettings()
