"""Names and QoS of the estimator's topics, from its parameters, remappings and ``qos_overrides``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rclpy.duration import Duration
from rclpy.exceptions import NameValidationException, ParameterException
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import HistoryPolicy, LivelinessPolicy, QoSPolicyKind, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import JointState

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.msg import MuscleActivation
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.ros.startup_checks import QOS_OVERRIDES

ESTIMATE_QUEUE_DEPTH = 100  # messages
# Offered to subscribers: STALE comes within 0.15 s, 0.025 s later at most where input fails between two checks.
DEADLINE_S = 0.2
LEASE_S = 0.5  # the data thread asserts its liveliness 40 times a second, while inactive, too
OVERRIDABLE = (
    QoSPolicyKind.HISTORY,
    QoSPolicyKind.DEPTH,
    QoSPolicyKind.RELIABILITY,
    QoSPolicyKind.DEADLINE,
    QoSPolicyKind.LIVELINESS,
    QoSPolicyKind.LIVELINESS_LEASE_DURATION,
)


def imu_topic_names(given: Sequence[str] | None, rig: Rig) -> Sequence[str]:
    """Return one topic for each sensor of the rig, not yet resolved; raises InputError where their number is wrong."""
    sensors = rig.sensor_names
    topics = given or tuple(f"imu/{sensor}" for sensor in sensors)
    if len(topics) != len(sensors):
        raise InputError(
            f"parameter 'imu_topics' names {len(topics)} topics, the bundle's rig has {len(sensors)} sensors; "
            f"give one for each of {', '.join(sensors)}, in this order"
        )
    return topics


def named_publisher(node: Node, kind: Any, topic: str, qos: QoSProfile) -> Publisher:
    """Create a publisher; raises InputError where the topic's name is not valid."""
    try:
        return node.create_publisher(kind, topic, qos)
    except NameValidationException as error:
        raise _not_a_name(topic, error) from None


def full_topic_name(node: Node, topic: str) -> str:
    """Return the name of a topic after remapping; raises InputError where it is not valid."""
    try:
        return str(node.resolve_topic_name(topic))
    except RuntimeError as error:
        raise _not_a_name(topic, error) from None


def _not_a_name(topic: str, error: Exception) -> InputError:
    return InputError(f"topic '{topic}' is not a valid name ({rcl_reason(error).rstrip(':')}); correct it")


def resolve_topics(node: Node, topics: Sequence[str]) -> list[str]:
    """Return the full names after remapping; raises InputError where one is not valid or two are the same."""
    try:
        resolved = [str(node.resolve_topic_name(topic)) for topic in topics]
    except RuntimeError as error:
        raise InputError(
            f"parameter 'imu_topics' holds a name that is not valid ({rcl_reason(error).rstrip(':')}); "
            "give names such as imu/left_foot"
        ) from None
    if len(set(resolved)) < len(resolved):
        raise InputError(
            f"two sensors share a topic ({', '.join(resolved)}); "
            "give each its own, with the parameter 'imu_topics' or by remapping"
        )
    return resolved


def create_estimate_publisher(node: Node) -> Any:
    """Create the publisher of ``muscle_activation``."""
    return node.create_publisher(
        MuscleActivation,
        "muscle_activation",
        estimate_qos(),
        qos_overriding_options=QoSOverridingOptions(OVERRIDABLE),
    )


def create_named_publisher(node: Node) -> Any:
    """Create the publisher of ``muscle_activation_by_name``."""
    return node.create_publisher(JointState, "muscle_activation_by_name", ESTIMATE_QUEUE_DEPTH)


def estimate_qos() -> QoSProfile:
    """Return the QoS of the estimates: a subscriber that asks for no more sees for itself when they fail to come."""
    return QoSProfile(
        depth=ESTIMATE_QUEUE_DEPTH,
        history=HistoryPolicy.KEEP_LAST,
        reliability=ReliabilityPolicy.RELIABLE,
        deadline=Duration(seconds=DEADLINE_S),
        liveliness=LivelinessPolicy.MANUAL_BY_TOPIC,
        liveliness_lease_duration=Duration(seconds=LEASE_S),
    )


def imu_qos(queue_depth: int) -> QoSProfile:
    """Return the QoS of an Imu subscription: best effort matches every publisher; the depth bridges busy moments."""
    return QoSProfile(depth=queue_depth, history=HistoryPolicy.KEEP_LAST, reliability=ReliabilityPolicy.BEST_EFFORT)


@contextmanager
def checked_qos_overrides(node: Node) -> Iterator[None]:
    """Raise InputError where a publisher or subscription cannot be created because of its ``qos_overrides``."""
    try:
        yield
    except (ParameterException, RuntimeError, ValueError) as error:
        given = [name for name in getattr(node, "_parameter_overrides", ()) if name.startswith(QOS_OVERRIDES)]
        raise InputError(
            f"a parameter qos_overrides cannot be used: {rcl_reason(error)}; correct {' or '.join(sorted(given))}"
        ) from None


def rcl_reason(error: Exception) -> str:
    """Return what rcl complains about, without the places in its own source code."""
    return (str(error).splitlines() or [type(error).__name__])[0].split(", at /")[0]
