"""BagFeed: plays a bag into the page through an estimator of its own, without ROS."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.guide.bag_watch import BagWatch
from imu_emg_estimator.guide.watch_panel import EstimatorView
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.envelope_curves import in_unit
from imu_emg_estimator.recording import FloatArray, Recording
from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.streaming.live_estimator import Output
from imu_emg_estimator.utils.optional_packages import unmet
from imu_emg_estimator.utils.progress import Stopped
from imu_emg_estimator.view.body_places import figure
from imu_emg_estimator.view.live_history import LiveHistory
from imu_emg_estimator.view.page_server import Action

MAX_SPEED = 8.0


class BagFeed:
    """Fills a history with what a bag shows; ``actions`` pause it, change its speed and play it again.

    Args:
        imu_topics: in the order of the rig; None = found by their names.
    """

    def __init__(self, path: Path, bundle: Bundle, imu_topics: Sequence[str] | None, history: LiveHistory) -> None:
        self._path, self._bundle, self._imu_topics, self._history = path, bundle, imu_topics, history
        self._measured: Recording | None = None
        self._scale: FloatArray = np.ones(len(bundle.rig.muscles))
        self._emitted, self._speed, self._paused = 0, 1.0, False
        self._again = threading.Event()
        self._watch = self._make_watch()
        self.actions: Mapping[str, Action] = {"pause": self._pause, "speed": self._set_speed, "again": self._restart}
        history.show(kind="bag", figure=figure(bundle.rig.sensors), ended=False, paused=False)

    def run(self) -> None:
        """Play, again whenever the page wishes, until Ctrl-C.

        Raises:
            BagUnreadable, TopicMissing, BagTooShort: the bag cannot be watched.
        """
        threading.Thread(target=self._read_emg, name="emg", daemon=True).start()
        while True:
            self._again.clear()
            try:
                self._show(self._watch.play(self._speed, self._show))
            except Stopped:
                pass
            else:
                self._history.show(ended=True, speed=0.0)
                self._again.wait()
            self._history.begin()
            self._emitted, self._paused = 0, False
            self._watch = self._make_watch()
            self._history.show(ended=False)
            self._tell()

    def _make_watch(self) -> BagWatch:
        return BagWatch(self._path, self._bundle, self._imu_topics, received=self._receive)

    def _show(self, view: EstimatorView) -> None:
        self._history.show(view=view.to_dict())

    def _receive(self, output: Output) -> None:
        shape = len(self._bundle.rig.muscles)
        activation, deviation = (np.broadcast_to(values, shape) for values in (output.activation, output.deviation))
        self._history.show(masked=output.missing)
        self._history.estimate(output.timestamp, output.status, activation.tolist(), deviation.tolist())
        if measured := self._measured:
            due = min((output.timestamp / SECOND - measured.start) * measured.rig.rate, len(measured.envelope))
            for row in range(self._emitted, math.floor(due)):
                instant = round((measured.start + row / measured.rig.rate) * SECOND)
                self._history.emg(instant, (measured.envelope[row] / self._scale).tolist())
                self._emitted = row + 1

    def _read_emg(self) -> None:
        """Read the whole bag for its EMG, while it is played already."""
        try:
            from imu_emg_estimator.bags import TopicMapping, read_bag_with_report  # need SciPy

            mapping = TopicMapping(imu_topics=self._imu_topics)
            measured, _ = read_bag_with_report(self._path, self._bundle.rig, mapping)
        except (InputError, ImportError) as error:
            reason = unmet(error) if isinstance(error, ImportError) else error
            self._history.show(emg_note=f"No measured EMG: {reason}.")
            return
        same_unit = in_unit(self._bundle, measured.envelope_unit)
        self._scale = np.where(same_unit, np.array(self._bundle.reference.amplitude), 1.0)
        self._history.show(rescaled=(~same_unit).tolist())
        self._measured = measured

    def _tell(self) -> None:
        self._watch.pace.rate, self._watch.pace.paused = self._speed, self._paused
        self._history.show(paused=self._paused, speed=0.0 if self._paused else self._speed)

    def _pause(self, fields: Mapping[str, Any]) -> None:
        self._paused = bool(fields.get("paused"))
        self._tell()

    def _set_speed(self, fields: Mapping[str, Any]) -> None:
        speed = fields.get("speed")
        if not isinstance(speed, (int, float)) or not 0 < speed <= MAX_SPEED:
            raise InputError(f"speed {str(speed)[:20]} is not between 0 and {MAX_SPEED:g}")
        self._speed = float(speed)
        self._tell()

    def _restart(self, fields: Mapping[str, Any]) -> None:
        self._watch.pace.stopped = True
        self._again.set()
