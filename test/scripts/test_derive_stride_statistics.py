"""Stride statistics that are derived from recordings say what was recorded."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imu_emg_estimator.datasets import hugadb
from imu_emg_estimator.datasets.hugadb import LOCOMOTION
from imu_emg_estimator.datasets.simulated_subject import simulate
from imu_emg_estimator.datasets.stride_statistics import shipped_statistics
from imu_emg_estimator.errors import InputError
from scripts.derive_stride_statistics import derive_stride_statistics


@pytest.fixture(scope="module")
def statistics() -> dict[str, Any]:
    return shipped_statistics()


@pytest.mark.slow
def test_derive_statistics_recovers_those_of_simulation(statistics: dict[str, Any]) -> None:
    """Derive, simulate, derive again: the means come back, masked gyroscopes and weak EMG change nothing."""
    recordings = []
    for seed in range(12):
        recording = simulate(statistics, 240.0, seed)
        if seed % 3 == 0:
            imu = recording.imu.copy()
            imu[:, :, 3:] = np.nan
            envelope = recording.envelope * [1.0, -1.0]
            recording = replace(recording, imu=imu, envelope=envelope, muscle_weight=np.array([1.0, 0.0]))
        recordings.append(recording)
    derived = json.loads(json.dumps(derive_stride_statistics(recordings)))
    assert derived.keys() == statistics.keys()
    assert derived["subjects"] == [f"simulated-{seed}" for seed in range(12)]
    assert derived["standing"][1] == pytest.approx(statistics["standing"][1], abs=1.5)  # the foot, sideways
    assert derived["amplitude"]["median"] == pytest.approx(statistics["amplitude"]["median"], rel=0.4)
    for condition in LOCOMOTION:
        old, new = (figures["conditions"][condition] for figures in (statistics, derived))
        assert new["stride_time"]["mean"] == pytest.approx(old["stride_time"]["mean"], rel=0.08)
        likeness = [
            np.corrcoef(np.array(old["mean"])[:5, channel], np.array(new["mean"])[:5, channel])[0, 1]
            for channel in (6, 8, 10, 16, 18)  # shank forward and down, its swing, the thigh's, the envelope
        ]
        assert min(likeness) > 0.8, (condition, likeness)


def test_derive_statistics_refuses_too_few_subjects(statistics: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"too few subjects show strides of 'walking'"):
        derive_stride_statistics([simulate(statistics, 30.0, 0)])


@pytest.mark.slow
def test_derive_statistics_of_real_subjects(hugadb_folder: Path) -> None:
    """Three real subjects lie around the shipped mean; the whole derivation takes too long for a test."""
    statistics = derive_stride_statistics(hugadb.load(hugadb_folder, ["2", "3", "15", "11"]))
    shipped = shipped_statistics()
    for condition in ("walking", "stairs_up"):
        few, all_ = (figures["conditions"][condition] for figures in (statistics, shipped))
        assert few["stride_time"]["mean"] == pytest.approx(all_["stride_time"]["mean"], rel=0.1)
        assert np.corrcoef(np.array(few["mean"])[:, 10], np.array(all_["mean"])[:, 10])[0, 1] > 0.9
