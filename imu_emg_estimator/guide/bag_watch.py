"""Watch a bag: its messages go through the live path as they were received, without ROS."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from imu_emg_estimator.bags.bag_reader import open_bag
from imu_emg_estimator.bags.message_types import IMU_TYPE
from imu_emg_estimator.bags.topic_mapping import find_imu_topics
from imu_emg_estimator.errors import BagTooShort
from imu_emg_estimator.guide.watch_panel import EstimatorView, SensorView
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.imu_decoder import decode_imu
from imu_emg_estimator.signals.sensor_verdict import Verdict
from imu_emg_estimator.streaming.activation_status import DEGRADED, NAMES, OK
from imu_emg_estimator.streaming.live_estimator import CHECK_PERIOD_S, LiveEstimator, LiveSettings, Output
from imu_emg_estimator.utils.progress import Stopped

RATE_SPAN_S = 2.0  # over which rates are counted
SHOW_PERIOD_S = 0.1  # of the bag
SLEEP_S = 0.005  # less is not slept
NAP_S = 0.1  # at most, so that a pause or the end is noticed
MAX_LAG_S = 1.0  # behind its time, a bag on a slow computer does not hurry to catch up


class Pace:
    """When the messages of a bag are due; another thread may change it while the bag is played.

    Attributes:
        rate: speed, 1 = as recorded; 0 = as fast as can be.
        paused: nothing is due until this ends.
        stopped: the bag is not played to its end.
    """

    def __init__(self) -> None:
        self.rate, self.paused, self.stopped = 1.0, False, False
        self._last = self._due = 0.0

    def begin(self, rate: float) -> None:
        """Begin at the start of the bag, at a speed."""
        self.rate, self._last, self._due = rate, 0.0, time.monotonic()

    def wait(self, instant: float) -> None:
        """Wait until an instant of the bag is due [s]; raises Stopped."""
        step, self._last = instant - self._last, instant
        self._due = max(self._due, time.monotonic() - MAX_LAG_S) + (step / self.rate if self.rate else -math.inf)
        while not self.stopped and (self.paused or self._due - time.monotonic() > SLEEP_S):
            if self.paused:
                self._due += NAP_S
            time.sleep(NAP_S if self.paused else min(NAP_S, max(self._due - time.monotonic(), 0.0)))
        if self.stopped:
            raise Stopped


class BagWatch:
    """Plays a bag into an estimator of its own.

    Args:
        path: of the bag.
        imu_topics: in the order of the rig; None = found by their names.
        settings: of the live path.
        received: called with every output.

    Attributes:
        pace: of the play.
        rows: seconds since the first message and activation of each muscle, of the estimates that can be trusted (OK
            and DEGRADED).
    """

    def __init__(
        self,
        path: Path,
        bundle: Bundle,
        imu_topics: Sequence[str] | None = None,
        settings: LiveSettings | None = None,
        received: Callable[[Output], None] = lambda output: None,
    ) -> None:
        self.pace, self._received = Pace(), received
        self._path, self._bundle, self._imu_topics = path, bundle, imu_topics
        self._live = LiveEstimator(bundle, settings or LiveSettings())
        self.rows: list[list[float]] = []
        self._began = 0  # when the first message was received [ns]
        self._newest: Output | None = None
        self._arrivals: list[list[int]] = [[] for _ in bundle.rig.sensors]  # ns, of the last seconds
        self._estimates: list[int] = []
        self._seen: Counter[str] = Counter()
        self._faults: Counter[str] = Counter()

    def play(self, rate: float, show: Callable[[EstimatorView], None]) -> EstimatorView:
        """Play it to its end; return what was to be seen then.

        Args:
            rate: speed, 1 = as recorded; 0 = as fast as can be.
            show: called ten times a second of the bag.

        Raises:
            BagUnreadable, TopicMissing, BagTooShort: the bag cannot be watched.
            Stopped: the pace was.
        """
        now = shown = 0
        self.pace.begin(rate)
        for now in self._instants():
            if now - shown >= SHOW_PERIOD_S * SECOND:
                shown = now
                show(self.view(now))
        if not self._newest:
            raise BagTooShort(f"bag {self._path} is too short for an estimate; record a few seconds")
        return self.view(now)

    def view(self, now: int) -> EstimatorView:
        """Return what is to be seen at an instant of the bag [ns]."""
        output, muscles = self._newest, self._bundle.rig.muscle_names
        none = [math.nan] * len(muscles)
        known = output is not None and not isinstance(output.activation, float)
        return EstimatorView(
            title=f"{self._path.name}, {self._bundle.model_id}",
            status=output.status if output else None,
            cause=self._live.cause,
            rate=_rate(self._estimates, now),
            age=output.age if output else math.nan,
            muscles=muscles,
            activation=list(map(float, output.activation)) if known else none,  # type: ignore[arg-type,union-attr]
            deviation=list(map(float, output.deviation)) if known else none,  # type: ignore[arg-type,union-attr]
            sensors=[self._sensor(index, now) for index in range(len(self._bundle.rig.sensors))],
            seen=dict(self._seen),
            faults=dict(self._faults),
        )

    def _sensor(self, sensor: int, now: int) -> SensorView:
        state = self._live.states[sensor]
        advice = "; ".join(filter(None, (state.reason, state.remedy)))
        rate = _rate(self._arrivals[sensor], now)
        return SensorView(self._bundle.rig.sensor_names[sensor], rate, state.verdict.value, advice)

    def _instants(self) -> Iterator[int]:
        """Feed the estimator; yield the instant of every estimate [ns]."""
        with open_bag(self._path) as bag:
            topics = find_imu_topics(bag, self._bundle.rig, self._imu_topics)
            sensors, checked = {topic: i for i, topic in enumerate(topics)}, 0
            for message in bag.messages_in_order(dict.fromkeys(topics, IMU_TYPE)):
                now = message.receive_time
                self._began = self._began or now
                self.pace.wait((now - self._began) / SECOND)
                sensor, outputs = sensors[message.topic], []
                self._arrivals[sensor].append(now)
                if decoded := decode_imu(message.data):
                    outputs = self._live.take(sensor, *decoded, now)
                if now - checked > CHECK_PERIOD_S * SECOND:
                    checked, outputs = now, [*outputs, *self._live.check(now)]
                for output in outputs:
                    self._note(output, now)
                    yield now

    def _note(self, output: Output, now: int) -> None:
        self._newest = output
        self._received(output)
        if output.status in (OK, DEGRADED) and not isinstance(output.activation, float):
            self.rows.append([(output.timestamp - self._began) / SECOND, *map(float, output.activation)])
        self._seen[NAMES[output.status]] += 1
        self._estimates.append(now)
        for name, state in zip(self._bundle.rig.sensor_names, self._live.states, strict=True):
            if state.verdict is not Verdict.OK:
                self._faults[f"{name} {state.verdict.value}"] += 1


def _rate(instants: list[int], now: int) -> float:
    """Return how many of the instants [ns] a second lie in the last seconds; forgets older ones."""
    while instants and now - instants[0] > RATE_SPAN_S * SECOND:
        del instants[0]
    return (len(instants) - 1) / max((instants[-1] - instants[0]) / SECOND, 1e-3) if len(instants) > 1 else 0.0
