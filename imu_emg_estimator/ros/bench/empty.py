"""Empty nodes: what rclpy itself costs, with the same topics, queues and executor as the estimator node.

``typed`` and ``raw`` only receive, as Python messages and as bytes. ``echo`` receives bytes, and answers every instant
that all sensors have reached with a MuscleActivation made beforehand: its estimates are nothing, but they come as
early as rclpy allows. ``--out`` holds the stamps of what came, [ns] ``sensor_0``, ``sensor_1``, ...
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
from rclpy.node import Node
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Imu

from imu_emg_estimator.msg import MuscleActivation
from imu_emg_estimator.ros.bench.context import FIRST, READY, imu_quality, running, spin
from imu_emg_estimator.signals.alignment import SECOND
from imu_emg_estimator.signals.messages import nanoseconds

MODES = ("typed", "raw", "echo")
STAMP = struct.Struct("<iI")
STAMP_AT = 4


class Receiver:
    """Stamps of all messages by sensor; says when every sensor has spoken."""

    def __init__(self, sensors: int) -> None:
        self.stamps: list[list[int]] = [[] for _ in range(sensors)]
        self._silent = set(range(sensors))

    def take_typed(self, sensor: int, message: Any) -> None:
        self._note(sensor, nanoseconds(message.header.stamp))

    def take_raw(self, sensor: int, payload: bytes) -> None:
        seconds, rest = STAMP.unpack_from(payload, STAMP_AT)
        self._note(sensor, seconds * SECOND + rest)

    def _note(self, sensor: int, stamp: int) -> None:
        self.stamps[sensor].append(stamp)
        if sensor in self._silent:
            self._silent.remove(sensor)
            if not self._silent:
                print(FIRST, flush=True)


class Echo(Receiver):
    """Answers with the stamp of an instant once every sensor has sent its own."""

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

    def _note(self, sensor: int, stamp: int) -> None:
        super()._note(sensor, stamp)
        self._arrived += 1
        if self._arrived == len(self.stamps):
            self._arrived = 0
            STAMP.pack_into(self._answer, STAMP_AT, *divmod(stamp - self._delay, SECOND))
            self._publish(bytes(self._answer))


def make(node: Node, mode: str, topics: Sequence[str], muscles: Sequence[str], delay: int, depth: int) -> Receiver:
    """Subscribe to the topics in the way of a mode; the echo stamps its answers ``delay`` [ns] before its input."""
    if mode == "echo":
        publisher = node.create_publisher(MuscleActivation, "muscle_activation", 100)
        receiver: Receiver = Echo(len(topics), publisher.publish, muscles, delay)
    else:
        receiver = Receiver(len(topics))
    take = receiver.take_typed if mode == "typed" else receiver.take_raw
    for sensor, topic in enumerate(topics):
        node.create_subscription(Imu, topic, partial(take, sensor), imu_quality(depth), raw=mode != "typed")
    return receiver


def main(argv: Sequence[str] | None = None) -> int:
    """Receive until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mode", choices=MODES, required=True)
    parser.add_argument("--topics", required=True, help="in the order of the rig, separated by commas")
    parser.add_argument("--muscles", default="", help="named by the echo, separated by commas")
    parser.add_argument("--delay", type=int, default=0, help="of the echo's stamps behind its input [ns]")
    parser.add_argument("--depth", type=int, default=200, help="of the queues")
    parser.add_argument("--out", type=Path, required=True, help=".npz of what came")
    arguments = parser.parse_args(argv)
    with running("bench_empty") as (node, going):
        topics, muscles = arguments.topics.split(","), arguments.muscles.split(",")
        receiver = make(node, arguments.mode, topics, muscles, arguments.delay, arguments.depth)
        print(READY, flush=True)
        spin(node, going)
        columns: dict[str, Any] = {
            f"sensor_{index}": np.array(stamps, np.int64) for index, stamps in enumerate(receiver.stamps)
        }
        np.savez(arguments.out, **columns)
    return 0


if __name__ == "__main__":
    sys.exit(main())
