"""The message types known here; Imu is the same in Humble, Jazzy and Kilted."""

from __future__ import annotations

from functools import cache

from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from imu_emg_estimator.bags.cdr_messages import ACTIVATION_TYPE, EMG_TYPE
from imu_emg_estimator.utils.shipped_files import message_definition


@cache
def typestore() -> Typestore:
    """Types of ROS 2 and our own, to write messages with."""
    store = get_typestore(Stores.ROS2_JAZZY)
    for msgtype in (EMG_TYPE, ACTIVATION_TYPE):
        store.register(get_types_from_msg(message_definition(msgtype.rsplit("/", 1)[-1]), msgtype))
    return store


@cache
def known_digest(msgtype: str) -> str:
    """RIHS01 hash of a type as it is known here (REP 2016)."""
    return typestore().hash_rihs01(msgtype)
