"""Amplitude and shape move towards a subject as far as the evidence goes, and the amplitude's interval is honest."""

import numpy as np
import pytest
from numpy.typing import NDArray

from imu_emg_estimator.calibration.improvement import Improvement
from imu_emg_estimator.calibration.shrinkage import USUAL, shrunk_amplitude, shrunk_share
from imu_emg_estimator.model.subject_data import population_reference

MOVEMENTS_DEVIATION = 0.17
SUBJECTS_DEVIATION = 0.5

RATE_HZ = 58.8

Array = NDArray[np.float64]


def walk(seconds: float, factor: float, generator: np.random.Generator, noise: float = 0.5) -> tuple[Array, Array]:
    """A measured envelope, and an estimate that it is so many times as large as, but for noise that lasts."""
    time = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    estimate = 1.1 + np.sin(2 * np.pi * 0.9 * time)
    slow = np.interp(time, np.arange(0.0, seconds + 1.0), generator.standard_normal(int(seconds) + 1))
    return factor * estimate * np.exp(noise * slow), estimate


def test_amplitude_lies_between_the_usual_and_the_measured_one() -> None:
    measured, estimate = walk(60.0, 4.0, np.random.default_rng(0), noise=0.1)
    found = shrunk_amplitude(measured, estimate, RATE_HZ, usual=0.0)
    assert found is not None
    amplitude, _ = found
    assert amplitude.measured == pytest.approx(4.0, rel=0.1)
    assert np.log(amplitude.factor) == pytest.approx(amplitude.share * np.log(amplitude.measured))
    certain = SUBJECTS_DEVIATION**2 / (SUBJECTS_DEVIATION**2 + MOVEMENTS_DEVIATION**2)
    assert 0.95 * certain < amplitude.share < certain  # movements that were not recorded leave a doubt
    assert amplitude.low < amplitude.factor < amplitude.high


def test_amplitude_is_taken_less_from_shorter_and_from_noisier_recordings() -> None:
    shares = []
    for seconds, noise in ((60.0, 0.2), (60.0, 1.0), (15.0, 1.0)):
        drawn = [walk(seconds, 2.0, np.random.default_rng(seed), noise) for seed in range(8)]
        found = [shrunk_amplitude(*envelopes, RATE_HZ, usual=USUAL) for envelopes in drawn]
        shares.append(np.mean([own[0].share for own in found if own]))
    assert shares[0] > shares[1] + 0.02 > shares[2] + 0.05


def test_amplitude_interval_covers_the_factor_of_other_movements() -> None:
    generator = np.random.default_rng(1)
    inside = []
    for _ in range(200):
        true = np.exp(USUAL + SUBJECTS_DEVIATION * generator.standard_normal())
        recorded = true * np.exp(MOVEMENTS_DEVIATION * generator.standard_normal())
        found = shrunk_amplitude(*walk(30.0, recorded, generator), RATE_HZ, usual=USUAL)
        assert found is not None
        # the mean of log-normal noise is not its middle, and the estimate is what the mean fits
        inside.append(found[0].low < true * np.exp(0.5 * 0.5**2 * 2 / 3) < found[0].high)
    assert 0.9 < np.mean(inside) <= 0.99


def test_amplitude_is_the_measured_one_where_units_differ() -> None:
    measured, estimate = walk(30.0, 0.002, np.random.default_rng(2))
    found = shrunk_amplitude(measured, estimate, RATE_HZ, usual=None)
    assert found is not None
    assert found[0].factor == pytest.approx(found[0].measured)


@pytest.mark.parametrize("sign", [-1.0, -1e-6, 0.0])
def test_amplitude_is_unknown_where_no_factor_above_zero_fits(sign: float) -> None:
    measured, estimate = walk(30.0, 1.0, np.random.default_rng(3))
    assert shrunk_amplitude(measured, sign * estimate, RATE_HZ, usual=0.0) is None
    assert shrunk_amplitude(measured[:5], estimate[:5], RATE_HZ, usual=0.0) is None


def test_amplitude_of_an_exact_estimate_is_doubted_for_other_movements_alone() -> None:
    """Of a factor of 4, whose logarithm is usually 0.375 give or take 0.5, and 0.17 between movements."""
    exact = walk(60.0, 4.0, np.random.default_rng(0), noise=0.0)
    figures = []
    for usual in (0.0, USUAL, None):
        found = shrunk_amplitude(*exact, RATE_HZ, usual)
        assert found is not None
        amplitude, held_out = found
        figures.append((amplitude.share, amplitude.low, amplitude.factor, amplitude.high))
        np.testing.assert_allclose(held_out, amplitude.factor * exact[1])
    assert figures[0] == pytest.approx((0.8964, 2.527, 3.465, 4.750), rel=1e-3)
    assert figures[1] == pytest.approx((0.8964, 2.627, 3.602, 4.938), rel=1e-3)
    assert figures[2] == pytest.approx((1.0, 2.866, 4.0, 5.582), rel=1e-3)


def test_held_out_estimate_does_not_know_the_emg_around_it() -> None:
    measured, estimate = walk(30.0, 2.0, np.random.default_rng(4))
    measured[100:150] = np.nan
    sixth = slice(1003, 1191)  # of nine blocks
    changed = measured.copy()
    changed[sixth] *= 2.0
    honest, other = (shrunk_amplitude(own, estimate, RATE_HZ, usual=None) for own in (measured, changed))
    assert honest is not None
    assert other is not None
    assert np.isnan(honest[1][100:150]).all()
    np.testing.assert_allclose(other[1][sixth], honest[1][sixth])
    assert (other[1][1200:] > 1.05 * honest[1][1200:]).all()


def test_usual_is_what_the_reference_of_a_population_lies_below_its_middle() -> None:
    amplitudes = np.exp(SUBJECTS_DEVIATION * np.random.default_rng(5).standard_normal((200_000, 1)))
    assert np.log(population_reference(amplitudes)[0]) == pytest.approx(-USUAL, abs=0.01)


def improvement(change: float, half_width: float) -> Improvement:
    return Improvement(change, change - half_width, change + half_width, change - half_width, blocks=10)


@pytest.mark.parametrize(
    ("change", "half_width", "share"),
    [(0.05, 0.2, 0.0), (0.01, 0.001, 0.0), (0.1, 0.0, 0.96), (0.1, 0.1, 0.7), (0.5, 0.1, 0.988)],
)
def test_share_is_what_chance_and_other_movements_do_not_explain(
    change: float, half_width: float, share: float
) -> None:
    assert shrunk_share([improvement(change, half_width)]) == pytest.approx(share, abs=0.002)


def test_share_of_a_muscle_grows_with_what_the_others_of_the_subject_show() -> None:
    doubtful, clear = improvement(0.1, 0.15), improvement(0.5, 0.1)
    assert shrunk_share([doubtful]) < 0.4
    assert shrunk_share([doubtful, clear]) == pytest.approx(0.964, abs=0.002)


def test_share_is_nothing_without_evidence() -> None:
    assert shrunk_share([]) == 0.0
    assert shrunk_share([Improvement(0.0, -np.inf, np.inf, -np.inf, blocks=0)]) == 0.0
