"""Oracle: judges outputs by what was done to the input, never by what the estimator says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.reliability.fault_cases import GRACE_S, Case, Expected
from benchmarks.reliability.live_runs import LiveRun
from imu_emg_estimator.streaming.activation_status import DEGRADED, OK

LATEST_S = 0.15  # age of the newest input behind an output that is not STALE
FUTURE_S = 0.005  # by which clocks may be reconciled wrongly
LOOK_AHEAD_S = 0.052  # of an estimate; and a period of its grid
TOLERANCE = 0.1  # of an activation, where another clock is reconciled: share of the reference amplitude
SETTLED_S = 0.5  # for which outputs must be good again
SETTLING_S = 3.0  # that reconciling may take
LIMITS_S = (3.0, 10.0)
MAX_UNNAMED_SHARE = 0.1  # of the outputs after a fault is named

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Truth:
    """What was done to the input.

    Attributes:
        sensors: that were struck.
        start, end: of the fault [s].
        struck: instants of the messages that were changed [s]; None = all of them.
    """

    sensors: tuple[int, ...]
    start: float
    end: float
    struck: Array | None = None


class Outputs:
    """A run as arrays over its outputs; ``unnamed`` says which act on sensors that nobody named."""

    def __init__(self, run: LiveRun, sensors: Sequence[int] = ()) -> None:
        bits = sum(1 << sensor for sensor in sensors)
        self.at, self.instant = np.array(run.at), np.array(run.instant)
        self.status, missing = np.array(run.status, int), np.array(run.missing, int)
        self.activation = np.array(run.activation, float).reshape(len(run.at), -1)
        self.usable = (self.status == OK) | (self.status == DEGRADED)
        self.unnamed = (self.status == OK) | ((self.status == DEGRADED) & (missing & bits != bits))
        self.blames_others = (self.status == DEGRADED) & (missing & ~bits != 0)

    def activation_at(self, instants: Array) -> Array:
        """Interpolate the activation [instants, muscles]."""
        known = np.isfinite(self.activation).all(axis=1)
        order = np.argsort(self.instant[known], kind="stable")
        instant, values = self.instant[known][order], self.activation[known][order]
        return np.stack([np.interp(instants, instant, column) for column in values.T], axis=1)

    def status_at(self, at: Array) -> NDArray[np.int64]:
        """Return the status published last before instants."""
        return self.status[np.clip(np.searchsorted(self.at, at, side="right") - 1, 0, None)]


def judge(case: Case, truth: Truth, run: LiveRun, clean: LiveRun) -> dict[str, float | int | None]:
    """Return the figures of one trial; instants and times in s."""
    outputs, reference = Outputs(run, truth.sensors), Outputs(clean)
    reconciled = case.expected in (Expected.RECONCILED, Expected.HARMLESS)
    wrong = _wrong(case, truth, outputs)
    difference = np.abs(outputs.activation - reference.activation_at(outputs.instant)).max(axis=1)
    if reconciled:
        unsaid = wrong & ((outputs.usable & _is_untimely(outputs)) | (outputs.unnamed & (difference > TOLERANCE)))
    else:
        unsaid = wrong & outputs.unnamed
    after = outputs.at[unsaid] - truth.start
    acting = wrong & outputs.unnamed
    figures: dict[str, float | int | None] = {
        "messages": int(wrong.sum()),
        "unsaid": int(unsaid.sum()),
        "last_unsaid": float(after.max()) if len(after) else 0.0,
        "said_first": _first(outputs.at, wrong & ~outputs.unnamed, truth.start),
        "named_from": named_from(outputs.at[wrong] - truth.start, outputs.unnamed[wrong]),
        "told_first": _told_first(run, truth),
        **{f"unsaid_after_{limit:g}_s": int((after > limit).sum()) for limit in LIMITS_S},
        "blames_others": int((wrong & outputs.blames_others).sum()),
        "usable": int((wrong & outputs.usable).sum()),
        "clean_usable": float(np.isin(reference.status_at(outputs.at[wrong]), (OK, DEGRADED)).sum()),
        "effect": float(np.nanmax(difference[acting])) if np.isfinite(difference[acting]).any() else 0.0,
        "recovery": _recovery(truth, outputs, reference),
    }
    if reconciled:
        figures |= _agreement(outputs, reference, wrong & outputs.usable & (outputs.at > truth.start + SETTLING_S))
    return figures


def _wrong(case: Case, truth: Truth, outputs: Outputs) -> NDArray[np.bool_]:
    """Return which outputs come from wrong input, later than the grace after the fault began."""
    grace = GRACE_S.get(case.expected, 0.0)
    begin = SETTLING_S if case.whole else truth.start + grace
    wrong = (outputs.at > begin) & (outputs.at <= truth.end)
    if truth.struck is None:
        return wrong
    latest = np.searchsorted(truth.struck, outputs.at, side="right") - 1
    before = np.where(latest >= 0, truth.struck[np.maximum(latest, 0)] if len(truth.struck) else -np.inf, -np.inf)
    return np.asarray(wrong & (outputs.at - before < SETTLED_S))


def _is_untimely(outputs: Outputs) -> NDArray[np.bool_]:
    """Return which outputs are for an instant that cannot be, or too long ago: their clock is wrong."""
    age = outputs.at - outputs.instant - LOOK_AHEAD_S
    return np.asarray((age < -FUTURE_S) | (age > LATEST_S + LOOK_AHEAD_S))


def _first(at: Array, chosen: NDArray[np.bool_], start: float) -> float | None:
    return float(at[chosen][0] - start) if chosen.any() else None


def named_from(elapsed: Array, unnamed: NDArray[np.bool_]) -> float | None:
    """Return from when on at most a tenth of the outputs leave a struck sensor unnamed."""
    later = np.arange(len(unnamed), 0, -1)
    share = np.cumsum(unnamed[::-1])[::-1] / later
    return _first(elapsed, (share <= MAX_UNNAMED_SHARE) & ~unnamed, 0.0)


def _told_first(run: LiveRun, truth: Truth) -> float | None:
    """Return when a verdict on a struck sensor began, from the beginning of the fault."""
    told = [one.at for one in run.entries if one.sensor in truth.sensors and truth.start < one.at <= truth.end]
    return told[0] - truth.start if told else None


def _recovery(truth: Truth, outputs: Outputs, reference: Outputs) -> float | None:
    """Return how long after the fault the outputs were as good as on clean input; NaN = never, None = no end."""
    later = outputs.at > truth.end
    if not later.any():
        return None
    at = outputs.at[later]
    good = (outputs.status[later] == OK) | (reference.status_at(at) != OK)
    bad_at = at[~good]
    for candidate in at[good]:
        ends = candidate + SETTLED_S
        if ends > at[-1]:
            return float("nan")
        if not ((bad_at > candidate) & (bad_at < ends)).any():
            return float(candidate - truth.end)
    return float("nan")


def _agreement(outputs: Outputs, reference: Outputs, chosen: NDArray[np.bool_]) -> dict[str, float | int | None]:
    """Return the worst muscle's correlation with the estimate from clean input, and ratio of amplitudes."""
    values, expected = outputs.activation[chosen], reference.activation_at(outputs.instant[chosen])
    if len(values) < 10 or not (values.std(axis=0) * expected.std(axis=0)).all():
        return {"r": None, "amplitude": None}
    muscles = range(values.shape[1])
    ratios = values.std(axis=0) / expected.std(axis=0)
    return {
        "r": float(min(np.corrcoef(values[:, m], expected[:, m])[0, 1] for m in muscles)),
        "amplitude": float(ratios[np.argmax(np.abs(np.log(ratios)))]),
    }
