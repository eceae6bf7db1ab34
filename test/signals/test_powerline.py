"""powerline interference is found where it is, and only there, and is gone afterwards."""

import numpy as np
import pytest
from numpy.typing import NDArray

from imu_emg_estimator.signals.powerline import _line, find_powerline, powerline_can_be_found, remove_powerline


def muscle(rate: float, seconds: float = 20.0, seed: int = 0) -> NDArray[np.float64]:
    """Two channels of noise in bursts, one a second."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(rate * seconds)) / rate
    return (0.1 + (time % 1.0 < 0.4))[:, None] * rng.standard_normal((len(time), 2))


def powerline(rate: float, samples: int, *lines: tuple[float, float]) -> NDArray[np.float64]:
    time = np.arange(samples) / rate
    return np.sum([amplitude * np.sin(2 * np.pi * line * time) for line, amplitude in lines], axis=0)


@pytest.mark.parametrize("rate", [200.0, 500.0, 1000.0, 2148.0, 4000.0])
@pytest.mark.parametrize("seconds", [4.5, 30.0])
def test_find_powerline_ignores_clean_emg(rate: float, seconds: float) -> None:
    for seed in range(2):
        assert find_powerline(muscle(rate, seconds, seed), rate) == [None, None]


@pytest.mark.parametrize("mains", [49.8, 50.0, 50.15, 59.9, 60.0])
@pytest.mark.parametrize("rate", [200.0, 1000.0, 4000.0])
def test_find_powerline_names_frequency_and_channel(rate: float, mains: float) -> None:
    raw = muscle(rate)
    raw[:, 1] += powerline(rate, len(raw), (mains, 0.5))
    clean, humming = find_powerline(raw, rate)
    assert clean is None
    assert humming is not None
    assert humming.frequency == pytest.approx(mains, abs=0.1)
    assert humming.lines == pytest.approx((mains,), abs=0.1)
    assert 0.05 < humming.share < 0.9


def test_find_powerline_finds_harmonics_below_nyquist() -> None:
    raw = muscle(500.0)
    raw[:, 0] += powerline(500.0, len(raw), (50.0, 0.5), (150.0, 0.3), (200.0, 0.3))
    found = find_powerline(raw, 500.0)[0]
    assert found is not None
    assert found.lines == pytest.approx((50.0, 150.0, 200.0), abs=0.1)


def test_remove_powerline_keeps_emg() -> None:
    raw = muscle(1000.0)
    dirty = raw[:, 0] + powerline(1000.0, len(raw), (50.05, 1.0), (150.15, 0.5))
    found = find_powerline(dirty[:, None], 1000.0)[0]
    rest = remove_powerline(dirty, 1000.0, found) - raw[:, 0]
    inside = slice(1000, -1000)
    assert np.std(dirty - raw[:, 0]) > 0.7
    assert np.std(rest[inside]) < 0.1
    assert find_powerline(remove_powerline(dirty, 1000.0, found)[:, None], 1000.0) == [None]
    np.testing.assert_array_equal(remove_powerline(dirty, 1000.0, None), dirty)


def test_find_powerline_tolerates_gaps() -> None:
    raw = muscle(1000.0)
    raw[:, 0] += powerline(1000.0, len(raw), (60.0, 0.5))
    raw[3000:3050] = np.nan
    found = find_powerline(raw, 1000.0)
    assert found[0] is not None
    assert found[1] is None


@pytest.mark.parametrize("rate", [50.0, 58.8, 100.0])
def test_find_powerline_needs_sufficient_rate(rate: float) -> None:
    assert not powerline_can_be_found(rate)
    raw = muscle(rate)
    assert find_powerline(raw + powerline(rate, len(raw), (50.0, 5.0))[:, None], rate) == [None, None]


def test_find_powerline_in_silence_and_short_signals() -> None:
    assert find_powerline(np.zeros((5000, 2)), 1000.0) == [None, None]
    assert find_powerline(np.full((5000, 1), np.nan), 1000.0) == [None]
    assert find_powerline(muscle(1000.0, 1.0), 1000.0) == [None, None]


def test_find_powerline_compares_with_power_beside_the_line() -> None:
    """EMG whose power lies between 30 and 80 Hz stands out there, but not at one frequency."""
    spectrum = np.fft.rfft(muscle(1000.0), axis=0)
    frequencies = np.fft.rfftfreq(20000, 1e-3)
    spectrum[(frequencies < 30) | (frequencies > 80)] *= 0.01
    assert find_powerline(np.fft.irfft(spectrum, axis=0), 1000.0) == [None, None]


@pytest.mark.parametrize(("rate", "found"), [(117.8, False), (118.0, True)])
def test_powerline_can_be_found_where_95_percent_of_half_the_rate_exceed_56_hz(rate: float, found: bool) -> None:
    assert powerline_can_be_found(rate) == found


def test_line_is_what_stands_out_of_the_spectrum_within_0_6_hz() -> None:
    frequencies = np.arange(0.0, 100.0, 0.02)
    power = np.ones_like(frequencies)
    power[2500], power[2529], power[2531] = 10.0, 3.0, 3.0  # at 50.00, 50.58 and 50.62 Hz
    centre, ratio, excess = _line(frequencies, power, 49.5, 1.0)
    assert (ratio, excess) == pytest.approx((10.0, 9.0 + 2.0))
    assert centre == pytest.approx(50.0, abs=0.05)
