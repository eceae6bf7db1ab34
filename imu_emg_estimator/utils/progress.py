"""Progress of work that takes over two seconds: reported to callers, or shown as a bar."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

StepProgress = Callable[[int, int, float], None]  # called with steps done, steps in all and the newest loss
CountProgress = Callable[[int, int], None]  # called with parts done and parts in all

BAR_WIDTH = 30  # characters
MIN_FRACTION = 0.02  # of the work must be done before the time left is estimated
MAX_FRACTION = 0.99  # of work that is not done


class Stopped(Exception):
    """The work was ended early on request."""


@dataclass(frozen=True)
class Progress:
    """How far a piece of work is.

    Attributes:
        phase: what is being done, in one word.
        fraction: share of all the work that is done, 0 to 1; never falls.
        seconds_left: estimate for all the work [s] from the time so far; NaN = not known yet.
        loss: of the newest optimiser step; NaN = none yet.
    """

    phase: str
    fraction: float
    seconds_left: float
    loss: float

    def to_dict(self) -> dict[str, str | float | None]:
        """Return values for JSON, with None for NaN."""
        numbers = {"seconds_left": self.seconds_left, "loss": self.loss}
        known = {name: value if math.isfinite(value) else None for name, value in numbers.items()}
        return {"phase": self.phase, "fraction": self.fraction, **known}


class Work:
    """Work of several phases that reports its progress and can be stopped.

    Args:
        phases: in their order, each with its share of the work.
        report: called whenever the work has advanced.
        stop: asked at every report whether to end.
    """

    def __init__(
        self,
        phases: Mapping[str, float],
        report: Callable[[Progress], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> None:
        self._shares = {phase: share / sum(phases.values()) for phase, share in phases.items()}
        self._report, self._stop = report, stop
        self._start = time.monotonic()
        self._phase, self._begun, self._fraction, self._loss = next(iter(phases)), 0.0, 0.0, math.nan

    def begin(self, phase: str) -> None:
        """Begin a phase; those before it are done. Raises Stopped."""
        names = list(self._shares)
        self._phase, self._begun = phase, sum(self._shares[name] for name in names[: names.index(phase)])
        self.advance(0.0)

    def advance(self, share: float, loss: float = math.nan) -> None:
        """Note that this share of the phase is done. Raises Stopped."""
        self._fraction = max(self._fraction, min(MAX_FRACTION, self._begun + self._shares[self._phase] * share))
        self._loss = self._loss if math.isnan(loss) else loss
        self._notify(self._phase)

    def done(self) -> None:
        """Note that nothing is left to do; this cannot be stopped any more."""
        self._fraction, self._stop = 1.0, None
        self._notify("done")

    def _notify(self, phase: str) -> None:
        if self._stop and self._stop():
            raise Stopped
        if self._report:
            taken, done = time.monotonic() - self._start, self._fraction
            left = taken * (1.0 - done) / done if done >= MIN_FRACTION else math.nan
            self._report(Progress(phase, done, left, self._loss))


class ProgressBar:
    """Call with (done, total) or (done, total, loss); rewrites one line on a terminal, prints sparsely elsewhere.

    Args:
        patience: time [s]; work that is done sooner is not shown.
    """

    def __init__(self, title: str, patience: float = 0.0) -> None:
        self._title, self._patience = title, patience
        self._start = time.monotonic()
        self._last_print = 0.0
        self._interval = 0.2 if sys.stderr.isatty() else 10.0

    def __call__(self, done: int, total: int, loss: float | None = None) -> None:
        left = (time.monotonic() - self._start) * (total - done) / done if done else math.nan
        fraction = done / total if total else 1.0
        self._draw(self._title, fraction, f"{done}/{total}", left, math.nan if loss is None else loss)

    def show(self, progress: Progress) -> None:
        """Show the progress of work of several phases, once it is above zero."""
        if progress.fraction <= 0.0:
            return
        text = f"{progress.fraction:.0%}"
        self._draw(f"{self._title}: {progress.phase}", progress.fraction, text, progress.seconds_left, progress.loss)

    def _draw(self, title: str, fraction: float, amount: str, left: float, loss: float) -> None:
        now = time.monotonic()
        if now - self._start < self._patience or (fraction < 1.0 and now - self._last_print < self._interval):
            return
        self._last_print = now
        filled = int(BAR_WIDTH * fraction)
        text = f"{title} [{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {amount}"
        text += "" if math.isnan(left) else f", {left:.0f} s left"
        text += "" if math.isnan(loss) else f", loss {loss:.3f}"
        if sys.stderr.isatty():
            print(f"\r{text:<100}", end="\n" if fraction >= 1.0 else "", file=sys.stderr, flush=True)
        else:
            print(text, file=sys.stderr, flush=True)
