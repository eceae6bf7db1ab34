"""EMG to an envelope on the grid: what is raw, what a driver filled with zeros, and what is interpolated."""

from dataclasses import replace

import numpy as np
import pytest
from fixtures.factories import refusal
from numpy.typing import NDArray

from imu_emg_estimator.bags import emg_to_envelope
from imu_emg_estimator.bags.emg_to_envelope import EmgStream, _filled_with_zeros, _is_envelope, _regular, interpolated
from imu_emg_estimator.signals.emg_envelope import EnvelopeSettings
from imu_emg_estimator.signals.grid_alignment import SECOND

START = 1_700_000_000 * SECOND
MS = SECOND // 1000


def noise(samples: int, channels: int = 2) -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal((samples, channels)).astype(np.float32)


@pytest.mark.parametrize(("rate", "zeros", "filled"), [(1000.0, 99, 0), (1000.0, 100, 100), (30.0, 4, 0), (30.0, 5, 5)])
def test_zeros_in_all_channels_for_100_ms_and_5_samples_are_filled(rate: float, zeros: int, filled: int) -> None:
    data = noise(10_000)
    data[500 : 500 + zeros] = 0.0
    assert _filled_with_zeros(data, rate).sum() == filled
    data[500 : 500 + zeros, 1] = 0.1
    assert _filled_with_zeros(data, rate).sum() == 0


@pytest.mark.parametrize(("others", "filled"), [(98, 200), (99, 0)])
def test_zeros_are_ordinary_where_more_than_one_other_sample_in_a_hundred_is_zero(others: int, filled: int) -> None:
    data = noise(10_000)
    data[:200] = 0.0
    data[np.arange(300, 300 + 50 * others, 50)] = 0.0
    assert _filled_with_zeros(data, 1000.0).sum() == filled
    assert not _filled_with_zeros(np.zeros_like(data), 1000.0).any()


@pytest.mark.parametrize(
    ("rate", "seconds", "envelope"), [(24.0, 20.0, True), (25.0, 20.0, False), (100.0, 1.99, True), (100.0, 2.0, False)]
)
def test_emg_that_is_too_slow_or_short_for_raw_is_an_envelope(rate: float, seconds: float, envelope: bool) -> None:
    alternating = np.where(np.arange(round(rate * seconds))[:, None] % 2, -1.0, 1.0)
    assert _is_envelope(alternating.astype(np.float32), rate) is envelope


@pytest.mark.parametrize(("share", "envelope"), [(0.29, True), (0.31, False)])
def test_emg_with_three_tenths_of_its_power_above_12_hz_is_raw(share: float, envelope: bool) -> None:
    """The median channel decides; one that is constant has no say."""
    time = np.arange(20_000) / 1000.0
    mixed = np.sqrt(1 - share) * np.sin(2 * np.pi * 1.0 * time) + np.sqrt(share) * np.sin(2 * np.pi * 200.0 * time)
    assert _is_envelope(np.stack([mixed, np.ones_like(mixed)], axis=1).astype(np.float32), 1000.0) is envelope
    assert _is_envelope(np.ones((20_000, 2), np.float32), 1000.0)


@pytest.mark.parametrize(("frequency", "envelope"), [(12.5, True), (12.8, False)])
def test_power_above_12_hz_is_told_by_a_filter_of_second_order_there_and_back(frequency: float, envelope: bool) -> None:
    """It leaves f⁴ / (f⁴ + 12⁴) of the amplitude: the square of that is 0.29 at 12.5 Hz, and 0.32 at 12.8 Hz."""
    wave = np.sin(2 * np.pi * frequency * np.arange(60_000) / 1000.0)
    assert _is_envelope(wave[:, None].astype(np.float32), 1000.0) is envelope


def test_values_are_interpolated_within_the_gap_and_nowhere_else() -> None:
    times = START + np.array([0, 10, 20, 70, 80]) * MS
    values = np.array([0.0, 1.0, 2.0, 7.0, np.nan])
    at = START + np.array([-1, 0, 5, 20, 45, 70, 71, 75]) * MS
    expected = [np.nan, 0.0, 0.5, 2.0, np.nan, 7.0, np.nan, np.nan]
    np.testing.assert_allclose(interpolated(times, values, at, 0.049), expected)
    assert interpolated(times, values, at, 0.050)[4] == pytest.approx(4.5)
    assert np.isnan(interpolated(times, values * np.nan, at, 0.05)).all()


@pytest.mark.parametrize(("beyond", "known"), [(10_000, True), (10_001, False)])
def test_values_are_interpolated_to_timestamps_rounded_by_10_us(beyond: int, known: bool) -> None:
    times = START + np.array([0, 10, 20]) * MS
    for at in (START - beyond, START + 20 * MS + beyond):
        assert np.isfinite(interpolated(times, np.ones(3), np.array([at]), 0.05))[0] == known
    gap = np.array([times[1] + beyond])
    assert np.isfinite(interpolated(times[[0, 1]] + [0, beyond], np.ones(2), gap - beyond, 1e-3))[0] == known


def stream(packets: int = 1000, period: float = 0.01, rate: float | None = 1000.0) -> EmgStream:
    """Packets of ten samples."""
    timestamps = START + np.round(np.arange(packets) * period * SECOND).astype(np.int64)
    counts = np.full(packets, 10)
    return EmgStream(timestamps, timestamps, counts, noise(10 * packets), rate, None)


@pytest.mark.parametrize(("period", "possible"), [(0.0092, True), (0.009, False), (0.0109, True), (0.0111, False)])
def test_packets_must_go_with_the_sample_rate(period: float, possible: bool) -> None:
    """Ten samples at 1000 Hz take 10 ms; a few more may be stamped, and few lost."""
    if possible:
        clock, data = _regular("bag", stream(period=period))
        assert len(data) == clock.length
    else:
        told = f"10000 EMG samples stamped within {999 * period:.4g} s, which do not go with a sample_rate of 1000 Hz"
        with refusal(told, "correct sample_rate"):
            _regular("bag", stream(period=period))


@pytest.mark.parametrize("settings", [EnvelopeSettings(high_pass=20.0), None], ids=["raw", "envelope"])
@pytest.mark.parametrize("seconds", [21.0, 26.0, 47.3, 60.0])
def test_stretches_give_the_envelope_of_the_whole(
    settings: EnvelopeSettings | None, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    rate = 200.0
    clock, data = _regular("bag", stream(packets=round(20 * seconds), period=0.05, rate=rate))
    data[1000:1100] = np.nan
    grid = START + np.round(np.arange(-10, 58.8 * (seconds + 0.2)) / 58.8 * SECOND).astype(np.int64)
    whole = emg_to_envelope._by_stretches(clock, data, settings, [None, None], grid)
    monkeypatch.setattr(emg_to_envelope, "STRETCH_S", 10.0)
    parts = emg_to_envelope._by_stretches(clock, data, settings, [None, None], grid)
    known = (grid >= START) & (grid <= START + round((seconds - 0.005) * SECOND))
    np.testing.assert_array_equal(
        np.isfinite(whole[:, 0]) | ((grid >= START + 5 * SECOND) & (grid < START + 5.5e9)), known
    )
    np.testing.assert_allclose(parts, whole, atol=2e-3)


def test_lost_packets_leave_a_gap() -> None:
    whole = stream()
    kept = np.arange(1000) % 100 != 50
    some = replace(
        whole,
        timestamps=whole.timestamps[kept],
        arrivals=whole.arrivals[kept],
        counts=whole.counts[kept],
        data=whole.data[np.repeat(kept, 10)],
    )
    clock, data = _regular("bag", some)
    assert clock.length == 10_000
    np.testing.assert_array_equal(np.isnan(data).all(axis=1), ~np.repeat(kept, 10))
    np.testing.assert_array_equal(data[np.repeat(kept, 10)], some.data)


@pytest.mark.parametrize(("gap_ms", "is_bridged"), [(24, True), (26, False)])
def test_envelope_is_interpolated_over_25_ms(gap_ms: int, is_bridged: bool) -> None:
    clock, data = _regular("bag", stream(packets=300))
    data[1001 : 1000 + gap_ms] = np.nan
    middle = np.array([START + (1000 + gap_ms // 2) * MS])
    found = emg_to_envelope._by_stretches(clock, data, None, [None, None], middle)
    assert np.isfinite(found).all() == is_bridged
