"""Movement statistics that are derived from recordings say what was recorded, for any rig."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from imu_emg_estimator.datasets import hugadb
from imu_emg_estimator.datasets.derive_statistics import derive_statistics
from imu_emg_estimator.datasets.movement_statistics import MovementStatistics, shipped_statistics
from imu_emg_estimator.datasets.simulated_subject import simulate
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.recording import RawEmg, Recording
from imu_emg_estimator.rig import Movement, Muscle, Rig, Sensor

ARM = Rig("arm", 50.0, (Sensor("wrist", "wrist"),), (Muscle("biceps", "biceps"),), movements=(Movement("curl"),))


@pytest.fixture(scope="module")
def walkers() -> list[Recording]:
    """Four subjects who walk; the gyroscopes of two are masked, and one muscle is not trusted."""
    recordings = [simulate(shipped_statistics(), 40.0, seed, [("walking", 40.0)]) for seed in range(4)]
    recordings[0] = replace(recordings[0].without_gyroscopes(), muscle_weight=np.array([1.0, 0.0]))
    return [*recordings[:3], recordings[3].without_gyroscopes()]


def curls(subject: str, cycles: int, strength: float) -> Recording:
    """Slow swings of one sensor, with the muscle at work in their first half."""
    phase = np.arange(round(cycles * 2.0 * ARM.rate)) / (2.0 * ARM.rate)
    imu = np.zeros((len(phase), 1, 6))
    imu[:, 0, 0], imu[:, 0, 2] = 6 * np.sin(2 * np.pi * phase), 9.81
    envelope = strength * (0.1 + np.maximum(np.sin(2 * np.pi * phase), 0.0))[:, None]
    labels = np.full(len(phase), "curl")
    return Recording(f"{subject}/1", subject, ARM, 0.0, imu, envelope, "mV", np.ones(1), labels)


def test_derive_statistics_recovers_those_of_simulated_subjects(walkers: list[Recording]) -> None:
    derived, shipped = derive_statistics(walkers), shipped_statistics()
    assert (derived.activities, derived.subjects, derived.rig) == (("walking",), 4, walkers[0].rig)
    assert derived.time_mean[0] == pytest.approx(shipped.time_mean[0], abs=0.15)
    for channel in (6, 8, 10, 14, 36):  # shank forward and down, its swing, the thigh, the muscle
        pair = derived.mean[0, 1:9, channel], shipped.mean[0, 1:9, channel]
        powers = [np.hypot(course[::2], course[1::2]) for course in pair]  # whatever the phase
        assert np.corrcoef(*powers)[0, 1] > 0.8, channel


def test_derived_subject_moves_and_works_as_the_recorded_ones(tmp_path: Path) -> None:
    """Two people curl at 0.5 Hz, one twice as strong: the subject does, with the muscle in step with the sensor."""
    derive_statistics([curls("ann", 30, 0.2), curls("bob", 30, 0.4)]).save(tmp_path / "curls.npz")
    subject = simulate(MovementStatistics.load(tmp_path / "curls.npz"), 60.0, 3)
    assert subject.rig == ARM
    assert subject.emg is None  # no raw EMG was recorded
    assert set(subject.condition) == {"curl"}
    swing, envelope = subject.imu[:, 0, 0], subject.envelope[:, 0]
    assert np.corrcoef(swing, envelope)[0, 1] > 0.8
    assert np.abs(np.fft.rfft(swing))[1:].argmax() + 1 == pytest.approx(30, abs=2)  # in 60 s
    assert 0.1 < np.percentile(envelope, 95) < 0.9


def test_raw_emg_keeps_the_rate_of_the_recordings() -> None:
    recordings = [replace(curls(name, 30, 0.2), emg=RawEmg(np.zeros((60_000, 1)), 1000.0, "mV")) for name in "ab"]
    subject = simulate(derive_statistics(recordings), 10.0, 0)
    assert subject.emg is not None
    assert subject.emg.rate == 1000.0
    assert subject.emg.data.shape == (10_000, 1)
    assert subject.envelope.max() == pytest.approx(0.22, rel=0.5)


def test_derive_statistics_refuses_too_few_cycles() -> None:
    with pytest.raises(InputError, match=r"too few cycles to simulate anyone: 4 of curl; one subject needs 10"):
        derive_statistics([curls("ann", 6, 0.2)])


def test_derive_statistics_names_a_muscle_without_emg() -> None:
    silent = replace(curls("ann", 30, 0.2), muscle_weight=np.zeros(1))
    with pytest.raises(InputError, match=r"no recording has trusted EMG of biceps"):
        derive_statistics([silent])


@pytest.mark.slow
def test_derive_statistics_of_real_subjects(hugadb_folder: Path) -> None:
    """Two real subjects lie around the shipped mean; the whole derivation takes too long for a test."""
    derived, shipped = derive_statistics(hugadb.load(hugadb_folder, ["2", "3"])), shipped_statistics()
    assert "sit_to_stand" in shipped.activities
    assert derived.time_mean[0] == pytest.approx(shipped.time_mean[0], abs=0.15)
    assert derived.amplitude_mean == pytest.approx(shipped.amplitude_mean, abs=1.0)
