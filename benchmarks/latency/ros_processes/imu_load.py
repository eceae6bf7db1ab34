"""The load: publishes the Imu topics of a rig, all sensors at every instant of a regular grid.

All messages are serialised beforehand; to publish one, its timestamp is written into its bytes: a single Python process
can publish thousands of messages a second, and records how well it kept its rate: ``--out`` holds ``timestamps``,
when the last message of each instant was ``published`` (both [ns]) and ``rate``, the requested one.
"""

from __future__ import annotations

import argparse
import math
import struct
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from imu_emg_estimator.msg import MuscleActivation
from numpy.typing import NDArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Imu

from benchmarks.latency.ros_processes.process_context import READY, RELIABLE, running
from imu_emg_estimator.signals.grid_alignment import SECOND

TIMESTAMP = struct.Struct("<iI")  # first in the message, after four bytes of encapsulation
TIMESTAMP_AT = 4
AHEAD = 60  # maximum lead of a fast load over the estimates, in instants: less than a node's queue holds
PATIENCE_S = 1.0  # for estimates; then the missing ones are given up
MINUTE = "minute "


class Load:
    """Publishers of a rig's sensors, and the rows that they publish repeatedly.

    Args:
        motion: [rows, sensors, 6] in m/s^2 and rad/s.
    """

    def __init__(self, node: Node, topics: Sequence[str], motion: NDArray[np.float64]) -> None:
        self._publishers = [node.create_publisher(Imu, topic, RELIABLE) for topic in topics]
        self._rows = [
            [bytearray(_message(topic, sample)) for topic, sample in zip(topics, row, strict=True)] for row in motion
        ]
        self.timestamps: list[int] = []
        self.published: list[int] = []

    def publish(self, timestamp: int) -> None:
        """Publish the next row, with a timestamp in ns."""
        parts = divmod(timestamp, SECOND)
        for publisher, payload in zip(
            self._publishers, self._rows[len(self.timestamps) % len(self._rows)], strict=True
        ):
            TIMESTAMP.pack_into(payload, TIMESTAMP_AT, *parts)
            publisher.publish(bytes(payload))
        self.timestamps.append(timestamp)
        self.published.append(time.time_ns())


def _message(topic: str, sample: NDArray[np.float64]) -> Any:
    message = Imu()
    message.header.frame_id = topic.rpartition("/")[2]
    message.orientation_covariance[0] = -1.0
    for vector, values in ((message.linear_acceleration, sample[:3]), (message.angular_velocity, sample[3:])):
        vector.x, vector.y, vector.z = values.tolist()
    return serialize_message(message)


def instants(rate: float) -> Iterator[int]:
    """Yield the timestamps [ns] of a grid from now on.

    The period is rounded up to whole ns: a timestamp a nanosecond before its place on the node's own grid would have
    the node wait for the next sample.
    """
    period, timestamp = math.ceil(SECOND / rate), time.time_ns()
    while True:
        yield timestamp
        timestamp += period


def play(load: Load, rate: float, going: Callable[[], bool]) -> None:
    """Publish every row at the instant of its timestamp."""
    for timestamp in instants(rate):
        wait = (timestamp - time.time_ns()) / SECOND
        if wait > 0:
            time.sleep(wait)
        if not going():
            return
        load.publish(timestamp)


def hurry(load: Load, node: Node, rate: float, minutes: int, going: Callable[[], bool]) -> None:
    """So many minutes of data as fast as estimates come; says each minute that is over."""
    arrived = [0]

    def count(_: Any) -> None:
        arrived[0] += 1

    node.create_subscription(MuscleActivation, "muscle_activation", count, RELIABLE, raw=True)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    said, given_up, last = 0, 0, time.monotonic()
    for timestamp in instants(rate):
        load.publish(timestamp)
        sent = len(load.timestamps)
        while going() and sent - given_up - arrived[0] > AHEAD:
            before = arrived[0]
            executor.spin_once(0.05)
            if arrived[0] > before:
                last = time.monotonic()
            elif time.monotonic() - last > PATIENCE_S:
                given_up, last = sent - arrived[0], time.monotonic()
        if (sent + 1) // round(60 * rate) > said:
            said += 1
            print(f"{MINUTE}{said}", flush=True)
        if said == minutes or not going():
            break
    executor.shutdown()


def main(argv: Sequence[str] | None = None) -> int:
    """Publish until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--topics", required=True, help="in the order of the rig, separated by commas")
    parser.add_argument("--motion", type=Path, required=True, help=".npy of rows [rows, sensors, 6]")
    parser.add_argument("--rate", type=float, required=True, help="of the grid [Hz]")
    parser.add_argument("--hurry", type=int, default=0, metavar="MINUTES", help="publish as fast as estimates come")
    parser.add_argument("--out", type=Path, required=True, help=".npz of what was published")
    arguments = parser.parse_args(argv)
    with running("bench_load") as (node, going):
        load = Load(node, arguments.topics.split(","), np.load(arguments.motion))
        print(READY, flush=True)
        if arguments.hurry:
            # A node that is not there yet would miss the beginning.
            while going() and not all(publisher.get_subscription_count() for publisher in load._publishers):
                time.sleep(0.05)
            hurry(load, node, arguments.rate, arguments.hurry, going)
        else:
            play(load, arguments.rate, going)
        np.savez(arguments.out, timestamps=load.timestamps, published=load.published, rate=arguments.rate)
    return 0


if __name__ == "__main__":
    sys.exit(main())
