"""The prior of the subjects: where their heads differ, adaptation may follow; where they agree, it should not."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from fixtures.factories import RecordingFactory
from numpy.typing import NDArray

from benchmarks.accuracy.network_adapters import add_film, fold
from benchmarks.accuracy.subject_prior import FilmSettings, head_precision, learn_film, learn_prior
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.causal_network import Estimator, network_of
from imu_emg_estimator.model.offline_estimate import estimate_recording
from imu_emg_estimator.model.subject_data import SubjectData, prepare
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.training.pretraining import TrainingSettings

FILM = FilmSettings(size=2, training=TrainingSettings(steps=3, batch=2, sequence=64))


@pytest.fixture(scope="module")
def subjects(make_recording: RecordingFactory) -> list[SubjectData]:
    return [prepare([make_recording([("walking", 20.0)], seed=seed)]) for seed in (1, 2, 3)]


@pytest.fixture(scope="module")
def estimator(trained_bundle: Bundle) -> Estimator:
    return Estimator(network_of(trained_bundle), trained_bundle.normalisation, np.array([40.0, 40.0]))


def variance_along(precision: NDArray[np.float64], direction: NDArray[np.float64]) -> float:
    unit = direction / np.linalg.norm(direction)
    return float(unit @ np.linalg.inv(precision) @ unit)


def test_prior_precision_is_positive_definite(estimator: Estimator, subjects: list[SubjectData]) -> None:
    precision = head_precision(estimator, subjects)
    assert precision.shape == (17, 17)
    np.testing.assert_allclose(precision, precision.T, rtol=1e-6)
    assert np.linalg.eigvalsh(precision).min() > 0
    assert np.diag(np.linalg.inv(precision)).mean() == pytest.approx(1.1)  # one, and the floor


def test_prior_is_wide_where_subjects_differ_in_gain(estimator: Estimator, subjects: list[SubjectData]) -> None:
    """The direction of the shared head is what a gain changes."""
    by_gain = [
        replace(subject, target=(gain * subject.target).astype(np.float32))
        for subject, gain in zip(subjects, (0.3, 1.0, 1.7), strict=True)
    ]
    head = estimator.network.head
    direction = np.append(head.weight[0].detach().numpy(), head.bias[0].detach().numpy())
    assert variance_along(head_precision(estimator, by_gain), direction) > 1.5 * variance_along(
        head_precision(estimator, subjects), direction
    )


def test_prior_ignores_untrusted_channel(estimator: Estimator, subjects: list[SubjectData]) -> None:
    weight = subjects[0].weight * [1.0, 0.0]
    poisoned = [
        [replace(subjects[0], weight=weight, target=np.where(weight > 0, subjects[0].target, value)), *subjects[1:]]
        for value in (0.0, 1e6)
    ]
    one, other = (head_precision(estimator, group) for group in poisoned)
    np.testing.assert_allclose(one, other)


def test_film_covers_normalisation_layers_and_folds(
    estimator: Estimator, subjects: list[SubjectData], rig: Rig
) -> None:
    before = {name: value.clone() for name, value in estimator.network.state_dict().items()}
    directions = learn_film(estimator, subjects, rig, FILM)
    assert set(directions) == {name for name in before if "norm." in name}
    assert all(value.shape == (16, 2) and np.isfinite(value).all() for value in directions.values())
    assert all(torch.equal(value, before[name]) for name, value in estimator.network.state_dict().items())
    network = copy.deepcopy(estimator.network)
    embedding = add_film(network, directions)
    with torch.no_grad():
        embedding.value.copy_(torch.tensor([3.0, -2.0]))
    imu = subjects[0].imu[:200]
    modulated = estimate_recording(network, estimator.normalisation, imu)[0]
    folded = estimate_recording(fold(network), estimator.normalisation, imu)[0]
    plain = estimate_recording(estimator.network, estimator.normalisation, imu)[0]
    np.testing.assert_array_equal(modulated, folded)
    assert np.nanmax(np.abs(folded - plain)) > 1e-3
    assert set(network.state_dict()) == set(before)


def test_prior_has_film_only_on_request(estimator: Estimator, subjects: list[SubjectData], rig: Rig) -> None:
    assert learn_prior(estimator, subjects, rig).film is None
    assert learn_prior(estimator, subjects, rig, FILM).film
