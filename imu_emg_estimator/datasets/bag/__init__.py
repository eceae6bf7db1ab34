"""rosbag2: a wearer's Imu and EMG topics, written and read without ROS.

Definitions that a bag carries are not trusted: only the message types known here are decoded, by code of our own.
"""

from imu_emg_estimator.datasets.bag.cdr import EMG_TYPE, IMU_TYPE
from imu_emg_estimator.datasets.bag.envelope import BRIDGED
from imu_emg_estimator.datasets.bag.faults import BagTooShort, BagUnreadable, TopicMissing
from imu_emg_estimator.datasets.bag.limits import BagLimits
from imu_emg_estimator.datasets.bag.mapping import EMG_TOPIC, TopicMapping, present_topics
from imu_emg_estimator.datasets.bag.reader import Bag, check_bag, open_bag
from imu_emg_estimator.datasets.bag.reading import read_bag, read_bag_with_report
from imu_emg_estimator.datasets.bag.report import BagReport
from imu_emg_estimator.datasets.bag.writing import imu_topic, write_bag

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
