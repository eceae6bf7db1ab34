"""What several commands are run on: a data set, a bag, a trained bundle and a small recipe."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fixtures.calibration_actions import FIRST, SECOND, calibrated
from fixtures.command_line import write_hugadb
from fixtures.factories import RecordingFactory

from imu_emg_estimator.bags import write_bag
from imu_emg_estimator.calibration.calibration_store import store_calibration
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.network_config import ModelConfig
from imu_emg_estimator.training import recipe

SUBJECTS = ("1", "2", "9")


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory, make_recording: RecordingFactory) -> Path:
    """A folder like HuGaDB v1: subjects 1, 2 and 9, who stand, walk and run."""
    folder = tmp_path_factory.mktemp("hugadb")
    for seed, subject in enumerate(SUBJECTS):
        recording = make_recording([("standing", 3.0), ("walking", 20.0), ("running", 12.0)], seed=seed)
        write_hugadb(recording, folder / f"HuGaDB_v1_various_{int(subject):02d}_00.txt")
    return folder


@pytest.fixture(scope="session")
def bag(tmp_path_factory: pytest.TempPathFactory, make_recording: RecordingFactory) -> Path:
    """A bag of an unknown subject whose muscles fire late."""
    path = tmp_path_factory.mktemp("bags") / "walk"
    write_bag(make_recording([("walking", 40.0)], seed=20, emg_delay=0.06), path)  # less than what is corrected
    return path


@pytest.fixture
def tiny(trained_bundle: Bundle, tmp_path: Path) -> Path:
    """A trained bundle in a file; the subjects of its data set have other names than those of the folder."""
    trained_bundle.save(tmp_path / "tiny.safetensors")
    return tmp_path / "tiny.safetensors"


@pytest.fixture
def small_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands train with the recipe, only smaller and shorter."""

    def config(rig: Any, look_ahead_s: float, **_: Any) -> ModelConfig:
        ahead = round(look_ahead_s * rig.rate)
        return ModelConfig(72, 2, width=8, layers=1, heads=1, band=8, kernel=3, feedforward=8, look_ahead=ahead)

    monkeypatch.setattr(recipe, "model_config", config)
    monkeypatch.setattr(recipe, "RECIPE", replace(recipe.RECIPE, steps=2))


@pytest.fixture
def base(bundle: Bundle, tmp_path: Path) -> Path:
    bundle.save(tmp_path / "base.safetensors")
    return tmp_path / "base.safetensors"


@pytest.fixture
def two(bundle: Bundle, tmp_path: Path) -> Path:
    """A store with two calibrations of Anna, the second in use."""
    for name, steps in ((FIRST, 60), (SECOND, 90)):
        store_calibration(tmp_path / "store", calibrated(bundle, name, settings={"steps": steps, "method": "guarded"}))
    return tmp_path / "store"
