"""What can be wrong with a bag; the text of each error is one sentence for the user."""

from __future__ import annotations

from imu_emg_estimator.errors import InputError


class BagUnreadable(InputError):
    """The bag is missing, empty, corrupt, too large, or not a bag."""


class TopicMissing(InputError):
    """The bag lacks a topic, or a muscle, that the rig needs."""


class BagTooShort(InputError):
    """The bag holds too little IMU and EMG data of the same time."""
