"""The recipe learns in episodes where it can, and a bundle says how it was made."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from helpers import RecordingFactory

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.recording import UNLABELLED, Recording
from imu_emg_estimator.training import recipe
from imu_emg_estimator.training.finishing import check_folds, with_uncertainty
from imu_emg_estimator.training.pretrain import TrainingSettings
from imu_emg_estimator.training.recipe import train_bundle, train_estimator

SHORT = TrainingSettings(steps=2, sequence=32)
TINY: dict[str, Any] = {"width": 8, "layers": 1, "heads": 1, "band": 8, "kernel": 3, "feedforward": 8}


@pytest.fixture(scope="module")
def wearers(make_recording: RecordingFactory) -> list[Recording]:
    return [
        make_recording([("standing", 4.0), ("walking", 30.0)], subject=str(seed), seed=seed, amplitude=20.0 * seed)
        for seed in (1, 2, 3)
    ]


def unlabelled(recordings: list[Recording]) -> list[Recording]:
    return [replace(recording, condition=np.full(len(recording), UNLABELLED)) for recording in recordings]


def train(recordings: list[Recording]) -> Bundle:
    return train_bundle(recordings, "short", "synthetic", SHORT, overrides=TINY)


def test_labelled_locomotion_is_learned_in_episodes(wearers: list[Recording], monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    for name in ("pretrain", "meta_pretrain"):
        original = getattr(recipe, name)
        monkeypatch.setattr(recipe, name, lambda *a, _f=original, _n=name, **k: (called.append(_n), _f(*a, **k))[1])
    assert train(wearers).training["episodes"] is True
    assert train(unlabelled(wearers)).training["episodes"] is False
    assert called == ["meta_pretrain", "pretrain"]


def test_bundle_knows_the_motion_of_its_wearers(wearers: list[Recording]) -> None:
    known = train(wearers).distribution
    assert known is not None
    assert "walking" in known.conditions
    assert train(wearers[:2]).distribution is None  # two wearers do not tell what a third may be like


def test_unknown_wearer_gets_the_population_s_amplitude(wearers: list[Recording]) -> None:
    amplitude = train_estimator(wearers, SHORT, TINY).amplitude
    assert amplitude[0] == pytest.approx(amplitude[1])  # twins share it
    assert 10.0 < amplitude[0] < 60.0


def test_deviation_is_scaled_by_networks_that_left_wearers_out(
    wearers: list[Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = train(wearers)
    trained_on: list[set[str]] = []

    def remembered(recordings: list[Recording], *arguments: Any, **keywords: Any) -> Any:
        trained_on.append({recording.subject for recording in recordings})
        return train_estimator(recordings, SHORT, TINY)

    monkeypatch.setattr("imu_emg_estimator.training.finishing.train_estimator", remembered)
    finished = with_uncertainty(bundle, wearers, 3, SHORT)
    assert trained_on == [{"2", "3"}, {"1", "3"}, {"1", "2"}]
    assert finished.uncertainty is not None
    assert finished.deviation_scale is not None
    np.testing.assert_array_equal(finished.weights["head.weight"], bundle.weights["head.weight"])
    check_folds(wearers, 3)
