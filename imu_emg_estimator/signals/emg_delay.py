"""The delay between EMG and IMUs, found from the movement itself, and corrected only where it is clear.

Timestamps do not show it: an amplifier that stamps a tenth of a second late looks like one that does not. A comparison
with what the EMG should be at every instant does, such as a model's estimate. Recordings that agree, as those of one
session, share their delay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.recording import FloatArray, Recording

Floats = NDArray[np.float64]

PEAK_S = 0.25  # around the highest correlation that belong to it
LONGEST_S = 0.5  # delays up to this are looked for: beyond half a stride the next one fits as well
# When a delay is clear enough to be corrected:
LEAST_S = 0.08  # subjects' own timing differs by as much from what is expected, and is not to be taken away
LEAST_R, LEAST_GAIN_R = 0.4, 0.05  # correlation after the correction, and what it gains
MARGIN_R = 0.05  # by which every other delay must fit worse
AGREEMENT_S = 0.05  # within which muscles and stretches of the recording must agree
AGREEING_SHARE = 0.7  # of the stretches that must
STRETCH_S = 8.0  # length of a stretch
MIN_STRETCHES = 3


@dataclass(frozen=True)
class Delay:
    """How late the EMG is.

    Attributes:
        seconds: by which the EMG is behind the movement; negative = ahead.
        r_before, r_after: mean correlation of the muscles with what is expected, as it is and without the delay.
        agreeing: stretches that agree on it, of ``stretches``.
        stretches: with enough movement to judge.
        by_muscle: delay of every muscle [s]; NaN = not known.
        corrected: whether the delay is clear, and the EMG was shifted.
        reason: why not; empty if corrected.
    """

    NOT_ASKED_FOR: ClassVar = "nobody asked for it to be corrected"

    seconds: float
    r_before: float
    r_after: float
    agreeing: int
    stretches: int
    by_muscle: tuple[float, ...]
    corrected: bool
    reason: str

    @property
    def is_given(self) -> bool:
        """Whether the user gave it."""
        return self.corrected and not self.by_muscle

    @property
    def is_open(self) -> bool:
        """Whether the delay is clear, and whoever recorded it must say whether it is one."""
        return self.reason == self.NOT_ASKED_FOR

    def left_open(self) -> Delay:
        """Return the delay as one that is not corrected although it is clear."""
        return replace(self, corrected=False, reason=self.NOT_ASKED_FOR)

    @property
    def note(self) -> str:
        """What was found and done, in one sentence; empty if the EMG is in time."""
        if self.stretches == 0 or (abs(self.seconds) < 0.5 * LEAST_S and not self.corrected):
            return ""
        found = f"the EMG is {self.in_words}"
        return f"{found}: it was shifted" if self.corrected else f"{found}: it was left as it is, for {self.reason}"

    @property
    def in_words(self) -> str:
        """The delay with its figures, to follow "the EMG is"."""
        return (
            f"{1e3 * abs(self.seconds):.0f} ms {'behind' if self.seconds > 0 else 'ahead of'} the movement "
            f"(r {self.r_before:.2f} as it is, {self.r_after:.2f} without the delay, {self.agreeing} of "
            f"{self.stretches} stretches agree)"
        )


def given_delay(seconds: float) -> Delay:
    """Return a delay that the user gave; it is corrected without a check."""
    nan = float("nan")
    return Delay(seconds, nan, nan, 0, 0, (), corrected=True, reason="")


@dataclass(frozen=True)
class DelayEvidence:
    """How well the EMG goes with what is expected, at every delay; of one recording, or of several together.

    Attributes:
        lags: s, the delays that were tried.
        curves: [muscles, lags] correlation; NaN = not known.
        votes: s, the best delay of every stretch with movement.
        samples: that it is made from; 0 = the recording is too short.
    """

    lags: Floats
    curves: Floats
    votes: Floats
    samples: int

    def curve(self) -> Floats | None:
        """Return the mean correlation [lags] of the muscles that go with the movement; None = none does."""
        clear = self._clear()
        return np.asarray(np.nanmean(self.curves[clear], axis=0)) if clear.any() else None

    def delay(self, seconds: float | None = None) -> Delay:
        """Judge the best delay; a given one [s] is not judged, but given with the figures that it has here."""
        curve = self.curve()
        if curve is None:
            reason = "the EMG does not go with the movement at any delay"
            found = _unclear(reason if self.samples else "the recording is too short", len(self.curves))
            return found if seconds is None else replace(found, seconds=seconds, corrected=True, reason="")
        peak = _peak(curve, self.lags) if seconds is None else seconds
        best = float(np.nanmax(curve)) if seconds is None else self.r_at(peak)
        clear = self._clear()
        by_muscle = tuple(
            _peak(one, self.lags) if goes else np.nan for one, goes in zip(self.curves, clear, strict=True)
        )
        agreeing = int((np.abs(self.votes - peak) <= AGREEMENT_S).sum())
        delay = Delay(peak, self.r_at(0.0), best, agreeing, len(self.votes), by_muscle, True, "")
        reason = _doubt(delay, curve, self.lags) if seconds is None else ""
        return replace(delay, corrected=not reason, reason=reason)

    def r_at(self, seconds: float) -> float:
        """Return the mean correlation at a delay [s]."""
        curve = self.curve()
        return float("nan") if curve is None else float(np.interp(seconds, self.lags, curve))

    def _clear(self) -> NDArray[np.bool_]:
        return np.asarray(np.nan_to_num(self.curves, nan=-1.0).max(axis=1) >= LEAST_R / 2)


def correlate(expected: FloatArray, measured: FloatArray, rate: float) -> DelayEvidence:
    """Correlate measured envelopes with the expected ones at every delay.

    Args:
        expected: [samples, muscles] such as a model's estimate; only its course matters, not its scale.
        measured: [samples, muscles]; NaN = not known.
        rate: samples a second.
    """
    reach = round(LONGEST_S * rate)
    steps = np.arange(-reach, reach + 1)
    lags, muscles = steps / rate, measured.shape[1]
    if len(measured) <= 4 * reach:
        return DelayEvidence(lags, np.full((muscles, len(lags)), np.nan), np.zeros(0), 0)
    curves = np.array([_correlations(*pair, steps) for pair in zip(expected.T, measured.T, strict=True)])
    evidence = DelayEvidence(lags, curves, np.zeros(0), len(measured))
    clear = evidence._clear()
    if not clear.any():
        return evidence
    return replace(evidence, votes=_votes(expected[:, clear], measured[:, clear], steps, rate))


def shift_emg(recording: Recording, seconds: float) -> Recording:
    """Shift the EMG of a recording earlier by so many seconds; NaN where there is none then."""
    envelope = _earlier(recording.envelope, seconds * recording.rig.rate)
    emg = recording.emg
    if emg is not None:
        emg = replace(emg, data=_earlier(emg.data, round(seconds * emg.rate)))
    return replace(recording, envelope=envelope, emg=emg)


def _unclear(reason: str, muscles: int) -> Delay:
    nan = float("nan")
    return Delay(nan, nan, nan, 0, 0, (nan,) * muscles, False, reason)


def _doubt(delay: Delay, curve: Floats, lags: Floats) -> str:
    """Return why the delay should not be corrected; empty = it is clear."""
    elsewhere = curve[np.abs(lags - delay.seconds) > PEAK_S]
    delays = np.array([value for value in delay.by_muscle if np.isfinite(value)])
    doubts = {
        "subjects differ by as much": abs(delay.seconds) < LEAST_S,
        "it may be longer than what is looked for": abs(delay.seconds) > 0.95 * LONGEST_S,
        f"the EMG hardly goes with the movement then (r {delay.r_after:.2f})": delay.r_after < LEAST_R,
        "little is gained": delay.r_after - delay.r_before < LEAST_GAIN_R,
        "other delays fit as well": len(elsewhere) > 0 and delay.r_after - np.nanmax(elsewhere) < MARGIN_R,
        "the muscles do not agree": (np.abs(delays - delay.seconds) > AGREEMENT_S).any(),
        "there is too little movement": delay.stretches < MIN_STRETCHES,
        "stretches of the recording do not agree": delay.agreeing < AGREEING_SHARE * delay.stretches,
    }
    return next((doubt for doubt, holds in doubts.items() if holds), "")


def _votes(expected: FloatArray, measured: FloatArray, lags: NDArray[np.int64], rate: float) -> Floats:
    """Find the delay [s] in every stretch of the recording with movement."""
    length = round(STRETCH_S * rate)
    usual = expected.std(axis=0)
    votes = []
    for begin in range(0, len(expected) - length + 1, length):
        part = slice(begin, begin + length)
        if (expected[part].std(axis=0) < 0.3 * usual).all():
            continue
        curves = [_correlations(*pair, lags) for pair in zip(expected[part].T, measured[part].T, strict=True)]
        if np.isfinite(curves).any(axis=1).any():
            mean = np.nanmean([curve for curve in curves if np.isfinite(curve).any()], axis=0)
            votes.append(_peak(mean, lags / rate))
    return np.array(votes)


def _correlations(expected: FloatArray, measured: FloatArray, lags: NDArray[np.int64]) -> Floats:
    """Correlate the expected samples with those measured later by each lag [samples], over the same expected ones."""
    reach = int(lags[-1])
    inner = np.asarray(expected[reach : len(expected) - reach], dtype=np.float64)
    result = np.full(len(lags), np.nan)
    for index, lag in enumerate(lags):
        later = measured[reach + lag : reach + lag + len(inner)]
        known = np.isfinite(later) & np.isfinite(inner)
        if known.sum() > len(inner) / 2:
            here, there = inner[known] - inner[known].mean(), later[known] - later[known].mean()
            power = float(here @ here) * float(there @ there)
            result[index] = float(here @ there) / np.sqrt(power) if power > 0 else np.nan
    return result


def _peak(curve: Floats, lags: Floats) -> float:
    """Return the lag [s] of the highest value, between samples by a parabola through it and its neighbours."""
    top = int(np.nanargmax(curve))
    if 0 < top < len(curve) - 1 and np.isfinite(curve[top - 1 : top + 2]).all():
        before, here, after = curve[top - 1 : top + 2]
        bend = before - 2 * here + after
        return float(lags[top] + (0.5 * (before - after) / bend * (lags[1] - lags[0]) if bend < 0 else 0.0))
    return float(lags[top])


def _earlier(values: FloatArray, samples: float) -> FloatArray:
    """Shift values [samples, columns] earlier by so many samples, between samples by linear interpolation."""
    whole = int(np.floor(samples))
    share = samples - whole
    index = np.arange(len(values)) + whole
    padded = np.vstack([values, np.full((1, values.shape[1]), np.nan)])

    def at(index: NDArray[np.int64]) -> FloatArray:
        return np.asarray(padded[np.where((index >= 0) & (index < len(values)), index, len(values))])

    here = at(index)
    return here if share < 1e-9 else (1 - share) * here + share * at(index + 1)


def share_delay(evidences: Sequence[DelayEvidence]) -> list[Delay]:
    """Judge the delay of several recordings together, so that none is shifted where its neighbour is left.

    A recording takes part in the common delay unless its own EMG fits clearly worse there than elsewhere; such a one is
    judged alone.

    Args:
        evidences: of the recordings, with the same lags.

    Returns:
        A delay for every recording.
    """
    alone = [evidence.delay() for evidence in evidences]
    common = _common(evidences, alone)
    if common is None:
        return alone
    return [
        evidence.delay(common) if _agrees(evidence, common) else own
        for evidence, own in zip(evidences, alone, strict=True)
    ]


def delay_in_words(delays: Sequence[Delay], names: Sequence[str]) -> str:
    """Say in half a sentence which delay was corrected, in all recordings or in each by its name."""
    each = [_one_in_words(delay) for delay in delays]
    if len(set(each)) == 1:
        return each[0]
    return ", ".join(f"{words} in {name}" for words, name in zip(each, names, strict=True))


def _one_in_words(delay: Delay) -> str:
    if delay.is_given:
        return f"{delay.seconds:.3g} s (given)"
    return f"{delay.seconds:.2f} s (found)" if delay.corrected else "not corrected"


def _common(evidences: Sequence[DelayEvidence], alone: Sequence[Delay]) -> float | None:
    """Return the delay [s] that is clear of all together, or else of those where it is clear alone; None = none is."""
    together = _joined(evidences).delay()
    if together.corrected:
        return together.seconds
    clear = [delay.seconds for delay in alone if delay.corrected]
    if clear and np.ptp(clear) <= AGREEMENT_S:
        return float(np.median(clear))
    return None


def _joined(evidences: Sequence[DelayEvidence]) -> DelayEvidence:
    """Join what several recordings show, each by its duration."""
    curves = np.array([evidence.curves for evidence in evidences])  # [recordings, muscles, lags]
    weights = np.isfinite(curves) * np.array([evidence.samples for evidence in evidences])[:, None, None]
    total = weights.sum(axis=0)
    mean = np.where(total > 0, (weights * np.nan_to_num(curves)).sum(axis=0) / np.maximum(total, 1), np.nan)
    votes = np.concatenate([evidence.votes for evidence in evidences])
    samples = sum(evidence.samples for evidence in evidences)
    return DelayEvidence(evidences[0].lags, mean, votes, samples)


def _agrees(evidence: DelayEvidence, seconds: float) -> bool:
    """Whether the EMG fits best near a delay, or hardly worse there; one that fits nowhere has nothing against it."""
    curve = evidence.curve()
    if curve is None:
        return True
    is_near = abs(evidence.lags[int(np.nanargmax(curve))] - seconds) <= AGREEMENT_S
    return is_near or float(np.nanmax(curve)) - evidence.r_at(seconds) <= MARGIN_R
