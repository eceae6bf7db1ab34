"""Motion distributions separate training-like motion from misplaced sensors, on simulated subjects."""

from dataclasses import replace

import numpy as np
import pytest
from fixtures.factories import RecordingFactory, refusal

from benchmarks.accuracy import ood_alarm as alarm_module
from benchmarks.accuracy.ood_alarm import alarm, area_under_curve, false_alarms, spoilt_mounts
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.causal_network import Estimator, network_of
from imu_emg_estimator.model.motion_distribution import Distribution
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.training.fit_motion_distribution import fit_distribution, motion_of

SCHEDULE = (("standing", 10.0), ("walking", 40.0), ("running", 15.0))


@pytest.fixture(scope="module")
def subjects(make_recording: RecordingFactory) -> list[Recording]:
    return [make_recording(SCHEDULE, subject=str(seed), seed=seed) for seed in range(1, 6)]


@pytest.fixture(scope="module")
def distribution(subjects: list[Recording]) -> Distribution:
    return fit_distribution(subjects)


@pytest.fixture(scope="module")
def other(make_recording: RecordingFactory) -> Recording:
    return make_recording(SCHEDULE, subject="9", seed=9)


def scores(distribution: Distribution, recording: Recording) -> np.ndarray:
    motion = motion_of([recording])
    return distribution.scores(motion.statistics, motion.available)


def test_motion_distribution_accepts_unseen_subject(distribution: Distribution, other: Recording) -> None:
    distribution.check(6)
    assert set(distribution.conditions) == {"standing", "walking", "running"}
    assert 0.3 < np.median(scores(distribution, other)) < 1.3
    figures = false_alarms(distribution, [other])
    assert figures["share"] < 0.1
    assert figures["a_minute"] < 6


def test_motion_distribution_flags_misplaced_sensors(distribution: Distribution, other: Recording, rig: Rig) -> None:
    assert len(list(spoilt_mounts(rig))) == 1 + 3 + 4 + 3 * 3 * 6
    cases = dict(spoilt_mounts(rig))
    for name in ("sides exchanged", "left and right thigh exchanged", "shank and thigh exchanged",
                 "rotated 90° about x: thigh", "rotated 180° about x: foot"):  # fmt: skip
        spoilt = replace(other, imu=cases[name](other.imu))
        assert (scores(distribution, spoilt) > distribution.threshold).mean() > 0.9, name


def test_motion_distribution_flags_left_out_activity(subjects: list[Recording], other: Recording) -> None:
    """Made subjects run as they walk, only faster; the one that is judged here also swings its legs further."""
    without = fit_distribution(subjects, without=["running"])
    assert set(without.conditions) == {"standing", "walking"}
    running = (other.condition == "running")[:, None, None]
    further = replace(other, imu=np.where(running, 2.0 * other.imu, other.imu))
    motion = motion_of([further]).of(["running"])
    assert (without.scores(motion.statistics, motion.available) > without.threshold).mean() > 0.9


def test_motion_distribution_ignores_missing_sensor(distribution: Distribution, other: Recording, rig: Rig) -> None:
    imu = other.imu.copy()
    imu[:, 2] = np.nan
    gone = scores(distribution, replace(other, imu=imu))
    assert np.isfinite(gone).all()
    assert (gone > distribution.threshold).mean() < 0.2
    turned = dict(spoilt_mounts(rig))["rotated 90° about x: shank"](imu)
    assert (scores(distribution, replace(other, imu=turned)) > distribution.threshold).mean() > 0.9
    assert np.isnan(scores(distribution, replace(other, imu=np.full_like(imu, np.nan)))).all()


def test_motion_distribution_refuses_too_few_subjects(subjects: list[Recording]) -> None:
    with refusal("2 subjects", "at least 3"):
        fit_distribution(subjects[:2])


@pytest.mark.slow
def test_alarm_is_scored_on_left_out_subjects(
    subjects: list[Recording], other: Recording, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alarm_module, "ANGLES_DEG", (90,))
    estimator = Estimator(network_of(bundle), bundle.normalisation, np.array(bundle.reference.amplitude))
    figures = alarm(subjects, {"9": [other]}, estimator)
    assert figures["auroc"]["rotated 90° about y: thigh"]["motion"] == [pytest.approx(1.0, abs=0.05)] * 2
    assert set(figures["auroc"]["sides exchanged"]) == {"motion", "gravity", "tokens", "tokens over two seconds"}
    assert figures["raised"]["sides exchanged"] == [pytest.approx(1.0, abs=0.1)]
    assert figures["false_alarms"]["9"]["share"] < 0.1


def test_area_under_curve() -> None:
    assert area_under_curve(np.array([0.0, 1.0]), np.array([2.0, 3.0])) == 1.0
    assert area_under_curve(np.array([0.0, 1.0]), np.array([0.0, 1.0])) == 0.5
    assert area_under_curve(np.array([1.0, np.nan]), np.array([0.0])) == 0.0
