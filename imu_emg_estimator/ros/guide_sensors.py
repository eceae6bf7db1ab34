"""The subject's sensors for the guide: capture samples of every IMU, check for EMG, and record a bag of both."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rclpy.node import Node

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.guide.live_samples import CaptureProgress, LiveSamples, OnProgress, RecordedBag, SensorSamples
from imu_emg_estimator.guide.sensor_problems import display_name
from imu_emg_estimator.guide.topic_search import SubjectTopics, find_topics
from imu_emg_estimator.recording import FloatArray
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.ros.bag_recorder import record
from imu_emg_estimator.ros.live_rates import LiveRates
from imu_emg_estimator.ros.raw_subscriptions import TopicStream, await_topics
from imu_emg_estimator.signals.grid_alignment import SECOND, Sample
from imu_emg_estimator.signals.imu_decoder import decode_imu
from imu_emg_estimator.signals.mounting_rotation import turn_mounts

POLL_PERIOD_S = 0.05
DISCOVERY_TIMEOUT_S = 3.0  # for topics to appear
SETTLING_TIME_S = 2.0  # in which topics must begin to send after they are subscribed to


class LiveSensors:
    """Implements ``guide.live_samples.Sensors``; searches for topics at every call, as a sensor may just have come up.

    Args:
        node: sees which topics there are.
        rotations: [sensors, 3, 3] from the sensors' axes to the rig's.
        imu_topics, emg_topic: None = found by name and type.
    """

    def __init__(
        self,
        node: Node,
        rig: Rig,
        rotations: FloatArray,
        imu_topics: Sequence[str] | None = None,
        emg_topic: str | None = None,
    ) -> None:
        self._node, self._rig, self._rotations = node, rig, rotations
        self._imu_topics, self._emg_topic = imu_topics, emg_topic

    def listen(self, seconds: float, on_progress: OnProgress) -> LiveSamples:
        """Capture samples for a duration; return at once where there is no topic."""
        topics = self._find()
        listening = seconds if topics.types() else 0.0
        samples: dict[str, list[tuple[float, Sample]]] = {topic: [] for topic in topics.sensors if topic}
        emg, counted = topics.emg[0] if topics.emg else None, 0
        rates = LiveRates(self._labels(topics))
        with TopicStream(topics.types(), self._node.context) as stream:
            _settle(stream, set(topics.types()), on_progress, seconds)
            origin, began = time.time_ns(), time.monotonic()
            while (elapsed := time.monotonic() - began) < listening:
                for topic, receipt, payload in stream.take(min(POLL_PERIOD_S, listening - elapsed)):
                    rates.note(topic)
                    if topic == emg:
                        counted += 1
                    elif decoded := decode_imu(payload):
                        samples[topic].append(((receipt - origin) / SECOND, decoded[1]))
                on_progress(CaptureProgress(elapsed, seconds, rates.rates(), counted > 0 if emg else None))
        on_progress(CaptureProgress(seconds, seconds, rates.rates(), counted > 0 if emg else None))
        sensors = tuple(
            self._samples(index, topic, samples.get(topic or "", [])) for index, topic in enumerate(topics.sensors)
        )
        return LiveSamples(seconds, sensors, emg, counted, topics.others)

    def record(self, path: Path, seconds: float, on_progress: OnProgress) -> RecordedBag:
        """Record a bag for a duration."""
        topics = self._find()
        if not any(topics.sensors):
            raise InputError("no sensor was found; switch on the sensors and their driver")
        emg = topics.emg[0] if topics.emg else None
        return record(topics.types(), path, seconds, on_progress, self._labels(topics), emg, self._node.context)

    def _find(self) -> SubjectTopics:
        def complete(alive: dict[str, str]) -> bool:
            topics = find_topics(alive, self._rig, self._imu_topics, self._emg_topic)
            return all(topics.sensors) and topics.emg is not None

        alive = await_topics(self._node, complete, DISCOVERY_TIMEOUT_S)
        return find_topics(alive, self._rig, self._imu_topics, self._emg_topic)

    def _labels(self, topics: SubjectTopics) -> dict[str, str]:
        names = dict(zip(topics.sensors, self._rig.sensor_names, strict=True))
        return {topic: display_name(names[topic]) if topic in names else "EMG" for topic in topics.types()}

    def _samples(self, index: int, topic: str | None, samples: list[tuple[float, Sample]]) -> SensorSamples:
        receipts = np.array([instant for instant, _ in samples])
        imu = np.array([sample for _, sample in samples], dtype=np.float64).reshape(-1, 6)
        return SensorSamples(topic, receipts, turn_mounts(imu[:, None], self._rotations[[index]])[:, 0])


def _settle(stream: TopicStream, waited_for: set[str], on_progress: OnProgress, seconds: float) -> None:
    """Wait until every topic has sent, or the time is over."""
    deadline = time.monotonic() + SETTLING_TIME_S
    while waited_for and time.monotonic() < deadline:
        waited_for -= {taken.topic for taken in stream.take(POLL_PERIOD_S)}
        on_progress(CaptureProgress(0.0, seconds))
