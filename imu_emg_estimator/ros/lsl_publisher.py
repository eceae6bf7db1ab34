"""Publish a live EMG stream of the Lab Streaming Layer as Emg messages, stamped by the node's clock."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import rclpy
from rclpy.context import Context
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.time import Time

from imu_emg_estimator.guide.console import Console, bar
from imu_emg_estimator.imports.lsl_stream import LslPacket, LslStream
from imu_emg_estimator.msg import Emg
from imu_emg_estimator.ros.command_session import rclpy_session, stop_on_interrupt
from imu_emg_estimator.ros.live_rates import LiveRates
from imu_emg_estimator.ros.node_topics import named_publisher

QOS = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=200, reliability=ReliabilityPolicy.RELIABLE)
READINGS = 5  # of both clocks, of which the closest pair counts: this process may be interrupted between two


@dataclass(frozen=True)
class Published:
    """What was published.

    Attributes:
        stream: its name.
        topic: full name.
        channels: their names.
        unit: of the samples.
        rate: Hz, as the sender states it.
        samples: of each channel.
        seconds: for which it went on.
    """

    stream: str
    topic: str
    channels: Sequence[str]
    unit: str
    rate: float
    samples: int
    seconds: float

    def to_dict(self) -> dict[str, object]:
        """Return the same as plain values, for JSON."""
        return asdict(self)


def publish_stream(
    stream: LslStream,
    topic: str,
    is_envelope: bool,
    seconds: float,
    on_progress: Callable[[float, float, float], None],
    context: Context | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Published:
    """Publish a stream; rclpy must be initialised.

    Args:
        topic: of the Emg messages.
        is_envelope: the samples are envelopes, not raw EMG.
        seconds: after which it ends.
        on_progress: called with the time since the beginning [s], the packets a second, and how old the newest sample
            was when it was published [s]; NaN while none came.
        context: of rclpy; None = the default one.
        stop: whether to end early, asked often.

    Raises:
        InputError: the topic's name is not valid, or the sender is gone.
    """
    node = rclpy.create_node("lsl_emg", context=context, start_parameter_services=False)
    try:
        publisher = named_publisher(node, Emg, topic, QOS)
        rates, samples, began = LiveRates({topic: topic}), 0, time.monotonic()
        while (elapsed := time.monotonic() - began) < seconds and not stop():
            age = math.nan
            for packet in stream.pull():
                publisher.publish(_message(stream, packet, is_envelope, _offset(node, stream)))
                rates.note(topic)
                samples += len(packet.data)
                age = stream.clock() - packet.start - (len(packet.data) - 1) / stream.rate
            on_progress(elapsed, rates.rates()[topic], age)
        return Published(stream.name, publisher.topic_name, stream.channels, stream.unit, stream.rate, samples, elapsed)
    finally:
        node.destroy_node()


def _offset(node: Node, stream: LslStream) -> int:
    """Return what the node's clock is ahead of the LSL clock of this computer [ns]."""

    def reading() -> tuple[float, int]:
        before, now, after = stream.clock(), node.get_clock().now().nanoseconds, stream.clock()
        return after - before, now - round((before + after) / 2 * 1e9)

    return min(reading() for _ in range(READINGS))[1]


def _message(stream: LslStream, packet: LslPacket, is_envelope: bool, offset: int) -> Emg:
    message = Emg()
    message.header.stamp = Time(nanoseconds=max(0, round(packet.start * 1e9) + offset)).to_msg()
    message.header.frame_id = stream.name
    message.sample_rate = stream.rate
    message.channel_names = stream.channels
    message.data = packet.data.ravel()
    message.unit = stream.unit
    message.is_envelope = is_envelope
    return message


def publish_on_screen(
    stream: LslStream, topic: str, is_envelope: bool, seconds: float, ros_arguments: Sequence[str] = ()
) -> Published:
    """Publish with an rclpy of its own, and show how it goes; Ctrl-C ends it. Raises InputError as publish_stream."""
    panel = Console(unattended=True).panel()
    stopped: list[bool] = []

    def show(elapsed: float, rate: float, age: float) -> None:
        is_endless = seconds == math.inf
        left = "Ctrl-C ends it" if is_endless else f"[{bar(elapsed / seconds)}] {seconds - elapsed:3.0f} s left"
        coming = f"{rate:.0f} packets a second" + ("" if math.isnan(age) else f", newest sample {age * 1e3:.0f} ms old")
        panel.show([f"  '{stream.name}' on {topic}: {coming if rate else 'SILENT'}; {left}"])

    with rclpy_session(ros_arguments), stop_on_interrupt(stopped):
        return publish_stream(stream, topic, is_envelope, seconds, show, stop=lambda: bool(stopped))
