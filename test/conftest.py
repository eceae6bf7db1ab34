"""Fixtures that all tests share, and which tests run when none is named."""

import gc
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

# Before torch is imported, here and in every process that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from filelock import FileLock
from fixtures.factories import TINY, BundleFactory, RecordingFactory, as_of_eight, random_bundle, synthetic_recording

from imu_emg_estimator.datasets.hugadb import RIG
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.rig import Rig

DATA_VARIABLE = "IMU_EMG_HUGADB"
ROS_TESTS = Path(__file__).parent / "ros"
QUICK_TESTS = "not slow and not ros and not hostile"


def pytest_configure(config: pytest.Config) -> None:
    """Select the quick tests when neither a test nor a marker is named on the command line."""
    gc.set_threshold(100_000, 20, 20)  # torch and thousands of tests are many objects, looked through in vain
    if config.args_source is not pytest.Config.ArgsSource.ARGS and not config.option.markexpr:
        config.option.markexpr = QUICK_TESTS


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the ROS tests; the files with most of them come first, then those with most of the other long tests."""
    long: dict[str, Counter[Path]] = {marker: Counter() for marker in ("ros", "slow", "hostile")}
    for item in items:
        if ROS_TESTS in item.path.parents:
            item.add_marker("ros")
        for marker, files in long.items():
            files[item.path] += item.get_closest_marker(marker) is not None
    items.sort(key=lambda item: [-files[item.path] for files in long.values()])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Choose what one process of several runs: a file."""
    from fixtures.file_scheduling import FileScheduling

    return FileScheduling(config, log)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the ROS tests out of a quick run before they import ROS."""
    return True if collection_path == ROS_TESTS and config.option.markexpr == QUICK_TESTS else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say that tests were left out of a quick run."""
    if config.option.markexpr == QUICK_TESTS:
        terminalreporter.write_line("quick tests only, without the slow, ros and hostile ones; all: make test")


@pytest.fixture(scope="session")
def rig() -> Rig:
    """Return the rig of six IMUs and two muscles on the legs, at 58.8 Hz."""
    return RIG


@pytest.fixture(scope="session")
def make_bundle() -> BundleFactory:
    """Return a function that makes a bundle of random weights; keywords override the tiny network's shape."""
    return random_bundle


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    """Make a bundle of random weights of the HuGaDB rig: 2 samples of look-ahead, receptive field 25 samples."""
    return random_bundle()


def train_tiny_bundle() -> Bundle:
    from imu_emg_estimator.training.pretraining import TrainingSettings
    from imu_emg_estimator.training.recipe import train_bundle

    schedule = (("standing", 5.0), ("walking", 30.0), ("running", 10.0))
    subjects = [synthetic_recording(schedule, subject=str(seed), seed=seed) for seed in (1, 2, 3)]
    settings = TrainingSettings(steps=120, batch=8, sequence=64, learning_rate=1e-2, averaging=0.97)
    return train_bundle(subjects, "trained", "synthetic", settings, overrides=TINY)


@pytest.fixture(scope="session")
def bundle_of_three(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Train a tiny network on the synthetic subjects 1, 2 and 3, once for all processes of pytest-xdist."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return train_tiny_bundle()
    path = tmp_path_factory.getbasetemp().parent / "trained.safetensors"
    with FileLock(f"{path}.lock"):
        if not path.exists():
            train_tiny_bundle().save(path)
    return Bundle.load(path)


@pytest.fixture(scope="session")
def trained_bundle(bundle_of_three: Bundle) -> Bundle:
    """Give the same, as if eight subjects had taught it."""
    subjects = as_of_eight(*bundle_of_three.training["subjects"])
    return replace(bundle_of_three, training={**bundle_of_three.training, "subjects": subjects})


@pytest.fixture(scope="module")
def bundle_path(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save the tiny bundle once for a module; return its file."""
    path = tmp_path_factory.mktemp("bundle") / "tiny.safetensors"
    bundle.save(path)
    return path


@pytest.fixture(scope="session")
def make_recording() -> RecordingFactory:
    """Return a function that records a synthetic subject; see ``synthetic_recording``."""
    return synthetic_recording


@pytest.fixture(scope="session")
def hugadb_folder() -> Path:
    """Return the folder of HuGaDB v1: $IMU_EMG_HUGADB, or shared/data/hugadb_v1 beside the checkout."""
    beside = Path(__file__).parents[2] / "shared" / "data" / "hugadb_v1"
    folder = Path(os.environ.get(DATA_VARIABLE, beside))
    if not folder.is_dir():
        pytest.skip(f"HuGaDB v1 is not in {folder}; set {DATA_VARIABLE} to its folder")
    return folder
