"""Strides: one start per stride and leg, by gyroscope or accelerometer, and a common time base."""

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from imu_emg_estimator.datasets import hugadb
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.signals.stride_detection import stride_starts, strides, time_normalise

RATE = 100.0  # Hz
STRIDE = 1.1  # s
SHANKS = {"right": 1, "left": 4}  # sensors of the HuGaDB rig


def walking_shank(seconds: float = 30.0, delay: float = 0.0) -> NDArray[np.float64]:
    """A shank [samples, 6] with x down, y left, z forward: half of a stride it swings, then the foot lands.

    The swing ends, and the forward speed with it, at whole strides after ``delay`` [s].
    """
    time = np.arange(round(seconds * RATE)) / RATE - delay
    phase = (time / STRIDE) % 1.0
    shank = np.zeros((len(time), 6))
    shank[:, 0] = -9.81
    shank[:, 4] = np.where(phase > 0.6, -6.0 * np.sin(np.pi * (phase - 0.6) / 0.4), 1.5 * np.sin(np.pi * phase / 0.6))
    to_landing = np.minimum(phase, 1 - phase) * STRIDE
    shank[:, 2] = -15.0 * np.exp(-(((to_landing + 0.04) / 0.08) ** 2))
    return shank


def landings(seconds: float = 30.0, delay: float = 0.0) -> NDArray[np.float64]:
    instants = np.arange(-2, seconds / STRIDE + 2) * STRIDE + delay
    return instants[(instants > 0.3) & (instants < seconds - 0.5)]


def worst_distance(starts: NDArray[np.intp], instants: NDArray[np.float64]) -> float:
    return float(np.abs(starts[None] / RATE - instants[:, None]).min(axis=1).max())


@pytest.mark.parametrize("delay", [0.0, 0.37])
def test_stride_starts_at_end_of_swing(delay: float) -> None:
    starts = stride_starts(walking_shank(delay=delay), RATE)
    assert worst_distance(starts, landings(delay=delay)) <= 0.03
    np.testing.assert_allclose(np.diff(starts) / RATE, STRIDE, atol=0.021)


def test_stride_starts_use_accelerometer_without_gyroscope() -> None:
    shank = walking_shank()
    shank[:, 3:] = np.nan
    starts = stride_starts(shank, RATE)
    assert worst_distance(starts, landings()) <= 0.06
    np.testing.assert_allclose(np.diff(starts) / RATE, STRIDE, atol=0.021)


@pytest.mark.parametrize("masked", [False, True])
def test_stride_starts_use_lateral_axis(masked: bool) -> None:
    shank = walking_shank()
    if masked:
        shank[:, 3:] = np.nan
    original = stride_starts(shank, RATE)
    parts = shank.reshape(-1, 2, 3)
    turned = np.stack([parts[..., 2], -parts[..., 0], -parts[..., 1]], axis=-1).reshape(-1, 6)  # z points right
    found = stride_starts(turned, RATE, lateral_axis="z", lateral_sign=-1)
    np.testing.assert_array_equal(found, original)


def test_stride_starts_tolerate_lost_samples() -> None:
    shank = walking_shank()
    shank[::37] = np.nan
    assert worst_distance(stride_starts(shank, RATE), landings()) <= 0.03


def test_stride_starts_of_standing_or_missing_sensor() -> None:
    noise = 0.05 * np.random.default_rng(0).standard_normal((3000, 6))
    still = noise + np.array([-9.81, 0, 0, 0, 0, 0])
    assert len(stride_starts(still, RATE)) == 0
    still[:, 3:] = np.nan
    assert len(stride_starts(still, RATE)) == 0
    assert len(stride_starts(np.full((3000, 6), np.nan), RATE)) == 0


def test_strides_have_plausible_durations() -> None:
    starts = np.array([0, 100, 130, 240, 900])
    np.testing.assert_array_equal(strides(starts, RATE), [[0, 100], [130, 240]])
    assert strides(np.array([], dtype=np.intp), RATE).shape == (0, 2)
    assert strides(np.array([7]), RATE).shape == (0, 2)


def test_time_normalise_keeps_ends_and_shape() -> None:
    time = np.arange(400) / RATE
    values = np.stack([time, np.sin(2 * np.pi * time)], axis=1)
    pairs = np.array([[0, 100], [100, 250]])
    result = time_normalise(values, pairs, points=51)
    assert result.shape == (2, 51, 2)
    np.testing.assert_allclose(result[:, 0], values[pairs[:, 0]], atol=1e-12)
    np.testing.assert_allclose(result[:, -1], values[pairs[:, 1]], atol=1e-12)
    np.testing.assert_allclose(result[1, :, 0], np.linspace(1.0, 2.5, 51), atol=1e-9)
    np.testing.assert_allclose(result[0, :, 1], np.sin(2 * np.pi * np.linspace(0, 1, 51)), atol=2e-3)


def test_time_normalise_keeps_gaps_and_defaults_to_101_points() -> None:
    values = np.arange(300.0)
    values[150] = np.nan
    result = time_normalise(values, np.array([[0, 100], [100, 200]]))
    assert result.shape == (2, 101)
    assert np.isfinite(result[0]).all()
    assert np.isnan(result[1, 50])
    assert np.isfinite(result[1, [0, 40, 60, 100]]).all()


@pytest.fixture(scope="module")
def subjects(hugadb_folder: Path) -> dict[str, list[Recording]]:
    """A subject whose gyroscopes are good, and one whose shank gyroscopes are corrupted."""
    groups: dict[str, list[Recording]] = defaultdict(list)
    for recording in hugadb.load(hugadb_folder, ["2", "15"]):
        groups[recording.subject].append(recording)
    return groups


@pytest.mark.parametrize(("subject", "strides_listed"), [("2", (108, 100)), ("15", (557, 556))])
def test_strides_of_real_walking(
    subjects: dict[str, list[Recording]], subject: str, strides_listed: tuple[int, int]
) -> None:
    for side, listed in zip(("right", "left"), strides_listed, strict=True):
        durations: list[float] = []
        for recording in subjects[subject]:
            starts = stride_starts(recording.imu[:, SHANKS[side]], recording.rig.rate)
            for first, last in strides(starts, recording.rig.rate):
                if (recording.condition[first : last + 1] == "walking").all():
                    durations.append((last - first) / recording.rig.rate)
        assert 0.9 <= np.median(durations) <= 1.4
        assert np.std(durations) < 0.15
        assert 1.0 <= len(durations) / listed <= 1.4  # the list leaves out strides that vary


def test_strides_of_real_legs_alternate(subjects: dict[str, list[Recording]]) -> None:
    leads: list[float] = []
    for recording in [recording for group in subjects.values() for recording in group]:
        right, left = (stride_starts(recording.imu[:, SHANKS[side]], recording.rig.rate) for side in SHANKS)
        assert (recording.condition[right] == "standing").sum() <= 3
        for first, last in strides(right, recording.rig.rate):
            between = left[(left > first) & (left < last)]
            if len(between) == 1 and recording.condition[first] == "walking":
                leads.append(float(between[0] - first) / float(last - first))
    assert len(leads) > 500
    assert np.median(leads) == pytest.approx(0.5, abs=0.03)


def test_stride_starts_agree_between_sensors_of_real_subject(subjects: dict[str, list[Recording]]) -> None:
    distances: list[float] = []
    for recording in subjects["2"]:
        shank = recording.imu[:, SHANKS["right"]].copy()
        by_gyroscope = stride_starts(shank, recording.rig.rate)
        shank[:, 3:] = np.nan
        by_accelerometer = stride_starts(shank, recording.rig.rate)
        for start in by_gyroscope[recording.condition[by_gyroscope] == "walking"]:
            nearest = np.abs(by_accelerometer - start).min() if len(by_accelerometer) else 1000
            distances.append(nearest / recording.rig.rate)
    assert len(distances) > 100
    assert np.median(distances) < 0.08
    assert np.mean(np.array(distances) < 0.2) > 0.9


@pytest.mark.parametrize("rate", [60.0, 200.0])
@pytest.mark.parametrize("gyroscope", [True, False])
def test_stride_starts_are_at_least_a_fast_stride_apart(rate: float, gyroscope: bool) -> None:
    """What repeats faster than anyone strides is not counted as so many strides."""
    time = np.arange(round(20 * rate)) / rate
    shank = np.zeros((len(time), 6))
    shank[:, 2] = 9.81
    shank[:, 0] = 15.0 * np.sin(2 * np.pi * 2.9 * time)
    shank[:, 4] = -6.0 * np.sin(2 * np.pi * 2.9 * time) if gyroscope else np.nan
    starts = stride_starts(shank, rate)
    assert len(starts) > 10
    assert np.diff(starts).min() >= 0.4 * rate


def smoothed(frequency: float, corner: float, rate: float) -> float:
    """Share of an oscillation that a second-order Butterworth filter leaves, run there and back."""
    return float(1.0 / (1.0 + (np.tan(np.pi * frequency / rate) / np.tan(np.pi * corner / rate)) ** 4))


def swinging(
    rate: float, frequency: float, turning: float = np.nan, mean: float = 0.0, forward: float = 0.0
) -> NDArray:
    """A shank [samples, 6], z up, whose angular rate [rad/s] and forward acceleration [m/s²] oscillate."""
    wave = np.sin(2 * np.pi * frequency * np.arange(round(20 * rate)) / rate)
    shank = np.zeros((len(wave), 6))
    shank[:, 2], shank[:, 0], shank[:, 4] = 9.81, -forward * wave, -turning * wave - mean
    return shank


@pytest.mark.parametrize(
    ("mean", "peak"), [(0.0, 1.0), (0.5, 0.75)]
)  # of 1 rad/s at least, that stand out by 1.5 rad/s
@pytest.mark.parametrize(("scale", "found"), [(0.99, False), (1.01, True)])
def test_swing_is_found_from_one_rad_per_s_and_where_it_stands_out(
    mean: float, peak: float, scale: float, found: bool
) -> None:
    amplitude = scale * peak / smoothed(2.0, 6.0, 100.0)
    starts = stride_starts(swinging(100.0, 2.0, amplitude, mean), 100.0)
    assert (len(starts) > 30) is found
    assert found or len(starts) <= 2  # the ends, where the filter rings


@pytest.mark.parametrize(("scale", "found"), [(0.98, False), (1.02, True)])
def test_landing_is_found_from_braking_that_stands_out_by_4_m_per_s2(scale: float, found: bool) -> None:
    amplitude = scale * 2.0 / smoothed(2.0, 3.0, 100.0)
    starts = stride_starts(swinging(100.0, 2.0, forward=amplitude), 100.0)
    assert (len(starts) > 30) is found
    assert found or len(starts) <= 2


def test_landing_is_40_ms_after_the_hardest_braking() -> None:
    starts = stride_starts(swinging(1000.0, 1.0, forward=10.0), 1000.0)
    np.testing.assert_allclose((starts[2:-2] - 250) % 1000, 40, atol=1)


@pytest.mark.parametrize(("lost", "by_gyroscope"), [(10, True), (11, False)])  # of a hundred
def test_gyroscope_is_used_where_nine_tenths_of_it_are_known(lost: int, by_gyroscope: bool) -> None:
    shank = walking_shank()
    shank[:, :3] = np.nan
    shank[np.arange(len(shank)) * 37 % 100 < lost, 3:] = np.nan
    assert bool(len(stride_starts(shank, RATE))) is by_gyroscope


@pytest.mark.parametrize(("samples", "plausible"), [(44, False), (45, True), (180, True), (181, False)])
def test_strides_last_from_0_45_to_1_8_s(samples: int, plausible: bool) -> None:
    assert len(strides(np.array([0, samples]), RATE)) == plausible
