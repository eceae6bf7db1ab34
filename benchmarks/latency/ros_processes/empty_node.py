"""Empty nodes: the cost of rclpy itself, with the same topics and queues as the estimator node.

``typed`` and ``raw`` receive through rclpy's SingleThreadedExecutor, as Python messages and as bytes, ``wait_set`` as
the estimator node does; all of them discard the messages. ``echo`` is ``wait_set`` that answers every instant that all
sensors have reached with a prepared MuscleActivation: its content is meaningless, but it comes as early as the
middleware allows. ``--out`` holds the timestamps of the received messages, [ns] ``sensor_0``, ``sensor_1``, ...
"""

from __future__ import annotations

import argparse
import struct
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from imu_emg_estimator.msg import MuscleActivation
from rclpy.node import Node
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Imu

from benchmarks.latency.ros_processes.process_context import FIRST, POLL_S, READY, imu_quality, running, spin
from imu_emg_estimator.ros.raw_subscriptions import make_receiver
from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.imu_decoder import nanoseconds

MODES = ("typed", "raw", "wait_set", "echo")
TIMESTAMP = struct.Struct("<iI")
TIMESTAMP_AT = 4


class Notes:
    """Timestamps of all messages by sensor; reports when every sensor has sent one."""

    def __init__(self, sensors: int) -> None:
        self.timestamps: list[list[int]] = [[] for _ in range(sensors)]
        self._silent = set(range(sensors))

    def take_typed(self, sensor: int, message: Any) -> None:
        self._note(sensor, nanoseconds(message.header.stamp))

    def take_raw(self, sensor: int, payload: bytes) -> None:
        seconds, rest = TIMESTAMP.unpack_from(payload, TIMESTAMP_AT)
        self._note(sensor, seconds * SECOND + rest)

    def _note(self, sensor: int, timestamp: int) -> None:
        self.timestamps[sensor].append(timestamp)
        if sensor in self._silent:
            self._silent.remove(sensor)
            if not self._silent:
                print(FIRST, flush=True)


class Echo(Notes):
    """Answers with the timestamp of an instant when every sensor has sent its message."""

    def __init__(self, sensors: int, publish: Callable[[bytes], None], muscles: Sequence[str], delay: int) -> None:
        super().__init__(sensors)
        self._publish = publish
        self._delay = delay
        self._arrived = 0
        nothing = [0.0] * len(muscles)
        message = MuscleActivation(
            muscle_names=list(muscles), activation=nothing, activation_std=nothing, model_id="echo-000000000000"
        )
        message.header.frame_id = "echo"
        self._answer = bytearray(serialize_message(message))

    def _note(self, sensor: int, timestamp: int) -> None:
        super()._note(sensor, timestamp)
        self._arrived += 1
        if self._arrived == len(self.timestamps):
            self._arrived = 0
            TIMESTAMP.pack_into(self._answer, TIMESTAMP_AT, *divmod(timestamp - self._delay, SECOND))
            self._publish(bytes(self._answer))


def serve_executor(
    node: Node, notes: Notes, topics: Sequence[str], depth: int, raw: bool, going: Callable[[], bool]
) -> None:
    """Record the messages of rclpy's executor until stopped."""
    take = notes.take_raw if raw else notes.take_typed
    for sensor, topic in enumerate(topics):
        node.create_subscription(Imu, topic, partial(take, sensor), imu_quality(depth), raw=raw)
    print(READY, flush=True)
    spin(node, going)


def serve_wait_set(node: Node, notes: Notes, topics: Sequence[str], depth: int, going: Callable[[], bool]) -> None:
    """Record the messages of the estimator node's receiver until stopped."""
    receiver = make_receiver(node)
    for topic in topics:
        receiver.subscribe(Imu, topic, imu_quality(depth))
    print(READY, flush=True)
    while going():
        for arrival in receiver.receive(POLL_S):
            notes.take_raw(arrival.source, arrival.payload)
    receiver.close()


def main(argv: Sequence[str] | None = None) -> int:
    """Receive until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mode", choices=MODES, required=True)
    parser.add_argument("--topics", required=True, help="in the order of the rig, separated by commas")
    parser.add_argument("--muscles", default="", help="named by the echo, separated by commas")
    parser.add_argument("--delay", type=int, default=0, help="of the echo's timestamps behind its input [ns]")
    parser.add_argument("--depth", type=int, default=200, help="of the queues")
    parser.add_argument("--out", type=Path, required=True, help=".npz of what came")
    arguments = parser.parse_args(argv)
    with running("bench_empty") as (node, going):
        topics, muscles = arguments.topics.split(","), arguments.muscles.split(",")
        notes = Notes(len(topics))
        if arguments.mode == "echo":
            publisher = node.create_publisher(MuscleActivation, "muscle_activation", 100)
            notes = Echo(len(topics), publisher.publish, muscles, arguments.delay)
        if arguments.mode in ("wait_set", "echo"):
            serve_wait_set(node, notes, topics, arguments.depth, going)
        else:
            serve_executor(node, notes, topics, arguments.depth, arguments.mode == "raw", going)
        came: dict[str, Any] = {
            f"sensor_{n}": np.array(timestamps, np.int64) for n, timestamps in enumerate(notes.timestamps)
        }
        np.savez(arguments.out, **came)
    return 0


if __name__ == "__main__":
    sys.exit(main())
