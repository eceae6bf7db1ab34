"""rosbag2 without ROS: a subject's Imu and EMG topics, written and read.

Definitions that a bag carries are not trusted: messages are decoded by this package's own definitions.
"""

from imu_emg_estimator.bags.bag_messages import EMG_TYPE, IMU_TYPE
from imu_emg_estimator.bags.bag_reader import Bag, check_bag, open_bag
from imu_emg_estimator.bags.bag_report import BagReport
from imu_emg_estimator.bags.bag_to_recording import read_bag, read_bag_with_report
from imu_emg_estimator.bags.bag_writer import imu_topic, write_bag
from imu_emg_estimator.bags.emg_to_envelope import MAX_BRIDGED_S
from imu_emg_estimator.bags.read_limits import BagLimits
from imu_emg_estimator.bags.topic_mapping import EMG_TOPIC, TopicMapping, present_topics
from imu_emg_estimator.errors import BagTooShort, BagUnreadable, TopicMissing

MAX_DURATION_S = BagLimits().duration

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
