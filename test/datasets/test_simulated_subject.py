"""The simulated subject: made up from figures of real ones, it moves and contracts as they do."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from imu_emg_estimator.datasets.hugadb import RIG
from imu_emg_estimator.datasets.movement_statistics import (
    FILE_NAME,
    HARMONICS,
    MovementStatistics,
    fourier_basis,
    shipped_statistics,
)
from imu_emg_estimator.datasets.simulated_subject import SCHEDULE, Schedule, SubjectState, simulate, simulate_on
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.signals.emg_envelope import EnvelopeSettings, emg_envelope
from imu_emg_estimator.signals.stride_detection import stride_starts, strides, time_normalise
from imu_emg_estimator.utils import shipped_files as resources

SHANKS = {"right": 1, "left": 4}


@pytest.fixture(scope="module")
def statistics() -> MovementStatistics:
    return shipped_statistics()


@pytest.fixture(scope="module")
def subjects(statistics: MovementStatistics) -> list[Recording]:
    return [simulate(statistics, 240.0, seed) for seed in range(4)]


def steady(recording: Recording, side: str, condition: str) -> NDArray[np.intp]:
    """Strides of a leg that are wholly of one activity."""
    pairs = strides(stride_starts(recording.imu[:, SHANKS[side]], RIG.rate), RIG.rate)
    return pairs[[bool((recording.condition[a : b + 1] == condition).all()) for a, b in pairs]]


def profile(recording: Recording, side: str, condition: str) -> NDArray[np.float64]:
    """Mean envelope of a leg over its strides, [points]."""
    muscle = ("right", "left").index(side)
    return time_normalise(recording.envelope[:, muscle], steady(recording, side, condition)).mean(axis=0)


def test_simulate_returns_recording_named_simulated(subjects: list[Recording]) -> None:
    recording = subjects[3]
    assert recording.subject == recording.name == "simulated-3"
    assert recording.rig == RIG
    assert len(recording) == round(240.0 * RIG.rate)
    assert np.isfinite(recording.imu).all()
    assert np.isfinite(recording.envelope).all()
    assert recording.envelope_unit == "count"
    assert recording.muscle_weight.all()
    np.testing.assert_array_equal(np.unique(recording.condition), sorted({name for name, _ in SCHEDULE}))


def test_simulate_envelope_equals_that_of_raw_emg(subjects: list[Recording]) -> None:
    emg = subjects[0].emg
    assert emg is not None
    assert (emg.rate, emg.unit) == (RIG.rate, "count")
    np.testing.assert_array_equal(emg.data, np.clip(np.round(emg.data), 0, 255))
    envelope = emg_envelope(emg.data, emg.rate, EnvelopeSettings())
    np.testing.assert_allclose(subjects[0].envelope, envelope, rtol=1e-5, atol=1e-5)


def test_simulate_follows_seed(statistics: MovementStatistics, subjects: list[Recording]) -> None:
    again = simulate(statistics, 240.0, 1)
    np.testing.assert_array_equal(again.imu, subjects[1].imu)
    np.testing.assert_array_equal(again.envelope, subjects[1].envelope)
    profiles = np.array([profile(recording, "right", "walking") for recording in subjects])
    other_day = simulate(statistics, 120.0, 1, [("walking", 120.0)])
    likeness = [np.corrcoef(profile(other_day, "right", "walking"), known)[0, 1] for known in profiles]
    assert int(np.argmax(likeness)) == 1
    amplitudes = profiles.max(axis=1)
    assert amplitudes.max() > 1.3 * amplitudes.min()


@pytest.mark.parametrize(
    ("condition", "shortest", "longest"),
    [("walking", 0.75, 1.15), ("running", 0.45, 0.75), ("stairs_up", 0.7, 1.3), ("stairs_down", 0.6, 1.1)],
)
def test_simulate_has_plausible_strides(
    subjects: list[Recording], condition: str, shortest: float, longest: float
) -> None:
    for recording in subjects:
        seconds = (recording.condition == condition).sum() / RIG.rate
        for side in SHANKS:
            pairs = steady(recording, side, condition)
            durations = (pairs[:, 1] - pairs[:, 0]) / RIG.rate
            assert shortest < np.median(durations) < longest
            assert durations.sum() > 0.6 * seconds


def test_simulate_legs_alternate(subjects: list[Recording]) -> None:
    for recording in subjects:
        left = stride_starts(recording.imu[:, SHANKS["left"]], RIG.rate)
        leads = []
        for first, last in steady(recording, "right", "walking"):
            leads += [(start - first) / (last - first) for start in left if first < start < last]
        assert np.median(leads) == pytest.approx(0.5, abs=0.07)


def test_simulate_stands_still_with_gravity(subjects: list[Recording]) -> None:
    for recording in subjects:
        still = recording.condition == "standing"
        inner = still & np.roll(still, 60) & np.roll(still, -60)
        inner[:60] = still[:60]
        assert np.abs(recording.imu[inner][..., 3:]).mean() < 0.1
        gravity = np.linalg.norm(recording.imu[inner][..., :3].mean(axis=0), axis=1)
        np.testing.assert_allclose(gravity, 9.81, rtol=0.15)


def test_simulate_mirrors_left_leg(subjects: list[Recording]) -> None:
    lateral = np.mean(
        [recording.imu[recording.condition == "standing", :, 1].mean(axis=0) for recording in subjects], axis=0
    )
    right_foot, left_foot = lateral[0], lateral[3]
    assert right_foot < -1.0 < 1.0 < left_foot  # m/s^2; feet turn outwards


def test_simulate_changes_activity_smoothly(statistics: MovementStatistics) -> None:
    recording = simulate(statistics, 60.0, 0, [("standing", 5.0), ("walking", 5.0)])
    changes = np.flatnonzero(recording.condition[1:] != recording.condition[:-1])
    thigh = np.abs(np.diff(recording.imu[:, 2, 4]))
    moving = thigh[recording.condition[1:] == "walking"]
    assert all(thigh[k - 5 : k + 5].max() <= 1.5 * np.percentile(moving, 99) for k in changes)


def test_simulate_emg_varies_with_stride_as_in_real_subjects(subjects: list[Recording]) -> None:
    """Share of the envelope's variance that is locked to the stride: 0.12 to 0.59 in ten real subjects."""
    shares = []
    for recording in subjects:
        for muscle, side in enumerate(SHANKS):
            strides_ = time_normalise(recording.envelope[:, muscle], steady(recording, side, "walking"))
            shares.append(1 - ((strides_ - strides_.mean(axis=0)) ** 2).mean() / strides_.var())
    assert 0.2 < np.mean(shares) < 0.6


@pytest.mark.parametrize(
    ("seconds", "schedule", "fault"),
    [
        (1.0, SCHEDULE, r"1 s cannot be simulated; choose 5 to 3600 s"),
        (float("nan"), SCHEDULE, r"nan s cannot be simulated"),
        (1e6, SCHEDULE, r"1e\+06 s cannot be simulated"),
        (
            60.0,
            (("swimming", 10.0),),
            r"'swimming' cannot be simulated; choose from standing, sitting, walking",
        ),
        (60.0, (("walking", 0.0),), r"0 s of 'walking' cannot be simulated"),
    ],
)
def test_simulate_refuses_bad_durations_and_activities(
    statistics: MovementStatistics, seconds: float, schedule: Schedule, fault: str
) -> None:
    with pytest.raises(InputError, match=fault):
        simulate(statistics, seconds, 0, schedule)


def test_simulate_on_follows_without_a_jump_and_tires(statistics: MovementStatistics) -> None:
    days = simulate_on(statistics, 1, [("walking", 20.0)], SubjectState(fatigue=1.0))
    first, second, third = (next(days) for _ in range(3))
    assert second.start - first.start == pytest.approx(20.0)
    assert not np.array_equal(first.imu[60:600], second.imu[60:600])
    assert third.envelope.mean() == pytest.approx(1.5 * first.envelope.mean(), rel=0.25)
    still = simulate_on(statistics, 1, [("sitting", 5.0), ("standing", 5.0)])
    joined = np.concatenate([next(still).imu, next(still).imu])
    assert np.abs(np.diff(joined[..., :3], axis=0)).max() < 1.0  # m/s^2, while gravity turns by a right angle


def test_load_raises_emg_and_not_movement(statistics: MovementStatistics) -> None:
    free, loaded = (simulate(statistics, 20.0, 0, state=SubjectState(load=load)) for load in (0.0, 0.5))
    np.testing.assert_array_equal(free.imu, loaded.imu)
    assert loaded.envelope.mean() == pytest.approx(1.5 * free.envelope.mean(), rel=0.02)


def test_simulate_sits_down_and_rises(statistics: MovementStatistics) -> None:
    """The thighs are level when the subject sits, upright when it stands."""
    recording = simulate(statistics, 40.0, 0, [("sit_to_stand", 40.0)])
    assert set(recording.condition) == {"sitting", "standing", "standing_up", "sitting_down"}
    upright = {
        name: recording.imu[recording.condition == name][:, 2, :3].mean(axis=0) for name in ("sitting", "standing")
    }
    cosine = upright["sitting"] @ upright["standing"] / np.prod([np.linalg.norm(v) for v in upright.values()])
    assert cosine < 0.6


# the figures


def test_shipped_statistics_are_small_and_from_allowed_subjects(statistics: MovementStatistics) -> None:
    assert resources.resource_file(FILE_NAME).stat().st_size < 220_000
    assert statistics.rig == RIG
    assert statistics.subjects == 13


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"[]"])
def test_load_names_file_without_statistics(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "mine.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"mine\.npz holds no movement statistics of version 2"):
        MovementStatistics.load(tmp_path / "mine.npz")


def test_fourier_basis_is_periodic_and_exact() -> None:
    phase = np.linspace(0.0, 1.0, 200, endpoint=False)
    signal = 2.0 + np.cos(2 * np.pi * phase) - 0.5 * np.sin(2 * np.pi * HARMONICS * phase)
    coefficients = np.linalg.pinv(fourier_basis(phase)) @ signal
    np.testing.assert_allclose(fourier_basis(phase + 7) @ coefficients, signal, atol=1e-9)
