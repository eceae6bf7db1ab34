"""A simulated subject, live: messages on the node's topics at their own pace, with faults if asked for."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

import pytest
import rclpy
from imu_emg_estimator.msg import Emg
from sensor_msgs.msg import Imu

from imu_emg_estimator.bags import EMG_TOPIC, imu_topic
from imu_emg_estimator.datasets.hugadb import RIG
from imu_emg_estimator.datasets.movement_statistics import shipped_statistics
from imu_emg_estimator.datasets.simulated_subject import simulate_on
from imu_emg_estimator.faults.fault_kind import Fault
from imu_emg_estimator.ros.bag_player import ReplaySettings, replay_messages
from imu_emg_estimator.ros.live_subject import SimulatedMessages

SECOND = 1_000_000_000
SECONDS = 6.0  # longer than a time through the schedule


@pytest.fixture
def context() -> Iterator[rclpy.Context]:
    context = rclpy.Context()
    rclpy.init(context=context)
    yield context
    rclpy.try_shutdown(context=context)


def test_subject_goes_on_after_its_schedule_on_the_nodes_topics(context: rclpy.Context) -> None:
    node = rclpy.create_node("listener", context=context)
    received = defaultdict(list)
    kinds = {**{imu_topic(name): Imu for name in RIG.sensor_names}, EMG_TOPIC: Emg}
    for topic, kind in kinds.items():
        node.create_subscription(kind, topic, received[topic].append, 2000)
    messages = SimulatedMessages(simulate_on(shipped_statistics(), 1, [("walking", 5.0)]), "simulated subject 1")
    lost = Fault("lost", (0,), 0.0, 1e9, 0.5)
    settings = ReplaySettings(rate=20.0, end=SECONDS, restamp=True, wait=100.0, more_faults=(lost,), seed=1)
    began = node.get_clock().now().nanoseconds
    replay_messages("simulated_subject", messages, messages.topics, settings, context=context)
    executor = rclpy.executors.SingleThreadedExecutor(context=context)
    executor.add_node(node)
    while len(received[imu_topic("left_shank")]) < int(SECONDS * RIG.rate) - 1:
        executor.spin_once(timeout_sec=1.0)
    node.destroy_node()
    shank, emg = received[imu_topic("left_shank")], received[EMG_TOPIC]
    assert len(shank) == pytest.approx(SECONDS * RIG.rate, abs=2)
    assert 0.3 < len(received[imu_topic("right_foot")]) / len(shank) < 0.7
    assert {message.header.frame_id for message in shank} == {"simulated_left_shank"}
    assert {message.header.frame_id for message in emg} == {"simulated_emg"}
    stamps = [message.header.stamp.sec * SECOND + message.header.stamp.nanosec for message in shank]
    assert began <= stamps[0] < began + 120 * SECOND
    steps = [after - before for before, after in pairwise(stamps)]
    assert all(step == pytest.approx(SECOND / RIG.rate, abs=1000) for step in steps)  # across the seam, too
