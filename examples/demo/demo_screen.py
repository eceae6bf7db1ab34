"""The demo's screen: estimated and measured activation as bars that move."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import numpy as np

from examples.demo.demo_report import PlayedEstimates
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.recording import Recording

REFRESH_PERIOD_S = 0.1  # between two frames on a terminal
LINE_PERIOD_S = 20 * REFRESH_PERIOD_S  # between two frames elsewhere
BAR_WIDTH = 24  # characters
FULL_BAR = 1.5  # activation


class Screen:
    """Shows the newest estimate of the played part beside the measured envelope.

    Args:
        part: that is played.
        running: bundle in use, of whose reference amplitude activations are fractions.
    """

    def __init__(self, part: Recording, running: Bundle) -> None:
        self._part = part
        self._is_terminal = sys.stdout.isatty()
        self._period = REFRESH_PERIOD_S if self._is_terminal else LINE_PERIOD_S
        self._due = 0.0
        self._lines = 0
        self._shown = 0
        self._reference = np.array(running.reference.amplitude)

    def show(self, played: PlayedEstimates) -> None:
        """Show the newest estimate if the next frame is due."""
        now = time.monotonic()
        if now < self._due or len(played.activations) == self._shown or played.first_emg is None:
            return
        self._due, self._shown = now + self._period, len(played.activations)
        self._print(int(played.rows(self._part.rig.rate)[-1]), played.activations[-1])

    def _print(self, row: int, activation: Sequence[float]) -> None:
        is_inside = 0 <= row < len(self._part)
        measured = self._part.envelope[row] / self._reference if is_inside else np.full(len(self._reference), np.nan)
        lines = [
            f"{row / self._part.rig.rate:6.1f} s  {name:<24} estimated {_bar(estimate)}  measured {_bar(truth)}"
            for name, estimate, truth in zip(self._part.rig.muscle_names, activation, measured, strict=True)
        ]
        if self._is_terminal:
            if self._lines:
                print(f"\033[{self._lines}A", end="")
            self._lines = len(lines)
        print("\n".join(lines), flush=True)


def say(text: str) -> None:
    """Print a heading of the demo."""
    print(f"\n── {text}", flush=True)


def _bar(value: float) -> str:
    filled = 0 if not np.isfinite(value) else int(np.clip(round(BAR_WIDTH * value / FULL_BAR), 0, BAR_WIDTH))
    return f"{value:5.2f} {'█' * filled}{'·' * (BAR_WIDTH - filled)}"
