"""QoS of the estimates: a controller's own deadline and liveliness see when they fail to come."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from fixtures.node_process import NODE, Onlooker, process
from fixtures.ros_lab import Lab
from imu_emg_estimator.msg import MuscleActivation
from rclpy.duration import Duration
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.qos import LivelinessPolicy, QoSCompatibility, QoSProfile, qos_check_compatible

from imu_emg_estimator.ros.node_topics import DEADLINE_S, LEASE_S, estimate_qos

StartLab = Callable[..., Lab]


def requested(**policies: Any) -> QoSProfile:
    return QoSProfile(depth=10, **policies)


DOCUMENTED = requested(
    deadline=Duration(seconds=DEADLINE_S),
    liveliness=LivelinessPolicy.MANUAL_BY_TOPIC,
    liveliness_lease_duration=Duration(seconds=LEASE_S),
)


class Controller:
    """Subscribes as documented, and notes what its QoS says."""

    def __init__(self, lab: Lab) -> None:
        self.missed, self.alive, self.messages = 0, 0, list[MuscleActivation]()
        callbacks = SubscriptionEventCallbacks(deadline=self._miss, liveliness=self._live)
        lab.node.create_subscription(
            MuscleActivation, "muscle_activation", self.messages.append, DOCUMENTED, event_callbacks=callbacks
        )
        lab.wait(lambda: self.messages and self.alive, "estimates to the controller")

    def _miss(self, event: Any) -> None:
        self.missed = event.total_count

    def _live(self, event: Any) -> None:
        self.alive = event.alive_count


@pytest.mark.parametrize(
    "subscriber",
    [
        requested(),
        DOCUMENTED,
        requested(deadline=Duration(seconds=1.0)),
        requested(liveliness=LivelinessPolicy.AUTOMATIC, liveliness_lease_duration=Duration(seconds=2.0)),
    ],
    ids=["default", "documented", "patient", "automatic"],
)
def test_documented_requests_are_compatible(subscriber: QoSProfile) -> None:
    assert qos_check_compatible(estimate_qos(), subscriber)[0] != QoSCompatibility.ERROR


def test_stricter_deadline_is_not_compatible() -> None:
    stricter = requested(deadline=Duration(seconds=0.1))
    assert qos_check_compatible(estimate_qos(), stricter)[0] == QoSCompatibility.ERROR


def test_inactive_node_misses_deadline_but_is_alive(start_lab: StartLab) -> None:
    lab = start_lab(stale_after=0.15)
    controller = Controller(lab)
    lab.estimator.trigger_deactivate()
    before = controller.missed
    lab.wait(lambda: controller.missed > before + 3, "missed deadline")
    assert controller.messages[-1].status == MuscleActivation.STALE
    assert controller.alive == 1
    lab.estimator.trigger_activate()
    count = len(controller.messages)
    lab.wait(lambda: len(controller.messages) > count, "estimates again")


def test_hanging_data_thread_loses_liveliness(start_lab: StartLab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = start_lab(stale_after=0.15)
    controller, go_on = Controller(lab), threading.Event()
    take_turn = lab.estimator._take_turn

    def hang(receiver: Any) -> None:
        go_on.wait()
        take_turn(receiver)

    monkeypatch.setattr(lab.estimator, "_take_turn", hang)
    try:
        lab.wait(lambda: controller.alive == 0, "loss of liveliness")
        assert controller.missed
    finally:
        go_on.set()
    lab.wait(lambda: controller.alive == 1, "liveliness again")


def test_killed_process_loses_liveliness(look: Callable[..., Onlooker], bundle_path: Any) -> None:
    onlooker, alive = look("/killed"), list[int]()
    callbacks = SubscriptionEventCallbacks(liveliness=lambda event: alive.append(event.alive_count))
    onlooker.node.create_subscription(
        MuscleActivation, "muscle_activation", lambda _: None, DOCUMENTED, event_callbacks=callbacks
    )
    with process([*NODE, "-r", "__ns:=/killed", "-p", f"bundle:={bundle_path}"]) as node:
        onlooker.wait(lambda: alive and alive[-1] == 1, node)
        node.kill()
        while alive[-1] == 1:
            onlooker.executor.spin_once(timeout_sec=0.1)
    assert alive[-1] == 0


def test_deadline_can_be_overridden(start_lab: StartLab) -> None:
    override = "qos_overrides./muscle_activation.publisher.deadline:=50000000"
    lab = start_lab(arguments=["-p", override], stale_after=0.15)
    (publisher,) = [p for p in lab.estimator.publishers if p.topic_name == "/muscle_activation"]
    assert publisher.qos_profile.deadline.nanoseconds == 50_000_000
