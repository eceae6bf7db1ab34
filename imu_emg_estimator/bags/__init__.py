"""rosbag2: a subject's Imu and EMG topics, written and read without ROS.

Definitions that a bag carries are not trusted: only the message types known here are decoded, by code of our own.
"""

from imu_emg_estimator.bags.bag_errors import BagTooShort, BagUnreadable, TopicMissing
from imu_emg_estimator.bags.bag_reader import Bag, check_bag, open_bag
from imu_emg_estimator.bags.bag_report import BagReport
from imu_emg_estimator.bags.bag_to_recording import read_bag, read_bag_with_report
from imu_emg_estimator.bags.bag_writer import imu_topic, write_bag
from imu_emg_estimator.bags.emg_to_envelope import BRIDGED
from imu_emg_estimator.bags.message_definitions import EMG_TYPE, IMU_TYPE
from imu_emg_estimator.bags.read_limits import BagLimits
from imu_emg_estimator.bags.topic_mapping import EMG_TOPIC, TopicMapping, present_topics

LONGEST = BagLimits().duration

__all__ = [
    "BRIDGED",
    "EMG_TOPIC",
    "EMG_TYPE",
    "IMU_TYPE",
    "LONGEST",
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
