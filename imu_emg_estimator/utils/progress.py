"""How far something is that takes over two seconds: told to whoever waits for it, or shown as a bar."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

WIDTH = 30
FORETOLD = 0.02  # of the work must be done before the time left can be told
NEARLY = 0.99  # as far as it can be before it is done


class Stopped(Exception):
    """The work was ended early, as somebody asked for."""


@dataclass(frozen=True)
class Progress:
    """How far a piece of work is.

    Attributes:
        phase: what is being done, in one word.
        fraction: of all the work that is done, 0 to 1; never falls.
        seconds_left: of all the work [s], by what it took so far; NaN = not known yet.
        loss: of the newest optimiser step; NaN = none yet.
    """

    phase: str
    fraction: float
    seconds_left: float
    loss: float

    def to_dict(self) -> dict[str, str | float | None]:
        """Plain values for JSON: None in place of NaN."""
        numbers = {"seconds_left": self.seconds_left, "loss": self.loss}
        known = {name: value if math.isfinite(value) else None for name, value in numbers.items()}
        return {"phase": self.phase, "fraction": self.fraction, **known}


class Work:
    """Work of several phases, which tells how far it is and ends where somebody wants it to.

    Args:
        phases: in their order, and which share of the work each one is.
        told: called with every news.
        stop: asked at every news whether to end.
    """

    def __init__(
        self,
        phases: Mapping[str, float],
        told: Callable[[Progress], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> None:
        self._shares = {phase: share / sum(phases.values()) for phase, share in phases.items()}
        self._told, self._stop = told, stop
        self._start = time.monotonic()
        self._phase, self._begun, self._fraction, self._loss = next(iter(phases)), 0.0, 0.0, math.nan

    def begin(self, phase: str) -> None:
        """The next phase; those before it are done. Raises Stopped."""
        names = list(self._shares)
        self._phase, self._begun = phase, sum(self._shares[name] for name in names[: names.index(phase)])
        self.advance(0.0)

    def advance(self, share: float, loss: float = math.nan) -> None:
        """This share of the phase is done. Raises Stopped."""
        self._fraction = max(self._fraction, min(NEARLY, self._begun + self._shares[self._phase] * share))
        self._loss = self._loss if math.isnan(loss) else loss
        self._tell(self._phase)

    def done(self, phase: str = "done") -> None:
        """Nothing is left to do; cannot be stopped any more."""
        self._fraction, self._stop = 1.0, None
        self._tell(phase)

    def _tell(self, phase: str) -> None:
        if self._stop and self._stop():
            raise Stopped
        if self._told:
            taken, done = time.monotonic() - self._start, self._fraction
            left = taken * (1.0 - done) / done if done >= FORETOLD else math.nan
            self._told(Progress(phase, done, left, self._loss))


class ProgressBar:
    """Call with (done, total) or (done, total, loss); rewrites one line on a terminal, prints sparsely elsewhere.

    Args:
        patience: s; work that is done sooner is not spoken of.
    """

    def __init__(self, title: str, patience: float = 0.0) -> None:
        self._title, self._patience = title, patience
        self._start = time.monotonic()
        self._last_print = 0.0
        self._interval = 0.2 if sys.stderr.isatty() else 10.0

    def __call__(self, done: int, total: int, loss: float | None = None) -> None:
        left = (time.monotonic() - self._start) * (total - done) / done if done else math.nan
        fraction = done / total if total else 1.0
        self._show(self._title, fraction, f"{done}/{total}", left, math.nan if loss is None else loss)

    def tell(self, progress: Progress) -> None:
        """Show how far work of several phases is, once it is anywhere."""
        if progress.fraction <= 0.0:
            return
        text = f"{progress.fraction:.0%}"
        self._show(f"{self._title}: {progress.phase}", progress.fraction, text, progress.seconds_left, progress.loss)

    def _show(self, title: str, fraction: float, amount: str, left: float, loss: float) -> None:
        now = time.monotonic()
        if now - self._start < self._patience or (fraction < 1.0 and now - self._last_print < self._interval):
            return
        self._last_print = now
        filled = int(WIDTH * fraction)
        text = f"{title} [{'#' * filled}{'.' * (WIDTH - filled)}] {amount}"
        text += "" if math.isnan(left) else f", {left:.0f} s left"
        text += "" if math.isnan(loss) else f", loss {loss:.3f}"
        if sys.stderr.isatty():
            print(f"\r{text:<100}", end="\n" if fraction >= 1.0 else "", file=sys.stderr, flush=True)
        else:
            print(text, file=sys.stderr, flush=True)
