"""LiveHistory: the last seconds of estimates and EMG, and the newest state, for any number of pages to ask for.

A page asks for what is new since it asked last. So nothing is queued for it: one that is slow, or was hidden, receives
more at once, never more than the history holds; one that is reloaded receives all of it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from itertools import count
from typing import Any

from imu_emg_estimator.utils.json_values import json_compatible

SPAN_S = 32.0  # that is kept
MIN_STEP_S = 1 / 31  # between two instants; envelopes hold nothing above 12 Hz
MAX_LEAP_S = 2 * SPAN_S  # of the timestamps; beyond, and backwards, all begins anew
MAX_BACK_S = 1.0
DIGITS = 4  # of a figure
Row = tuple[int, float, list[Any]]  # running number, instant [s], figures


class LiveHistory:
    """What pages show; filled by one thread, read by others.

    Attributes:
        state: see ``show``; ``speed`` is that of the clock: 1 = live, 0 = halted.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._tracks: dict[str, deque[Row]] = {"estimates": deque(), "emg": deque()}
        self._epoch, self._origin, self._arrival = time.time_ns() // 1_000_000, 0, 0.0  # JavaScript counts to 2^53
        self.state: dict[str, Any] = {"speed": 1.0}

    def estimate(self, timestamp: int, status: int, activation: Sequence[float], deviation: Sequence[float]) -> None:
        """Add an estimate, by muscle, for an instant [ns]."""
        self._add("estimates", timestamp, [status, *activation, *deviation])

    def emg(self, timestamp: int, level: Sequence[float]) -> None:
        """Add the measured EMG of an instant [ns], by muscle, once there are estimates; NaN = not measured."""
        self._add("emg", timestamp, list(level))

    def begin(self) -> None:
        """Forget all curves."""
        with self._lock:
            self._begin(0)

    def show(self, **state: Any) -> None:
        """Change parts of the state, such as ``view``; values need not be fit for JSON."""
        with self._lock:
            self.state |= state

    def since(self, epoch: int, number: int) -> dict[str, Any]:
        """Return the state, and what was added after a number; all of it where the page knows another epoch."""
        with self._lock:
            after = number if epoch == self._epoch else 0
            rows = {
                name: [[instant, *figures] for own, instant, figures in track if own > after]
                for name, track in self._tracks.items()
            }
            newest = max((track[-1][0] for track in self._tracks.values() if track), default=0)
            estimates = self._tracks["estimates"]
            state = dict(self.state)
            passed = (time.monotonic() - self._arrival) * state["speed"]
            edge = estimates[-1][1] + passed if estimates else 0.0
            answer = {"epoch": self._epoch, "number": newest, "edge": edge, **rows, **state}
        return dict(json_compatible(answer))

    def _add(self, name: str, timestamp: int, figures: list[Any]) -> None:
        with self._lock:
            instant = (timestamp - self._origin) / 1e9
            track = self._tracks[name]
            step = instant - track[-1][1] if track else 0.0
            leaps = not self._origin or step < -MAX_BACK_S or step > MAX_LEAP_S
            if leaps and name == "estimates":
                self._begin(timestamp)
                instant, track = 0.0, self._tracks[name]
            elif leaps or (track and step < MIN_STEP_S):
                return
            rounded = [figure if isinstance(figure, int) else round(float(figure), DIGITS) for figure in figures]
            track.append((next(self._numbers), instant, rounded))
            if name == "estimates":
                self._arrival = time.monotonic()
            while instant - track[0][1] > SPAN_S:
                track.popleft()

    def _begin(self, timestamp: int) -> None:
        self._epoch, self._origin = self._epoch + 1, timestamp
        self._tracks = {name: deque() for name in self._tracks}
