"""Gravity is told from the movement of any limb: one that turns through a right angle and more all the time, too."""

from dataclasses import replace

import numpy as np
import pytest
from fixtures.factories import RecordingFactory
from numpy.typing import NDArray

from imu_emg_estimator.recording import Recording
from imu_emg_estimator.signals.gravity import gravity_of
from imu_emg_estimator.signals.signal_quality import sensor_verdicts

Array = NDArray[np.floating]
RATE = 100.0


def turning_wrist(seconds: float = 30.0, amplitude_deg: float = 80.0, period_s: float = 1.7) -> tuple[Array, Array]:
    """Return gravity in the axes of a wrist that swings all the time, and what its movement adds [samples, 3]."""
    rng = np.random.default_rng(0)
    phase = 2 * np.pi * np.arange(round(seconds * RATE)) / RATE / period_s
    angle = np.radians(amplitude_deg) * np.sin(phase)
    gravity = 9.81 * np.column_stack([np.cos(angle), np.sin(angle), np.zeros(len(angle))])
    added = np.column_stack([2.0 * np.cos(phase) ** 2 - 1.0, 2.0 * np.cos(phase), 0.5 * np.sin(3 * phase)])
    return gravity, added + 0.05 * rng.standard_normal(gravity.shape)


@pytest.fixture(scope="module")
def walk(make_recording: RecordingFactory) -> Recording:
    return make_recording([("walking", 30.0)], seed=3)


def verdict(walk: Recording, acceleration: Array) -> str:
    """Verdict on a sensor with these accelerations, which has no gyroscope."""
    rig = replace(walk.rig, rate=RATE, sensors=walk.rig.sensors[:1])
    imu = np.full((len(acceleration), 1, 6), np.nan)
    imu[:, 0, :3] = acceleration
    samples = len(acceleration)
    recording = replace(
        walk,
        rig=rig,
        imu=imu,
        envelope=np.ones((samples, len(rig.muscles))),
        condition=np.full(samples, "curl"),
        emg=None,
    )
    return sensor_verdicts(recording)[rig.sensor_names[0]]


def test_gravity_of_turning_limb_is_its_level() -> None:
    gravity, added = turning_wrist()
    found = gravity_of([gravity + added], RATE)
    assert found.length < 8.0  # what made good wrists broken sensors
    assert not found.quiet
    assert found.level == pytest.approx(10.0, abs=0.5)


def test_gravity_is_exact_in_half_seconds_of_rest() -> None:
    gravity, added = turning_wrist()
    gravity[1000:1060] = gravity[1000]
    gravity[2000:2210] = gravity[2000]
    for start, stop in ((1000, 1060), (2000, 2210)):
        added[start:stop] *= 0.02
    found = gravity_of([1.05 * (gravity + added)], RATE)
    assert found.quiet
    assert found.length == pytest.approx(1.05 * 9.81, abs=0.05)


def test_gravity_of_nothing_finite_is_nan() -> None:
    found = gravity_of([np.full((500, 3), np.nan)], RATE)
    assert np.isnan([found.length, found.level]).all()
    assert not found.quiet


def test_good_sensor_on_turning_wrist_is_good(walk: Recording) -> None:
    assert verdict(walk, sum(turning_wrist())) == "good"


@pytest.mark.parametrize(("scale", "says"), [(1 / 9.81, "in g"), (0.7, "less than gravity"), (3.0, "instead of 9.81")])
def test_wrong_scale_of_turning_wrist_is_told(walk: Recording, scale: float, says: str) -> None:
    found = verdict(walk, scale * sum(turning_wrist()))
    assert found.startswith("left out")
    assert says in found


def test_removed_gravity_of_vigorous_wrist_is_told(walk: Recording) -> None:
    _, added = turning_wrist()
    found = verdict(walk, 6.0 * added)
    assert found.startswith("left out")
    assert "remove" in found


def shaken(lengths: list[float], share: float) -> Array:
    """Samples of these lengths along one axis, shaken along another by a share of 9.81 m/s²."""
    sideways = 9.81 * share * (-1.0) ** np.arange(len(lengths))
    return np.column_stack([sideways, np.zeros(len(lengths)), lengths])


@pytest.mark.parametrize(
    ("samples", "share", "is_quiet"), [(150, 0.0, True), (149, 0.0, False), (150, 0.049, True), (150, 0.051, False)]
)
def test_rest_is_three_half_seconds_that_scatter_by_a_twentieth(samples: int, share: float, is_quiet: bool) -> None:
    assert gravity_of([shaken([9.81] * samples, share)], RATE).quiet is is_quiet


def test_gravity_of_a_moving_limb_is_measured_over_two_seconds() -> None:
    found = gravity_of([shaken([8.0] * 200 + [12.0] * 199, 0.5)], RATE)
    assert not found.quiet
    assert found.length == pytest.approx(8.0)
