"""The message types that are read and written here, by their own definitions: a bag's definitions are not trusted.

Imu, JointState and the arrays are the same in Humble, Jazzy and Kilted.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from imu_emg_estimator.utils.shipped_files import message_definition

IMU_TYPE = "sensor_msgs/msg/Imu"
EMG_TYPE = "imu_emg_estimator/msg/Emg"
ACTIVATION_TYPE = "imu_emg_estimator/msg/MuscleActivation"
JOINT_TYPE = "sensor_msgs/msg/JointState"
FLOAT32_TYPE = "std_msgs/msg/Float32MultiArray"
FLOAT64_TYPE = "std_msgs/msg/Float64MultiArray"


@cache
def typestore() -> Typestore:
    """Types of ROS 2 and this package."""
    store = get_typestore(Stores.ROS2_JAZZY)
    for msgtype in (EMG_TYPE, ACTIVATION_TYPE):
        store.register(get_types_from_msg(message_definition(msgtype.rsplit("/", 1)[-1]), msgtype))
    return store


def deserialise(data: bytes, msgtype: str) -> Any:
    """A message from its CDR bytes.

    Raises:
        ValueError, rosbags.serde.SerdeError: the bytes are not of the type.
    """
    return typestore().deserialize_cdr(data, msgtype)


@cache
def known_digest(msgtype: str) -> str:
    """RIHS01 hash of a type by the definition used here (REP 2016)."""
    return typestore().hash_rihs01(msgtype)
