"""Find the topics of the rig's sensors and its EMG among those that are published: given, or by name and type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from imu_emg_estimator.bags import EMG_TOPIC, EMG_TYPE, IMU_TYPE, TopicMissing
from imu_emg_estimator.bags.message_types import ACTIVATION_TYPE, EMG_TYPES
from imu_emg_estimator.bags.topic_names import listed, topic_of, words
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.rig import Rig


@dataclass(frozen=True)
class SubjectTopics:
    """Topics of a subject.

    Attributes:
        sensors: Imu topics in the order of the rig; None = this sensor has none.
        emg: topic and type of the EMG; None = there is none.
        others: Imu topics that belong to no sensor.
    """

    sensors: tuple[str | None, ...]
    emg: tuple[str, str] | None
    others: tuple[str, ...]

    def types(self) -> dict[str, str]:
        """Return the type of every topic."""
        found = {topic: IMU_TYPE for topic in self.sensors if topic}
        return found | ({self.emg[0]: self.emg[1]} if self.emg else {})


def find_topics(
    alive: Mapping[str, str], rig: Rig, imu_topics: Sequence[str] | None = None, emg_topic: str | None = None
) -> SubjectTopics:
    """Find the subject's topics.

    Args:
        alive: type of every topic that is published.
        imu_topics: in the order of the rig; None = found by the sensors' names.
        emg_topic: None = found by type and name.

    Raises:
        InputError: the given topics do not fit the rig, or more than one topic matches a name.
    """
    present = sorted(topic for topic, msgtype in alive.items() if msgtype == IMU_TYPE)
    if imu_topics is None:
        sensors = [_sensor_topic(name, present) for name in rig.sensor_names]
    elif len(imu_topics) != len(rig.sensors) or len(set(imu_topics)) < len(imu_topics):
        raise InputError(
            f"{len(set(imu_topics))} different Imu topics are given for the {len(rig.sensors)} sensors of rig "
            f"'{rig.name}'; name one for each of {', '.join(rig.sensor_names)}, in this order"
        )
    else:
        sensors = [topic if topic in present else None for topic in imu_topics]
    return SubjectTopics(tuple(sensors), _emg_topic(alive, emg_topic), tuple(t for t in present if t not in sensors))


def recordable_topics(alive: Mapping[str, str]) -> dict[str, str]:
    """Return all Imu and EMG topics, with their types."""
    own = {topic: kind for topic, kind in alive.items() if kind in (IMU_TYPE, EMG_TYPE)}
    return own | {topic: kind for topic, kind in alive.items() if _could_be_emg(topic, kind)}


def _sensor_topic(name: str, present: Sequence[str]) -> str | None:
    found = topic_of(name, present)
    if len(found) > 1:
        raise TopicMissing(
            f"more than one topic matches the name of sensor '{name}': {listed(found)}; use --imu-topics"
        )
    return found[0] if found else None


def _emg_topic(alive: Mapping[str, str], given: str | None) -> tuple[str, str] | None:
    if given is not None:
        return (given, alive[given]) if alive.get(given) in EMG_TYPES else None
    if alive.get(EMG_TOPIC) in EMG_TYPES:
        return EMG_TOPIC, alive[EMG_TOPIC]
    own = sorted(topic for topic, kind in alive.items() if kind == EMG_TYPE)
    found = own or sorted(topic for topic, kind in alive.items() if _could_be_emg(topic, kind))
    if len(found) > 1:
        raise TopicMissing(
            f"more than one topic could be the EMG: {listed(found)}; name the right one with --emg-topic"
        )
    return (found[0], alive[found[0]]) if found else None


def _could_be_emg(topic: str, kind: str) -> bool:
    """Return whether a topic of another type than Emg is EMG by its name; estimates are not EMG."""
    return kind in EMG_TYPES and kind != ACTIVATION_TYPE and "emg" in words(topic)
