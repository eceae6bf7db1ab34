"""The EMG envelope: amplitude of the muscle signal, in its own unit, in time with it."""

from contextlib import nullcontext

import numpy as np
import pytest
from fixtures.factories import refusal
from numpy.typing import NDArray

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.signals.emg_envelope import EnvelopeSettings, emg_envelope, varies
from imu_emg_estimator.utils.shipped_files import shipped_bundle

SETTINGS = EnvelopeSettings()


def modulated_noise(rate: float, seconds: float, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Noise [samples, 1] around a resting level, and its amplitude [samples]: bursts of 1 Hz."""
    time = np.arange(round(seconds * rate)) / rate
    amplitude = 10.0 * (1.1 + np.sin(2 * np.pi * time))
    noise = np.random.default_rng(seed).standard_normal(len(time))
    return (128.0 + amplitude * noise)[:, None], amplitude


def test_envelope_is_mean_rectified_activity() -> None:
    raw, amplitude = modulated_noise(1000.0, 60.0)
    envelope = emg_envelope(raw, 1000.0, SETTINGS)[:, 0]
    assert np.corrcoef(envelope, amplitude)[0, 1] > 0.98
    assert envelope.mean() / amplitude.mean() == pytest.approx(np.sqrt(2 / np.pi), rel=0.05)


def test_envelope_has_no_delay() -> None:
    raw, amplitude = modulated_noise(1000.0, 60.0)
    envelope = emg_envelope(raw, 1000.0, SETTINGS)[:, 0]
    lags = range(-100, 101)
    agreement = [np.dot(np.roll(envelope, -lag) - envelope.mean(), amplitude - amplitude.mean()) for lag in lags]
    assert abs(lags[int(np.argmax(agreement))]) <= 5  # ms


def test_envelope_ignores_offset_and_slow_artefacts() -> None:
    time = np.arange(6000) / 1000.0
    artefact = 500.0 + 50.0 * np.sin(2 * np.pi * 0.7 * time)
    envelope = emg_envelope(artefact[:, None], 1000.0, SETTINGS)
    assert envelope[500:-500].max() < 1.0


def test_envelope_is_nonnegative_and_scales_with_unit() -> None:
    raw, _ = modulated_noise(58.8, 30.0)
    envelope = emg_envelope(raw, 58.8, SETTINGS)
    assert envelope.min() >= 0.0
    np.testing.assert_allclose(emg_envelope(1e-3 * raw, 58.8, SETTINGS), 1e-3 * envelope, atol=1e-12)


def test_envelope_keeps_gaps_local() -> None:
    raw, _ = modulated_noise(200.0, 30.0)
    two = np.concatenate([raw, raw], axis=1)
    two[1000:1100, 1] = np.nan
    two[2000, 1] = np.inf
    envelope = emg_envelope(two, 200.0, SETTINGS)
    missing = np.zeros(len(two), dtype=bool)
    missing[1000:1100] = missing[2000] = True
    np.testing.assert_array_equal(np.isnan(envelope[:, 1]), missing)
    np.testing.assert_array_equal(envelope[:, 0], emg_envelope(raw, 200.0, SETTINGS)[:, 0])
    np.testing.assert_allclose(envelope[3000:, 1], envelope[3000:, 0], rtol=1e-3)


def test_envelope_of_empty_channel_is_nan() -> None:
    raw, _ = modulated_noise(200.0, 5.0)
    envelope = emg_envelope(np.concatenate([raw, np.full_like(raw, np.nan)], axis=1), 200.0, SETTINGS)
    assert np.isfinite(envelope[:, 0]).all()
    assert np.isnan(envelope[:, 1]).all()


def test_envelope_refuses_slow_or_short_emg() -> None:
    with pytest.raises(InputError, match=r"16 Hz is needed"):
        emg_envelope(np.zeros((100, 1)), 16.0, SETTINGS)
    with pytest.raises(InputError, match=r"1\.0 s is too short"):
        emg_envelope(np.zeros((100, 1)), 100.0, SETTINGS)


def test_varies_needs_change_beyond_rounding() -> None:
    assert varies(np.array([1.0, 1.0 + 2e-6, np.nan]))
    assert not varies(np.array([1.0, 1.0 + 0.5e-6]))
    assert not varies(np.full(10, 5.0))
    assert not varies(np.full(10, np.nan))


@pytest.mark.parametrize(
    "change",
    [{"high_pass": 0.0}, {"high_pass": np.inf}, {"low_pass": 0.0}, {"low_pass": np.inf}, {"order": 0}, {"order": 9}],
)
def test_settings_refuse_impossible_filters(change: dict[str, float]) -> None:
    with refusal("corners must be positive", "order 1 to 8"):
        EnvelopeSettings(**change)  # type: ignore[arg-type]


def test_settings_accept_corners_below_1_hz() -> None:
    settings = EnvelopeSettings(high_pass=0.5, low_pass=0.5, order=1)
    assert (settings.high_pass, settings.low_pass) == (0.5, 0.5)


def test_envelope_is_by_default_that_of_the_shipped_model() -> None:
    assert EnvelopeSettings() == Bundle.load(shipped_bundle()).envelope == EnvelopeSettings(8.0, 4.0, 2)


@pytest.mark.parametrize(("samples", "is_refused"), [(199, True), (200, False)])
def test_envelope_needs_two_seconds(samples: int, is_refused: bool) -> None:
    raw = np.random.default_rng(0).standard_normal((samples, 1))
    with refusal("is too short: at least 2 s") if is_refused else nullcontext():
        emg_envelope(raw, 100.0, SETTINGS)
