"""Which topics and channels of a bag are the rig's sensors and muscles: as given, or found by type and name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from imu_emg_estimator.bags.bag_messages import JOINT_FIELDS, EmgPacket, decode_packet
from imu_emg_estimator.bags.bag_reader import Bag
from imu_emg_estimator.bags.message_types import EMG_TOPIC, EMG_TYPE, EMG_TYPES, IMU_TYPE
from imu_emg_estimator.bags.topic_names import listed, same_name, topic_of, words
from imu_emg_estimator.errors import InputError, TopicMissing
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.imu_decoder import decode_frame_id

KINDS = ("raw", "envelope")
NO_MUSCLE = "none"


@dataclass(frozen=True)
class TopicMapping:
    """What the user knows about topics that names and types do not show; None = find out.

    Attributes:
        imu_topics: Imu topics in the order of the rig's sensors.
        emg_topic: topic of the EMG.
        emg_channels: muscles in the order of the channels, ``none`` for one that is none of the rig's; or
            ``channel=muscle`` pairs.
        emg_kind: ``raw`` or ``envelope``; overrides what the messages say.
        emg_field: of JointState: ``effort``, ``position`` or ``velocity``.
        emg_rate: of messages that do not state it [Hz]; else it is measured.
    """

    imu_topics: Sequence[str] | None = None
    emg_topic: str | None = None
    emg_channels: Sequence[str] | None = None
    emg_kind: str | None = None
    emg_field: str | None = None
    emg_rate: float | None = None

    def __post_init__(self) -> None:
        for what, value, known in (("kind", self.emg_kind, KINDS), ("field", self.emg_field, JOINT_FIELDS)):
            if value is not None and value not in known:
                raise InputError(f"EMG {what} '{value}' is not known; choose one of {', '.join(known)}")
        if self.emg_rate is not None and not 0 < self.emg_rate < float("inf"):
            raise InputError(f"EMG rate {self.emg_rate:g} is not a positive number of Hz; correct it")

    def channel_names(self) -> tuple[str, ...] | None:
        """Muscles in the order of the channels, if they were given that way."""
        if self.emg_channels is None or any("=" in entry for entry in self.emg_channels):
            return None
        return tuple(self.emg_channels)


@dataclass(frozen=True)
class Channels:
    """Muscles of the rig that the EMG has, their columns, and what the bag calls them."""

    muscles: tuple[int, ...]
    columns: tuple[int, ...]
    names: tuple[str, ...]


def present_topics(bag: Bag, msgtype: str) -> list[str]:
    """Topics of a type in alphabetical order, without those known to be empty."""
    return sorted(
        name for name, info in bag.topics.items() if msgtype in info.types and not info.empty and not info.foreign
    )


def find_imu_topics(bag: Bag, rig: Rig, wanted: Sequence[str] | None) -> list[str]:
    """Find one Imu topic for every sensor of the rig, in its order.

    Raises:
        TopicMissing, InputError: a topic is missing, or it is not clear which one it is.
    """
    present = present_topics(bag, IMU_TYPE)
    if wanted is not None:
        return _given_topics(bag, rig, wanted, present)
    frames: dict[str, str] | None = None
    chosen: list[str] = []
    for sensor in rig.sensor_names:
        expected = f"/imu/{sensor}"
        found = [expected] if expected in present else topic_of(sensor, present)
        if not found:
            frames = _frames(bag, present) if frames is None else frames
            found = [topic for topic, frame in frames.items() if words(frame) == words(sensor)]
        if len(found) != 1:
            fault = "more than one topic" if found else "no Imu messages"
            raise TopicMissing(
                f"bag {bag.path} has {fault} for sensor '{sensor}' (expected {expected}); its Imu topics are "
                f"{listed(present)}: record the sensor, or name the topics in the order of the rig"
            )
        chosen += found
    for topic in chosen:
        if chosen.count(topic) > 1:
            raise TopicMissing(
                f"bag {bag.path}: topic {topic} matches two sensors of rig '{rig.name}'; "
                "name the topics in the order of the rig"
            )
    return chosen


def find_emg_topic(bag: Bag, rig: Rig, mapping: TopicMapping) -> tuple[str, str]:
    """Find name and type of the EMG topic: ``/emg``, the only Emg topic, or the only other one with the rig's muscles.

    Estimates, which are published as MuscleActivation, are not EMG; they are read only if their topic is given.

    Raises:
        TopicMissing: none is found, or it is not clear which one it is.
    """
    wanted = mapping.emg_topic
    topics = {topic: msgtype for msgtype in EMG_TYPES for topic in present_topics(bag, msgtype)}
    if wanted is not None:
        if wanted not in topics:
            raise TopicMissing(_no_emg(bag, f" on {wanted}", topics))
        return wanted, topics[wanted]
    own = [topic for topic, msgtype in topics.items() if msgtype == EMG_TYPE]
    if EMG_TOPIC in own:
        return EMG_TOPIC, EMG_TYPE
    found = own or _topics_with_muscles(bag, rig, mapping, topics)
    if len(found) > 1:
        raise TopicMissing(
            f"bag {bag.path} has more than one EMG topic; its EMG topics are {listed(found)}: name the right one"
        )
    if not found:
        raise TopicMissing(_no_emg(bag, "", topics))
    return found[0], topics[found[0]]


def match_channels(bag: Bag, rig: Rig, names: Sequence[str], count: int, mapping: TopicMapping) -> Channels:
    """Find the columns of the rig's muscles among the channels of the EMG.

    Args:
        names: of the channels; empty where the messages have none.
        count: number of channels.

    Raises:
        TopicMissing: the EMG has none of the muscles.
        InputError: the mapping does not fit.
    """
    given = mapping.channel_names()
    pairs = dict(entry.split("=", 1) for entry in mapping.emg_channels or () if "=" in entry)
    if given is not None:
        if len(given) != count:
            raise InputError(
                f"bag {bag.path} has EMG of {count} channels, {len(given)} are named; name every channel, "
                f"'{NO_MUSCLE}' for one that is none of the rig's muscles"
            )
        labels: Sequence[str] = given
    else:
        labels = [pairs.get(name, name) for name in names]
    _check_mapping(bag, rig, [*(given or ()), *pairs.values()], names, pairs)
    muscles, columns = [], []
    for index, muscle in enumerate(rig.muscle_names):
        found = same_name(muscle, labels)
        if len(found) == 1:
            muscles.append(index)
            columns.append(list(labels).index(found[0]))
        elif found:
            raise TopicMissing(f"bag {bag.path} has two EMG channels for muscle '{muscle}'; name the channels")
    if not muscles:
        raise TopicMissing(
            f"bag {bag.path} has EMG of {listed(names) if names else f'{count} channels without names'}, but rig "
            f"'{rig.name}' wants {listed(rig.muscle_names)}; name the channels as the rig does, or give their muscles"
        )
    own = [names[column] if names else str(column) for column in columns]
    return Channels(tuple(muscles), tuple(columns), tuple(own))


def _check_mapping(bag: Bag, rig: Rig, muscles: Sequence[str], names: Sequence[str], pairs: dict[str, str]) -> None:
    for muscle in muscles:
        if muscle not in (*rig.muscle_names, NO_MUSCLE):
            raise InputError(f"rig '{rig.name}' has no muscle '{muscle}'; its muscles are {listed(rig.muscle_names)}")
    for channel in pairs:
        if channel not in names:
            raise InputError(f"bag {bag.path} has no EMG channel '{channel}'; its channels are {listed(names)}")


def _given_topics(bag: Bag, rig: Rig, wanted: Sequence[str], present: Sequence[str]) -> list[str]:
    if len(wanted) != len(rig.sensors) or len(set(wanted)) != len(wanted):
        raise InputError(
            f"{len(set(wanted))} different Imu topics are given for the {len(rig.sensors)} sensors of rig "
            f"'{rig.name}'; name one topic for each, in the order of the rig"
        )
    for topic in wanted:
        if topic not in present:
            raise TopicMissing(
                f"bag {bag.path} has no Imu messages on {topic}; its Imu topics are {listed(present)}: "
                "correct the names, or record the sensor"
            )
    return list(wanted)


def _frames(bag: Bag, topics: Sequence[str]) -> dict[str, str]:
    """frame_id of the first message of every topic."""
    frames = {}
    for topic, message in bag.first_messages(dict.fromkeys(topics, IMU_TYPE)).items():
        try:
            frames[topic] = decode_frame_id(message.data)
        except Exception:  # not Imu after all; if the topic is wanted, reading it says so
            continue
    return frames


def _topics_with_muscles(bag: Bag, rig: Rig, mapping: TopicMapping, topics: dict[str, str]) -> list[str]:
    """Topics other than Emg whose first message has measured values of the rig's muscles."""
    found = []
    for topic, message in bag.first_messages(topics).items():
        try:
            packet = decode_packet(topics[topic], message.data, mapping)
        except Exception:  # another layout: not the topic wanted
            continue
        if not packet.model and _has_muscles(bag, rig, packet, mapping, topic):
            found.append(topic)
    return sorted(found)


def _has_muscles(bag: Bag, rig: Rig, packet: EmgPacket, mapping: TopicMapping, topic: str) -> bool:
    if not packet.names and "emg" not in words(topic):
        return False
    try:
        match_channels(bag, rig, packet.names, packet.data.shape[1], mapping)
    except InputError:
        return False
    return True


def _no_emg(bag: Bag, on: str, topics: dict[str, str]) -> str:
    types = [f"{topic} ({bag_type})" for topic, bag_type in sorted(topics.items())]
    foreign = sum(info.foreign for info in bag.topics.values())
    others = f" ({foreign} topics in other encodings than ROS 2's were left out)" if foreign else ""
    return (
        f"bag {bag.path} has no {EMG_TYPE} messages{on}{others}; topics that could hold EMG are {listed(types)}: "
        "record EMG, or name its topic and the muscles of its channels"
    )
