"""One EMG delay for several recordings that agree on it, such as those of one session."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from imu_emg_estimator.signals.emg_delay import Delay, DelayEvidence, DelaySettings


def share_delay(evidences: Sequence[DelayEvidence], settings: DelaySettings) -> list[Delay]:
    """Judge the delay of several recordings together, so that none is shifted where its neighbour is left.

    A recording takes part in the common delay unless its own EMG fits clearly worse there than elsewhere; such a one is
    judged alone.

    Args:
        evidences: of the recordings, with the same lags.

    Returns:
        A delay for every recording.
    """
    alone = [evidence.delay(settings) for evidence in evidences]
    common = _common(evidences, alone, settings)
    if common is None:
        return alone
    return [
        evidence.delay(settings, common) if _agrees(evidence, common, settings) else own
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


def _common(evidences: Sequence[DelayEvidence], alone: Sequence[Delay], settings: DelaySettings) -> float | None:
    """Return the delay [s] that is clear of all together, or else of those where it is clear alone; None = none is."""
    together = _joined(evidences).delay(settings)
    if together.corrected:
        return together.seconds
    clear = [delay.seconds for delay in alone if delay.corrected]
    if clear and np.ptp(clear) <= settings.agreement:
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


def _agrees(evidence: DelayEvidence, seconds: float, settings: DelaySettings) -> bool:
    """Whether the EMG fits best near a delay, or hardly worse there; one that fits nowhere has nothing against it."""
    curve = evidence.curve(settings)
    if curve is None:
        return True
    is_near = abs(evidence.lags[int(np.nanargmax(curve))] - seconds) <= settings.agreement
    return is_near or float(np.nanmax(curve)) - evidence.r_at(seconds, settings) <= settings.margin
