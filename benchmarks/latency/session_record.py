"""Samples and estimates recorded in a session, and the figures computed from them; without ROS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.latency.latency_figures import Instants, histogram, largest_gap, missed, percentiles, places, within
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.signals.grid_alignment import SECOND

TAIL_S = 0.3  # at the end of a measurement, whose estimates may still be on their way
DRAWN_S = 0.05  # of the picture of gaps over time


@dataclass(frozen=True)
class SessionRecord:
    """Records of a session's processes; instants in ns.

    Attributes:
        load: see ``ros_processes.imu_load``.
        listener: see ``ros_processes.estimate_listener``.
        node: see ``ros_processes.empty_node``; empty for others.
    """

    bundle: Bundle
    launched: int
    load: Mapping[str, NDArray[Any]]
    listener: Mapping[str, NDArray[Any]]
    node: Mapping[str, NDArray[Any]]

    @property
    def delay(self) -> int:
        """Offset [ns] from the timestamp of an estimate to that of its newest samples."""
        return round(self.bundle.config.look_ahead * SECOND / self.bundle.rig.rate)

    def estimates(self, start: int, stop: int) -> dict[str, Any]:
        """Return ages [s], and the number of estimates that arrived of those due from start to stop.

        An age runs from the timestamp of the newest samples to the listener; a ``latency`` from when the last of those
        samples was published.
        """
        due = self._due(start, stop)
        rows, arrivals = self._estimated("rows"), self._estimated("arrivals")
        found = places(rows, due)
        here = found >= 0
        ages = (arrivals[here] - rows[here]) / SECOND
        published = self.load["published"][within(self.load["timestamps"], due[0], due[-1] + 1)] if len(due) else due
        latencies = (arrivals[here] - published[found[here]]) / SECOND
        return {
            "age": percentiles(ages),
            "latency": percentiles(latencies),
            "histogram": histogram(ages),
            "due": len(due),
            "missed": missed(rows, due),
            "largest_gap": largest_gap(arrivals[within(arrivals, start, stop)], start, stop),
        }

    def starts(self) -> dict[str, float | None]:
        """Return seconds from the launch of the process to its first estimate, and to its first with status OK."""
        arrivals = self._estimated("arrivals")
        first, ok = arrivals[:1], arrivals[self._estimated("status") == 0][:1]
        return {
            "first_estimate": float(first[0] - self.launched) / SECOND if len(first) else None,
            "first_ok": float(ok[0] - self.launched) / SECOND if len(ok) else None,
        }

    def load_kept(self, start: int, stop: int) -> dict[str, float]:
        """Return how well the load kept its rate from start to stop: true rate [Hz], and lateness [s]."""
        chosen = within(self.load["timestamps"], start, stop)
        timestamps, published = self.load["timestamps"][chosen], self.load["published"][chosen]
        if len(timestamps) < 2:
            return {"asked": float(self.load["rate"]), "kept": 0.0, "late_p50": 0.0, "late_p99": 0.0}
        late = (published - timestamps) / SECOND
        return {
            "asked": float(self.load["rate"]),
            "kept": float((len(published) - 1) * SECOND / (published[-1] - published[0])),
            "late_p50": float(np.percentile(late, 50)),
            "late_p99": float(np.percentile(late, 99)),
        }

    def masked(self, start: int, stop: int) -> int:
        """Count the missing sensors in all estimates from start to stop."""
        rows, missing = self._estimated("rows"), self._estimated("missing")
        return int(missing[within(rows, start, stop - round(TAIL_S * SECOND))].sum())

    def received(self, start: int, stop: int) -> dict[str, int]:
        """Count the messages due at an empty node from start to stop, and those that did not arrive."""
        due = self._due(start, stop)
        sensors = [timestamps for name, timestamps in self.node.items() if name.startswith("sensor_")]
        return {"due": len(due) * len(sensors), "lost": sum(missed(timestamps, due) for timestamps in sensors)}

    def first_of_new_calibration(self) -> int | None:
        """Return the arrival [ns] of the first estimate with another calibration than the first one's."""
        arrivals = self._estimated("arrivals")[self._estimated("calibration") > 0]
        return int(arrivals[0]) if len(arrivals) else None

    def gaps_over_time(self, start: int, stop: int) -> dict[str, list[float]]:
        """Return the longest gap [s] between estimates in each period [s] from start to stop that has any."""
        arrivals = self._estimated("arrivals")
        arrivals = arrivals[within(arrivals, start, stop)]
        if len(arrivals) < 2:
            return {"time": [], "gap": []}
        piece = ((arrivals[1:] - start) // round(DRAWN_S * SECOND)).astype(int)
        longest = np.zeros(piece.max() + 1)
        np.maximum.at(longest, piece, np.diff(arrivals) / SECOND)
        came = np.flatnonzero(longest)
        return {"time": (DRAWN_S * came).tolist(), "gap": longest[came].tolist()}

    def _estimated(self, column: str) -> Instants:
        """Return a column of the messages with an estimate; ``rows`` are the timestamps of its newest samples.

        STALE messages hold no estimate.
        """
        values = self.listener["timestamps"] + self.delay if column == "rows" else self.listener[column]
        chosen: Instants = values[self.listener["is_estimate"]]
        return chosen

    def _due(self, start: int, stop: int) -> Instants:
        """Return the timestamps of the samples from start to stop whose estimates could arrive in time."""
        timestamps: Instants = self.load["timestamps"]
        return timestamps[within(timestamps, start, stop - round(TAIL_S * SECOND))]
