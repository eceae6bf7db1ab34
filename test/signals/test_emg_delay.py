"""A delay between EMG and IMUs is found, and corrected where it is clear and only there."""

from dataclasses import replace

import numpy as np
import pytest
from fixtures.factories import RecordingFactory
from numpy.typing import NDArray

from imu_emg_estimator.datasets.hugadb import RIG
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.signals import emg_delay
from imu_emg_estimator.signals.emg_delay import (
    Delay,
    DelayEvidence,
    _correlations,
    _doubt,
    _peak,
    _votes,
    correlate,
    delay_in_words,
    given_delay,
    share_delay,
    shift_emg,
)

LONGEST_S = 0.5

RATE = RIG.rate
LAGS = np.linspace(-0.5, 0.5, 61)


@pytest.fixture(scope="module")
def walk(make_recording: RecordingFactory) -> Recording:
    return make_recording([("standing", 3.0), ("walking", 40.0)], seed=3)


def estimate(recording: Recording, seed: int = 0) -> NDArray[np.float64]:
    """What a decent model would say: the envelope with a good deal of smooth noise."""
    rng = np.random.default_rng(seed)
    noise = np.apply_along_axis(np.convolve, 0, rng.standard_normal(recording.envelope.shape), np.ones(8) / 8, "same")
    return recording.envelope + 1.5 * recording.envelope.std() * noise


def late(recording: Recording, seconds: float) -> Recording:
    return shift_emg(recording, -seconds)


def find_delay(expected: NDArray[np.floating], measured: NDArray[np.floating], rate: float) -> Delay:
    return correlate(expected, measured, rate).delay()


def synchronise(recording: Recording, expected: NDArray[np.floating]) -> tuple[Recording, Delay]:
    measured = np.where(recording.muscle_weight > 0, recording.envelope, np.nan)
    delay = find_delay(expected, measured, RATE)
    return (shift_emg(recording, delay.seconds) if delay.corrected else recording), delay


@pytest.mark.parametrize("delay", [-0.3, -0.15, -0.1, 0.1, 0.137, 0.25, 0.35])
def test_synchronise_corrects_clear_delay(walk: Recording, delay: float) -> None:
    corrected, found = synchronise(late(walk, delay), estimate(walk))
    assert found.corrected
    assert found.seconds == pytest.approx(delay, abs=0.015)
    assert found.r_after > found.r_before + 0.05
    known = np.isfinite(corrected.envelope).all(axis=1)
    assert known.mean() > 0.95
    error = corrected.envelope[known] - walk.envelope[known]
    assert error.std() < 0.15 * walk.envelope.std()
    assert f"{abs(1e3 * found.seconds):.0f} ms {'behind' if delay > 0 else 'ahead of'}" in found.note
    assert "it was shifted" in found.note


@pytest.mark.parametrize("delay", [0.0, 0.02, -0.05])
def test_synchronise_keeps_delays_between_subjects(walk: Recording, delay: float) -> None:
    given = late(walk, delay)
    same, found = synchronise(given, estimate(walk))
    assert same is given
    assert not found.corrected
    assert found.reason == "subjects differ by as much"
    assert found.seconds == pytest.approx(delay, abs=0.015)
    assert (found.note == "") == (abs(delay) < 0.04)


def doubtful(walk: Recording) -> dict[str, tuple[Recording, NDArray[np.float64]]]:
    rng = np.random.default_rng(0)
    expected, shifted = estimate(walk), late(walk, 0.15)
    one_ahead = shifted.envelope.copy()
    one_ahead[:, 1] = late(walk, -0.15).envelope[:, 1]
    halves = np.where(np.arange(len(walk))[:, None] < len(walk) // 2, shifted.envelope, late(walk, -0.15).envelope)
    return {
        "the EMG does not go with the movement at any delay": (
            replace(shifted, envelope=np.abs(rng.standard_normal(walk.envelope.shape))), expected
        ),
        "the muscles do not agree": (replace(shifted, envelope=one_ahead), expected),
        "stretches of the recording do not agree": (replace(shifted, envelope=halves), expected),
        "there is too little movement": (shifted.slice(0, 900), expected[:900]),
        "the recording is too short": (shifted.slice(0, 80), expected[:80]),
        "it may be longer than what is looked for": (late(walk, 0.55), expected),
    }  # fmt: skip


@pytest.mark.parametrize("reason", [
    "the EMG does not go with the movement at any delay", "the muscles do not agree",
    "stretches of the recording do not agree", "there is too little movement", "the recording is too short",
    "it may be longer than what is looked for",
])  # fmt: skip
def test_synchronise_keeps_doubtful_delay(walk: Recording, reason: str) -> None:
    recording, expected = doubtful(walk)[reason]
    same, found = synchronise(recording, expected)
    assert not found.corrected
    assert same is recording
    accepted = {
        "stretches of the recording do not agree": ("little is gained", "subjects differ by as much", "hardly goes"),
        "the muscles do not agree": ("little is gained", "subjects differ by as much", "other delays fit as well"),
    }.get(reason, ())
    assert any(part in found.reason for part in (reason, *accepted)), found.reason


def test_find_delay_refuses_ambiguous_delay() -> None:
    time = np.arange(3000) / RATE
    tone = np.sin(2 * np.pi * 4.0 * time)[:, None] + 1
    found = find_delay(tone, np.roll(tone, 6, axis=0), RATE)
    assert not found.corrected


def test_synchronise_ignores_untrusted_muscles(walk: Recording) -> None:
    envelope = late(walk, 0.15).envelope.copy()
    envelope[:, 1] = late(walk, -0.2).envelope[:, 1]
    recording = replace(walk, envelope=envelope, muscle_weight=np.array([1.0, 0.0]))
    _, found = synchronise(recording, estimate(walk))
    assert found.corrected
    assert np.isnan(found.by_muscle[1])


def test_synchronise_tolerates_emg_gaps(walk: Recording) -> None:
    envelope = late(walk, 0.15).envelope.copy()
    envelope[500:700] = np.nan
    corrected, found = synchronise(replace(walk, envelope=envelope), estimate(walk))
    assert found.corrected
    assert found.seconds == pytest.approx(0.15, abs=0.02)
    assert np.isnan(corrected.envelope[500:680]).all()


def test_shift_emg_is_reversible(walk: Recording) -> None:
    assert walk.emg is not None
    back = shift_emg(shift_emg(walk, 10 / RATE), -10 / RATE)
    inside = slice(10, -10)
    np.testing.assert_allclose(back.envelope[inside], walk.envelope[inside])
    assert back.emg is not None
    np.testing.assert_array_equal(back.emg.data[inside], walk.emg.data[inside])
    assert np.isnan(shift_emg(walk, 0.1).envelope[-3:]).all()
    np.testing.assert_array_equal(back.imu, walk.imu)


def test_correlations_equal_numpy_at_every_lag() -> None:
    rng = np.random.default_rng(0)
    expected, measured, lags = 5.0 + rng.random(60), 9.0 + rng.random(60), np.arange(-4, 5)
    measured[20] = np.nan
    for lag, value in zip(lags, _correlations(expected, measured, lags), strict=True):
        here, there = expected[4:56], measured[4 + lag : 56 + lag]
        known = np.isfinite(there)
        assert value == pytest.approx(np.corrcoef(here[known], there[known])[0, 1])


CLEAR = Delay(0.2, r_before=0.4, r_after=0.8, agreeing=5, stretches=5, by_muscle=(0.2, 0.2), corrected=True, reason="")


@pytest.mark.parametrize(
    ("change", "clear", "doubtful", "reason"),
    [
        ("seconds", 0.081, 0.079, "subjects differ"),
        ("seconds", -0.081, -0.079, "subjects differ"),
        ("seconds", 0.474, 0.476, "longer than"),
        ("r_after", 0.451, 0.449, "little is gained"),
        ("r_before", 0.749, 0.751, "little is gained"),
        ("by_muscle", (0.249, 0.151), (0.2, 0.251), "muscles do not agree"),
        ("stretches", 3, 2, "too little movement"),
        ("agreeing", 4, 3, "stretches of the recording do not agree"),
    ],
)
def test_doubt_begins_at_its_limits(change: str, clear: object, doubtful: object, reason: str) -> None:
    def doubt(value: object) -> str:
        delay = replace(CLEAR, **{change: value})  # type: ignore[arg-type]
        if change == "seconds":
            delay = replace(delay, by_muscle=(delay.seconds,) * 2)
        if change == "stretches":
            delay = replace(delay, agreeing=delay.stretches)
        return _doubt(delay, np.zeros(3), np.array([-0.5, 0.0, 0.5]))

    assert doubt(clear) == ""
    assert reason in doubt(doubtful)


@pytest.mark.parametrize(("r_after", "reason"), [(0.401, ""), (0.399, "hardly goes with")])
def test_doubt_needs_correlation_after_the_correction(r_after: float, reason: str) -> None:
    delay = replace(CLEAR, r_before=0.0, r_after=r_after)
    assert reason in (found := _doubt(delay, np.zeros(3), np.array([-0.5, 0.0, 0.5])))
    assert bool(reason) == bool(found)


@pytest.mark.parametrize(("other", "reason"), [(0.749, ""), (0.751, "other delays fit")])
def test_doubt_needs_a_margin_over_other_delays(other: float, reason: str) -> None:
    found = _doubt(CLEAR, np.array([other, 0.0, 0.0]), np.array([-0.5, 0.0, 0.5]))
    assert reason in found
    assert bool(reason) == bool(found)


@pytest.mark.parametrize(("reach_share", "reason"), [(4.0, "too short"), (4.05, "")])
def test_find_delay_needs_more_than_four_times_the_longest_delay(reach_share: float, reason: str) -> None:
    rate = 100.0
    envelope = np.random.default_rng(0).random((round(reach_share * LONGEST_S * rate), 1))
    found = find_delay(envelope, envelope, rate)
    assert reason in found.reason
    assert (found.seconds == pytest.approx(0.0, abs=1e-4)) is not bool(reason)


@pytest.mark.parametrize(("r", "known"), [(0.21, True), (0.19, False)])
def test_find_delay_leaves_out_muscles_below_half_of_the_least_correlation(
    monkeypatch: pytest.MonkeyPatch, r: float, known: bool
) -> None:
    monkeypatch.setattr(emg_delay, "LONGEST_S", 0.02)
    rng, rate = np.random.default_rng(0), 50.0
    good, noise = (np.convolve(rng.standard_normal(20_020), np.ones(21) / 21, "valid")[:20_000] for _ in range(2))
    good, noise = good / good.std(), (noise - good * (noise @ good) / (good @ good)) / noise.std()
    weak = r * good + np.sqrt(1 - r**2) * noise
    expected = np.stack([good, good], axis=1)
    found = find_delay(expected, np.stack([good, weak], axis=1), rate)
    assert np.isfinite(found.by_muscle).tolist() == [True, known]


@pytest.mark.parametrize(("share", "votes"), [(0.29, 3), (0.31, 4)])
def test_only_stretches_with_three_tenths_of_the_usual_movement_vote(share: float, votes: int) -> None:
    """Of four stretches one is scaled, so that its deviation is this share of that of the whole."""
    one = np.sin(np.arange(800) * 2 * np.pi * 5 / 400)[:, None]
    scale = np.sqrt(3 * share**2 / (4 - share**2))
    expected = np.concatenate([one, one, scale * one, one])
    found = _votes(expected, expected, np.arange(-4, 5), 100.0)
    np.testing.assert_allclose(found, np.zeros(votes), atol=1e-4)


@pytest.mark.parametrize(("missing", "known"), [(25, True), (26, False)])
def test_correlations_need_half_of_the_samples(missing: int, known: bool) -> None:
    values = np.random.default_rng(0).random(61)
    measured = values.copy()
    measured[5 : 5 + missing] = np.nan
    assert np.isfinite(_correlations(values, measured, np.arange(-5, 6))).all() == known


def test_peak_lies_between_samples_and_at_the_edges() -> None:
    lags = np.arange(-3, 4)
    assert _peak(1.0 - 0.01 * (lags - 0.3) ** 2, lags) == pytest.approx(0.3)
    assert _peak(1.0 - 0.01 * (lags + 1.4) ** 2, lags) == pytest.approx(-1.4)
    assert _peak(lags.astype(float), lags) == 3.0
    assert _peak(-lags.astype(float), lags) == -3.0
    assert _peak(np.array([0.0, np.nan, 0.9, 0.5, 0.1, 0.0, 0.0]), lags) == -1.0
    assert _peak(np.ones(7), lags) == -3.0
    assert _peak(np.array([0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0]), lags) == pytest.approx(-1.5)


@pytest.mark.parametrize(("lag", "reason"), [(0.451, "other delays fit"), (0.449, ""), (-0.051, "other delays fit")])
def test_doubt_leaves_out_delays_that_belong_to_the_peak(lag: float, reason: str) -> None:
    found = _doubt(CLEAR, np.array([0.8, 0.8]), np.array([0.2, lag]))
    assert reason in found
    assert bool(reason) == bool(found)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seconds": 0.041, "corrected": False, "reason": "x"}, "41 ms behind the movement"),
        ({"seconds": 0.039, "corrected": False, "reason": "x"}, ""),
        ({"seconds": -0.039, "corrected": False, "reason": "x"}, ""),
        ({"seconds": -0.041, "corrected": False, "reason": "x"}, "41 ms ahead of the movement"),
        ({"seconds": 0.01}, "10 ms behind the movement"),
        ({"stretches": 0}, ""),
    ],
)
def test_note_tells_of_delays_from_40_ms_and_of_those_corrected(change: dict[str, object], words: str) -> None:
    note = replace(CLEAR, **change).note  # type: ignore[arg-type]
    assert words in note
    assert bool(words) == bool(note)


def evidence(seconds: float, votes: int, height: float = 0.8, samples: int = 1000) -> DelayEvidence:
    """Evidence of two muscles for a delay, in so many stretches."""
    curve = height * np.exp(-(((LAGS - seconds) / 0.12) ** 2))
    return DelayEvidence(LAGS, np.stack([curve, curve]), np.full(votes, seconds), samples)


def test_clear_delay_of_one_is_shared_by_those_that_agree() -> None:
    found = share_delay([evidence(0.21, 5), evidence(0.19, 1), evidence(0.2, 2)])
    assert [delay.corrected for delay in found] == [True] * 3
    assert len({delay.seconds for delay in found}) == 1
    assert found[0].seconds == pytest.approx(0.2, abs=0.01)


def test_recordings_that_are_too_short_alone_are_clear_together() -> None:
    parts = [evidence(0.2, 1)] * 3
    assert not parts[0].delay().corrected
    assert all(delay.corrected for delay in share_delay(parts))


def test_recording_that_shows_nothing_shares_the_delay() -> None:
    silent = DelayEvidence(LAGS, np.full((2, len(LAGS)), np.nan), np.zeros(0), 0)
    found = share_delay([evidence(0.2, 5), silent])
    assert found[1].corrected
    assert found[1].seconds == found[0].seconds


def test_recording_that_contradicts_is_judged_alone() -> None:
    found = share_delay([evidence(0.3, 5, samples=9000), evidence(0.0, 5)])
    assert found[0].seconds == pytest.approx(0.3, abs=0.01)
    assert (found[1].corrected, found[1].reason) == (False, "subjects differ by as much")


def test_nothing_is_shared_where_nothing_is_clear() -> None:
    found = share_delay([evidence(0.02, 5), evidence(0.01, 5)])
    assert not any(delay.corrected for delay in found)


def test_delay_in_words_names_bags_only_where_they_differ() -> None:
    found, left = evidence(0.2, 5).delay(), evidence(0.0, 5).delay()
    assert delay_in_words([found, found], ["a", "b"]) == "0.20 s (found)"
    assert delay_in_words([found, left], ["a", "b"]) == "0.20 s (found) in a, not corrected in b"
    assert delay_in_words([given_delay(0.125)] * 2, ["a", "b"]) == "0.125 s (given)"
    assert delay_in_words([given_delay(0.0)], ["a"]) == "0 s (given)"


@pytest.mark.parametrize(("worse", "agrees"), [(0.045, True), (0.055, False)])
def test_recording_that_fits_hardly_worse_at_the_common_delay_shares_it(worse: float, agrees: bool) -> None:
    """Best at -0.2 s, and worse by less than the margin of 0.05 at the 0.2 s of the other recording."""
    two = evidence(0.2, 5, 0.6).curves + evidence(-0.2, 5, 0.6 + worse).curves
    found = share_delay([evidence(0.2, 5, samples=9000), DelayEvidence(LAGS, two, np.full(5, -0.2), 1000)])
    assert found[0].seconds == pytest.approx(0.2, abs=0.02)
    assert (found[1].seconds == found[0].seconds) == agrees
