"""Recordings that agree share one delay; others are judged alone."""

import numpy as np
import pytest

from imu_emg_estimator.signals.emg_delay import DelayEvidence, DelaySettings, given_delay
from imu_emg_estimator.signals.shared_delay import delay_in_words, share_delay

SETTINGS = DelaySettings()
LAGS = np.linspace(-0.5, 0.5, 61)


def evidence(seconds: float, votes: int, height: float = 0.8, samples: int = 1000) -> DelayEvidence:
    """Evidence of two muscles for a delay, in so many stretches."""
    curve = height * np.exp(-(((LAGS - seconds) / 0.12) ** 2))
    return DelayEvidence(LAGS, np.stack([curve, curve]), np.full(votes, seconds), samples)


def test_clear_delay_of_one_is_shared_by_those_that_agree() -> None:
    found = share_delay([evidence(0.21, 5), evidence(0.19, 1), evidence(0.2, 2)], SETTINGS)
    assert [delay.corrected for delay in found] == [True] * 3
    assert len({delay.seconds for delay in found}) == 1
    assert found[0].seconds == pytest.approx(0.2, abs=0.01)


def test_recordings_that_are_too_short_alone_are_clear_together() -> None:
    parts = [evidence(0.2, 1)] * 3
    assert not parts[0].delay(SETTINGS).corrected
    assert all(delay.corrected for delay in share_delay(parts, SETTINGS))


def test_recording_that_shows_nothing_shares_the_delay() -> None:
    silent = DelayEvidence(LAGS, np.full((2, len(LAGS)), np.nan), np.zeros(0), 0)
    found = share_delay([evidence(0.2, 5), silent], SETTINGS)
    assert found[1].corrected
    assert found[1].seconds == found[0].seconds


def test_recording_that_contradicts_is_judged_alone() -> None:
    found = share_delay([evidence(0.3, 5, samples=9000), evidence(0.0, 5)], SETTINGS)
    assert found[0].seconds == pytest.approx(0.3, abs=0.01)
    assert (found[1].corrected, found[1].reason) == (False, "subjects differ by as much")


def test_nothing_is_shared_where_nothing_is_clear() -> None:
    found = share_delay([evidence(0.02, 5), evidence(0.01, 5)], SETTINGS)
    assert not any(delay.corrected for delay in found)


def test_delay_in_words_names_bags_only_where_they_differ() -> None:
    found, left = evidence(0.2, 5).delay(SETTINGS), evidence(0.0, 5).delay(SETTINGS)
    assert delay_in_words([found, found], ["a", "b"]) == "0.20 s (found)"
    assert delay_in_words([found, left], ["a", "b"]) == "0.20 s (found) in a, not corrected in b"
    assert delay_in_words([given_delay(0.125)] * 2, ["a", "b"]) == "0.125 s (given)"
    assert delay_in_words([given_delay(0.0)], ["a"]) == "0 s (given)"


@pytest.mark.parametrize(("worse", "agrees"), [(0.045, True), (0.055, False)])
def test_recording_that_fits_hardly_worse_at_the_common_delay_shares_it(worse: float, agrees: bool) -> None:
    """Best at -0.2 s, and worse by less than the margin of 0.05 at the 0.2 s of the other recording."""
    two = evidence(0.2, 5, 0.6).curves + evidence(-0.2, 5, 0.6 + worse).curves
    found = share_delay([evidence(0.2, 5, samples=9000), DelayEvidence(LAGS, two, np.full(5, -0.2), 1000)], SETTINGS)
    assert found[0].seconds == pytest.approx(0.2, abs=0.02)
    assert (found[1].seconds == found[0].seconds) == agrees
