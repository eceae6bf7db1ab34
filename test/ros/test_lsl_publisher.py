"""LSL to ROS: an outlet's samples arrive as Emg messages, stamped by the node's clock."""

import math
import threading
import time

import pytest
import rclpy
from fixtures.factories import refusal
from fixtures.lsl_outlets import outlet
from imu_emg_estimator.msg import Emg

from imu_emg_estimator.imports.lsl_stream import LslStream
from imu_emg_estimator.ros.lsl_publisher import QOS, Published, publish_stream

PATIENCE = 120.0  # s; only a test that fails waits so long


@pytest.mark.timeout(PATIENCE * 3)
def test_samples_are_published_with_names_unit_and_the_instant_of_the_first(context: rclpy.Context) -> None:
    sender = outlet("armband", labels=("vl_right", "vl_left"))
    received: list[Emg] = []
    progress: list[tuple[float, float, float]] = []
    published: list[Published] = []
    listener = rclpy.create_node("listener", context=context)
    listener.create_subscription(Emg, "emg", received.append, QOS)
    executor = rclpy.executors.SingleThreadedExecutor(context=context)
    executor.add_node(listener)

    with LslStream("armband", None, None, PATIENCE) as stream:

        def publish() -> None:
            done = lambda: sum(len(message.data) for message in received) >= 400  # noqa: E731
            published.append(publish_stream(stream, "emg", False, PATIENCE, report, context, done))

        def report(*figures: float) -> None:
            progress.append(figures)  # type: ignore[arg-type]

        thread = threading.Thread(target=publish)
        thread.start()
        assert sender.wait_for_consumers(PATIENCE)
        while not listener.count_publishers("emg"):
            time.sleep(0.01)
        first = time.time()
        sender.push_chunk([[float(row), 0.5] for row in range(200)], stream.clock() + 0.199)
        while thread.is_alive():
            executor.spin_once(0.05)
        thread.join()
    listener.destroy_node()

    message = received[0]
    assert (message.channel_names, message.unit, message.sample_rate) == (["vl_right", "vl_left"], "uV", 1000.0)
    assert not message.is_envelope
    assert [value for message in received for value in message.data[::2]] == list(range(200))
    assert message.header.stamp.sec + message.header.stamp.nanosec * 1e-9 == pytest.approx(first, abs=1.0)
    (result,) = published
    assert (result.topic, result.samples) == ("/emg", 200)
    assert any(math.isfinite(age) for _, _, age in progress)


def test_topic_name_that_is_not_valid_is_refused(context: rclpy.Context) -> None:
    sender = outlet("armband")
    with LslStream("armband", None, None, PATIENCE) as stream, refusal("topic '1 2' is not a valid name"):
        publish_stream(stream, "1 2", False, 1.0, lambda *_: None, context)
    del sender
