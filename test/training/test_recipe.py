"""The recipe learns in episodes where it can, and a bundle says how it was made."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fixtures.factories import RecordingFactory

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.recording import UNLABELLED, Recording
from imu_emg_estimator.training import recipe
from imu_emg_estimator.training.fit_conformal_uncertainty import check_folds, retrain_folds, with_uncertainty
from imu_emg_estimator.training.pretraining import TrainingSettings
from imu_emg_estimator.training.recipe import train_bundle, train_estimator

SHORT = TrainingSettings(steps=2, sequence=32)
TINY: dict[str, Any] = {"width": 8, "layers": 1, "heads": 1, "band": 8, "kernel": 3, "feedforward": 8}


@pytest.fixture(scope="module")
def subjects(make_recording: RecordingFactory) -> list[Recording]:
    return [
        make_recording([("standing", 4.0), ("walking", 30.0)], subject=str(seed), seed=seed, amplitude=20.0 * seed)
        for seed in (1, 2, 3)
    ]


def unlabelled(recordings: list[Recording]) -> list[Recording]:
    return [replace(recording, condition=np.full(len(recording), UNLABELLED)) for recording in recordings]


def train(recordings: list[Recording]) -> Bundle:
    return train_bundle(recordings, "short", "synthetic", SHORT, overrides=TINY)


def test_train_uses_episodes_with_labelled_locomotion(
    subjects: list[Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[str] = []
    for name in ("pretrain", "pretrain_in_episodes"):
        original = getattr(recipe, name)
        monkeypatch.setattr(recipe, name, lambda *a, _f=original, _n=name, **k: (called.append(_n), _f(*a, **k))[1])
    assert train(subjects).training["episodes"] is True
    assert train(unlabelled(subjects)).training["episodes"] is False
    assert called == ["pretrain_in_episodes", "pretrain"]


def test_train_fits_motion_distribution(subjects: list[Recording]) -> None:
    known = train(subjects).distribution
    assert known is not None
    assert "walking" in known.conditions
    assert train(subjects[:2]).distribution is None  # two subjects do not tell what a third may be like


def test_train_uses_population_amplitude(subjects: list[Recording]) -> None:
    amplitude = train_estimator(subjects, SHORT, TINY).amplitude
    assert amplitude[0] == pytest.approx(amplitude[1])  # twins share it
    assert 10.0 < amplitude[0] < 60.0


def test_train_scales_deviation_on_left_out_subjects(
    subjects: list[Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = train(subjects)
    trained_on: list[set[str]] = []

    def remembered(recordings: list[Recording], *arguments: Any, **keywords: Any) -> Any:
        trained_on.append({recording.subject for recording in recordings})
        return train_estimator(recordings, SHORT, TINY)

    monkeypatch.setattr("imu_emg_estimator.training.fit_conformal_uncertainty.train_estimator", remembered)
    finished = with_uncertainty(bundle, subjects, retrain_folds(subjects, 3, SHORT))
    assert trained_on == [{"2", "3"}, {"1", "3"}, {"1", "2"}]
    assert finished.uncertainty is not None
    assert finished.deviation_scale is not None
    np.testing.assert_array_equal(finished.weights["head.weight"], bundle.weights["head.weight"])
    check_folds(subjects, 3)
