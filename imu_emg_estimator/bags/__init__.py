"""rosbag2 without ROS: a subject's Imu and EMG topics, written and read.

Definitions that a bag carries are not trusted: messages are decoded by this package's own definitions.

What is named here is imported when it is first used: the live node checks paths by ``bag_files``, and needs no reader.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imu_emg_estimator.bags.bag_reader import Bag, check_bag, open_bag
    from imu_emg_estimator.bags.bag_report import BagReport
    from imu_emg_estimator.bags.bag_to_recording import read_bag, read_bag_with_report
    from imu_emg_estimator.bags.bag_writer import imu_topic, write_bag
    from imu_emg_estimator.bags.emg_to_envelope import MAX_BRIDGED_S
    from imu_emg_estimator.bags.message_types import EMG_TOPIC, EMG_TYPE, IMU_TYPE
    from imu_emg_estimator.bags.read_limits import MAX_DURATION_S, BagLimits
    from imu_emg_estimator.bags.topic_mapping import TopicMapping, present_topics
    from imu_emg_estimator.errors import BagTooShort, BagUnreadable, TopicMissing

PACKAGE = "imu_emg_estimator"
HOMES = {
    "bags.bag_reader": ("Bag", "check_bag", "open_bag"),
    "bags.bag_report": ("BagReport",),
    "bags.bag_to_recording": ("read_bag", "read_bag_with_report"),
    "bags.bag_writer": ("imu_topic", "write_bag"),
    "bags.emg_to_envelope": ("MAX_BRIDGED_S",),
    "bags.message_types": ("EMG_TOPIC", "EMG_TYPE", "IMU_TYPE"),
    "bags.read_limits": ("MAX_DURATION_S", "BagLimits"),
    "bags.topic_mapping": ("TopicMapping", "present_topics"),
    "errors": ("BagTooShort", "BagUnreadable", "TopicMissing"),
}

__all__ = [
    "EMG_TOPIC",
    "EMG_TYPE",
    "IMU_TYPE",
    "MAX_BRIDGED_S",
    "MAX_DURATION_S",
    "Bag",
    "BagLimits",
    "BagReport",
    "BagTooShort",
    "BagUnreadable",
    "TopicMapping",
    "TopicMissing",
    "check_bag",
    "imu_topic",
    "open_bag",
    "present_topics",
    "read_bag",
    "read_bag_with_report",
    "write_bag",
]


def __getattr__(name: str) -> Any:
    """Import a name of ``__all__`` from its module."""
    for home, names in HOMES.items():
        if name in names:
            globals()[name] = getattr(import_module(f"{PACKAGE}.{home}"), name)
            return globals()[name]
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
