"""The rig that live topics show, and what their sensors do."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import rclpy

from imu_emg_estimator.bags import IMU_TYPE, TopicMapping
from imu_emg_estimator.bags.bag_messages import EmgPacket, OddPacket, decode_packet
from imu_emg_estimator.bags.topic_names import names_of_topics
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.guide.topic_search import recordable_topics
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.rig_files.rig_proposal import FoundParts
from imu_emg_estimator.rig_files.rig_sources import mean_rate
from imu_emg_estimator.rig_files.sensor_mounting import SensorTake
from imu_emg_estimator.ros.command_session import rclpy_session
from imu_emg_estimator.ros.guide_sensors import LiveSensors
from imu_emg_estimator.ros.raw_subscriptions import TopicStream, await_topics
from imu_emg_estimator.signals.imu_decoder import decode_imu

DISCOVERY_TIMEOUT_S = 3.0
POLL_PERIOD_S = 0.05
NODE_NAME = "imu_emg_rig"


def parts_of_topics(seconds: float, ros_arguments: Sequence[str]) -> FoundParts:
    """Listen to all Imu and EMG topics; raises InputError where there is no Imu topic."""
    with rclpy_session(ros_arguments):
        node = rclpy.create_node(NODE_NAME)
        alive = recordable_topics(await_topics(node, lambda topics: False, DISCOVERY_TIMEOUT_S))
        imus = sorted(topic for topic, kind in alive.items() if kind == IMU_TYPE)
        if not imus:
            raise InputError("no Imu topic is published; start the sensors' drivers, or give --bag or --data")
        received: dict[str, list[int]] = {topic: [] for topic in imus}
        turning = False
        packets: dict[str, EmgPacket] = {}
        began = time.monotonic()
        with TopicStream(alive, node.context) as stream:
            while (elapsed := time.monotonic() - began) < seconds:
                for message in stream.take(min(POLL_PERIOD_S, seconds - elapsed)):
                    if message.topic in received:
                        received[message.topic].append(message.receive_time)
                        decoded = decode_imu(message.payload)
                        turning = turning or bool(decoded and np.isfinite(decoded[1][3:]).all())
                    elif message.topic not in packets:
                        packets[message.topic] = packet_of(message.topic, alive[message.topic], message.payload)
    names = names_of_topics(imus)
    rates = {names[topic]: mean_rate(times) for topic, times in received.items()}
    return FoundParts(rates, _channels(list(packets.values())), turning, None)


def takes_of_topics(
    rig: Rig, seconds: float, imu_topics: Sequence[str] | None, ros_arguments: Sequence[str]
) -> tuple[list[SensorTake | None], list[str]]:
    """Listen to the sensors of a rig; return their samples, and the Imu topics that belong to none."""
    with rclpy_session(ros_arguments):
        node = rclpy.create_node(NODE_NAME)
        unturned = np.tile(np.eye(3), (len(rig.sensors), 1, 1))
        live = LiveSensors(node, rig, unturned, imu_topics).listen(seconds, lambda progress: None)
    takes = [SensorTake(own.topic, own.rate, own.imu) if own.topic else None for own in live.sensors]
    return takes, list(live.other_topics)


def packet_of(topic: str, msgtype: str, payload: bytes) -> EmgPacket:
    """Decode a live EMG message; raises InputError where it makes no sense."""
    try:
        return decode_packet(msgtype, payload, TopicMapping())
    except OddPacket as fault:
        raise InputError(f"on {topic} {fault}; correct what publishes it") from None


def _channels(packets: Sequence[EmgPacket]) -> list[str]:
    names = [packet.names or [f"muscle_{n + 1}" for n in range(packet.data.shape[1])] for packet in packets]
    return list(dict.fromkeys(name for own in names for name in own))
