"""Receiving without rclpy's executor, and with it: every message once, in order, on the thread that asks."""

import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import rclpy
from fixtures.ros_lab import PATIENCE, Lab
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from std_msgs.msg import Int64

from imu_emg_estimator.ros import raw_subscriptions as receiver
from imu_emg_estimator.ros.raw_subscriptions import (
    Arrival,
    ExecutorReceiver,
    MessageCount,
    Receiver,
    WaitSetReceiver,
    make_receiver,
)

QUALITY = QoSProfile(depth=500, reliability=ReliabilityPolicy.RELIABLE)
TOPICS = ("a", "b", "c")


@pytest.fixture
def node(context: rclpy.Context) -> Iterator[Node]:
    node = Node("receiving", context=context)
    yield node
    node.destroy_node()


@pytest.fixture(params=[WaitSetReceiver, ExecutorReceiver])
def subscribed(request: pytest.FixtureRequest, node: Node) -> Iterator[Receiver]:
    """A receiver of either kind, of three topics."""
    made: Receiver = request.param(node)
    for topic in TOPICS:
        made.subscribe(Int64, topic, QUALITY)
    yield made
    made.close()


@pytest.fixture
def publish(node: Node) -> Callable[[int, int], None]:
    """Function that publishes a number on the topic of an index."""
    publishers = [node.create_publisher(Int64, topic, QUALITY) for topic in TOPICS]
    return lambda source, number: publishers[source].publish(Int64(data=number))


def received(subscribed: Receiver, count: int) -> list[tuple[int, int]]:
    """Source and number of so many messages."""
    deadline, arrivals = time.monotonic() + PATIENCE, list[Arrival]()
    while len(arrivals) < count:
        assert time.monotonic() < deadline, f"only {len(arrivals)} of {count} messages came"
        arrivals += subscribed.receive(0.1)
    return [(arrival.source, number_of(arrival)) for arrival in arrivals]


def number_of(arrival: Arrival) -> int:
    number: int = deserialize_message(arrival.payload, Int64).data
    return number


def test_receiver_takes_every_message_once_in_topic_order(subscribed: Receiver, publish: Any) -> None:
    sent = [(source, number) for number in range(100) for source in range(len(TOPICS))]
    came = []
    for begin in range(0, len(sent), 30):
        for message in sent[begin : begin + 30]:
            publish(*message)
        came += received(subscribed, 30)
    assert sorted(came) == sorted(sent)
    for source in range(len(TOPICS)):
        assert [number for s, number in came if s == source] == list(range(100))
    assert subscribed.receive(0.05) == []


def test_receiver_sorts_backlog_by_arrival(node: Node, publish: Any) -> None:
    subscribed = WaitSetReceiver(node)
    for topic in TOPICS:
        subscribed.subscribe(Int64, topic, QUALITY)
    sent = [(number % len(TOPICS), number) for number in range(60)]
    for message in sent:
        publish(*message)
        time.sleep(0.002)
    assert received(subscribed, len(sent)) == sent
    subscribed.close()


def test_receiver_holds_what_arrives_while_it_takes(node: Node, publish: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else topics that are taken last would run ahead of the first ones."""
    monkeypatch.setattr(receiver, "UNINTERRUPTED_NS", 0)
    subscribed = WaitSetReceiver(node)
    for topic in TOPICS:
        subscribed.subscribe(Int64, topic, QUALITY)
    take, message_type = subscribed._takes[1]
    later = [(source, number) for number in range(1, 10) for source in range(len(TOPICS))]

    def take_while_more_arrives(*arguments: Any) -> Any:
        while later:
            publish(*later.pop(0))
        return take(*arguments)

    sent = [(source, 0) for source in range(len(TOPICS))] + later
    subscribed._takes[1] = (take_while_more_arrives, message_type)
    for message in sent[: len(TOPICS)]:
        publish(*message)
    time.sleep(0.1)  # all of the first round is there
    assert received(subscribed, len(sent)) == sent
    subscribed.close()


def test_receiver_waits_for_timeout(subscribed: Receiver) -> None:
    start = time.monotonic()
    assert subscribed.receive(0.2) == []
    assert time.monotonic() - start > 0.1


def test_receiver_shares_node_with_executor(node: Node, context: rclpy.Context, publish: Any) -> None:
    subscribed = WaitSetReceiver(node)
    for topic in TOPICS:
        subscribed.subscribe(Int64, topic, QUALITY)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    spun = threading.Event()
    node.create_timer(0.01, spun.set)
    thread = threading.Thread(target=executor.spin, daemon=True)
    thread.start()
    try:
        for number in range(200):
            publish(number % len(TOPICS), number)
        assert len(received(subscribed, 200)) == 200
        assert spun.wait(PATIENCE)
    finally:
        executor.shutdown()
        thread.join()
        subscribed.close()


@pytest.mark.parametrize(
    "implementation", [SimpleNamespace(), SimpleNamespace(WaitSet=lambda context: None)], ids=["gone", "changed"]
)
def test_make_receiver_falls_back_to_executor(implementation: Any, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(make_receiver(node), WaitSetReceiver)
    monkeypatch.setattr(receiver, "rclpy_implementation", implementation)
    made = make_receiver(node)
    assert isinstance(made, ExecutorReceiver)
    made.close()


def test_node_works_with_executor_receiver(
    start_lab: Callable[..., Lab], make_recording: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver, "rclpy_implementation", SimpleNamespace())
    lab = start_lab(stale_after=3600.0)
    lab.play(make_recording([("walking", 2.0)]).imu[:60], hurry=True)
    assert lab.wait_for(50)[-1].status == lab.messages[-1].OK
    assert "deadline" in lab.parameters()


# counts


def test_message_count_finds_lost_messages() -> None:
    count = MessageCount()
    for sequence in (5, 6, 9, 10, 1, 2, None, 4):  # it began before us, lost 7 and 8, began anew, lost 3
        count.add(sequence)
    assert (count.received, count.lost) == (8, 3)


def test_receiver_does_not_wake_node_executor(context: rclpy.Context, node: Node) -> None:
    """Woken by each message, it would cost as much as the estimates do."""

    class Counting(SingleThreadedExecutor):
        rounds = 0

        def get_nodes(self) -> Any:
            self.rounds += 1
            return super().get_nodes()

    subscribed = WaitSetReceiver(node)
    subscribed.subscribe(Int64, "a", QUALITY)
    publisher = node.create_publisher(Int64, "a", QUALITY)
    executor = Counting(context=context)
    executor.add_node(node)
    spinning = threading.Thread(target=executor.spin, daemon=True)
    spinning.start()
    try:
        publisher.publish(Int64(data=0))
        assert received(subscribed, 1) == [(0, 0)]
        before = executor.rounds
        for number in range(200):
            publisher.publish(Int64(data=number))
            assert received(subscribed, 1) == [(0, number)]
        assert executor.rounds - before < 100
    finally:
        executor.shutdown()
        spinning.join()
        subscribed.close()
