"""What tests share: a tiny network, subjects whose EMG follows from their IMUs, and the real data where it is.

Factories are fixtures, so that any test module can use them without an import.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Before torch is imported, here and in every process that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
from fixtures.factories import BundleFactory, RecordingFactory
from numpy.typing import NDArray

from imu_emg_estimator.datasets.hugadb import RIG
from imu_emg_estimator.model.bundle import Bundle, Reference, weight_shapes
from imu_emg_estimator.model.network_config import ModelConfig
from imu_emg_estimator.recording import RawEmg, Recording
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.emg_envelope import EnvelopeSettings, emg_envelope
from imu_emg_estimator.signals.imu_features import Normalisation, feature_count

DATA_VARIABLE = "IMU_EMG_HUGADB"
STRIDE_RATE = {"walking": 0.95, "running": 1.4, "stairs_up": 0.8, "stairs_down": 0.9}  # Hz; 0 in all else
HARMONICS = 3
TINY = {"width": 16, "layers": 2, "heads": 2, "band": 12, "kernel": 3, "feedforward": 16, "look_ahead": 2}
REST = np.array([0.0, 0.0, 9.81, 0.0, 0.0, 0.0])
ROS_TESTS = Path(__file__).parent / "ros"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Says what one process runs where ``pytest --dist loadgroup`` has several: a file, or all ROS tests.

    Those are live: two at a time would be late by each other. They come first, as they last longest.
    """
    items.sort(key=lambda item: ROS_TESTS not in item.path.parents)
    for item in items:
        group = "ros" if ROS_TESTS in item.path.parents else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def rig() -> Rig:
    """Six IMUs and two muscles on the legs, at 58.8 Hz."""
    return RIG


@pytest.fixture(scope="session")
def make_bundle() -> BundleFactory:
    """Function that makes a bundle of random weights; keywords override the tiny network's shape."""
    return random_bundle


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    """A bundle of random weights of the HuGaDB rig, 2 samples of look-ahead, receptive field 25 samples."""
    return random_bundle()


@pytest.fixture(scope="session")
def trained_bundle() -> Bundle:
    """A tiny network that learned from the synthetic subjects 1, 2 and 3."""
    from imu_emg_estimator.training.pretraining import TrainingSettings
    from imu_emg_estimator.training.recipe import train_bundle

    schedule = (("standing", 5.0), ("walking", 30.0), ("running", 10.0))
    subjects = [synthetic_recording(schedule, subject=str(seed), seed=seed) for seed in (1, 2, 3)]
    settings = TrainingSettings(steps=120, batch=8, sequence=64, learning_rate=1e-2, averaging=0.97)
    return train_bundle(subjects, "trained", "synthetic", settings, overrides=TINY)


@pytest.fixture(scope="session")
def make_recording() -> RecordingFactory:
    """Function that makes a recording of a synthetic subject; see ``synthetic_recording``."""
    return synthetic_recording


@pytest.fixture(scope="session")
def hugadb_folder() -> Path:
    """Folder of HuGaDB v1: $IMU_EMG_HUGADB, or shared/data/hugadb_v1 beside the checkout."""
    beside = Path(__file__).parents[2] / "shared" / "data" / "hugadb_v1"
    folder = Path(os.environ.get(DATA_VARIABLE, beside))
    if not folder.is_dir():
        pytest.skip(f"HuGaDB v1 is not in {folder}; set {DATA_VARIABLE} to its folder")
    return folder


def random_bundle(seed: int = 0, rig: Rig = RIG, name: str = "tiny", **shape: Any) -> Bundle:
    """A bundle of random weights, large enough that no part of the network is idle."""
    config = ModelConfig(feature_count(len(rig.sensors)), len(rig.muscles), **(TINY | shape))
    generator = np.random.default_rng(seed)

    def weight(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        scale = np.prod(shape[1:]) ** -0.5 if len(shape) > 1 else 0.1
        centre = 1.0 if "norm.weight" in name else 0.0
        return (centre + scale * generator.standard_normal(shape)).astype(np.float32)

    return Bundle(
        name=name,
        config=config,
        rig=rig,
        envelope=EnvelopeSettings(),
        normalisation=Normalisation(np.tile(REST, (len(rig.sensors), 1)), np.full((len(rig.sensors), 6), 2.0)),
        reference=Reference((40.0,) * len(rig.muscles), "count", "made up"),
        weights={name: weight(name, shape) for name, shape in weight_shapes(config).items()},
        training={"dataset": "synthetic", "subjects": ["1", "2"]},
    )


def synthetic_recording(
    schedule: Sequence[tuple[str, float]] = (("walking", 30.0),),
    subject: str = "9",
    seed: int = 0,
    emg_delay: float = 0.0,
    amplitude: float = 50.0,
    rig: Rig = RIG,
) -> Recording:
    """Strides of a subject whose EMG is a function of the phase that the IMUs show.

    Args:
        schedule: activities and their durations [s], at least 2 s in all; only locomotion moves.
        seed: of the subject's pace and of the noise; the movement itself is the same for all.
        emg_delay: share of a stride by which this subject's muscles are later than usual.
        amplitude: peak of the EMG envelope [count].
    """
    generator = np.random.default_rng(seed)
    condition = np.repeat([name for name, _ in schedule], [round(seconds * rig.rate) for _, seconds in schedule])
    pace = (1.0 + 0.1 * generator.uniform(-1, 1)) * (1.0 + 0.1 * generator.standard_normal(len(condition)))
    moving = np.array([STRIDE_RATE.get(name, 0.0) for name in condition])
    phase = np.cumsum(moving * pace) / rig.rate

    imu = np.empty((len(condition), len(rig.sensors), 6))
    for index, sensor in enumerate(rig.sensors):
        reflection = rig.mirror_signs() if sensor.side == "right" else np.ones(6)
        movement = _movement(sensor.segment, phase + _lead(sensor.side)) * (moving > 0)[:, None]
        imu[:, index] = REST + reflection * movement
    imu += 0.1 * generator.standard_normal(imu.shape)

    activity = np.stack([_burst(phase + _lead(muscle.side) - emg_delay) for muscle in rig.muscles], axis=1)
    # A carrier that changes sign with every sample: its envelope is the activity itself.
    raw = amplitude * np.where(moving[:, None] > 0, activity, 0.02) * (-1.0) ** np.arange(len(phase))[:, None]
    raw += 0.01 * amplitude * generator.standard_normal(raw.shape)
    return Recording(
        name=f"synthetic_{subject}_{seed}",
        subject=subject,
        rig=rig,
        start=0.0,
        imu=imu,
        envelope=emg_envelope(raw, rig.rate, EnvelopeSettings()),
        envelope_unit="count",
        muscle_weight=np.ones(len(rig.muscles)),
        condition=condition,
        emg=RawEmg(raw, rig.rate, "count"),
    )


def _lead(side: str) -> float:
    return 0.5 if side == "right" else 0.0


def _movement(segment: str, phase: NDArray[np.float64]) -> NDArray[np.float64]:
    """Six channels [samples, 6] of one segment over the phase of its leg [strides]."""
    generator = np.random.default_rng(list(segment.encode()))
    coefficients = generator.standard_normal((2, HARMONICS, 6)) / np.arange(1, HARMONICS + 1)[:, None]
    angle = 2 * np.pi * phase[:, None] * np.arange(1, HARMONICS + 1)
    return np.asarray(2.0 * (np.cos(angle) @ coefficients[0] + np.sin(angle) @ coefficients[1]))


def _burst(phase: NDArray[np.float64]) -> NDArray[np.float64]:
    """One burst a stride, from 0 to 1."""
    return np.asarray(np.exp(3.0 * (np.cos(2 * np.pi * (phase - 0.1)) - 1.0)))
