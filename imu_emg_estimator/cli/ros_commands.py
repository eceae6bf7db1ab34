"""Commands that run ROS: their arguments for ROS, and the error where ROS is missing."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from imu_emg_estimator.errors import InputError

BEGIN, END = "--ros-args", "--"


def accept_ros_arguments(parser: argparse.ArgumentParser) -> None:
    """Let a command take ``--ros-args ...``, which arrive as ``ros_arguments``."""
    parser.epilog = f"ROS arguments follow {BEGIN}, for instance {BEGIN} -r /imu/trunk:=/imu/pelvis."
    parser.set_defaults(ros_arguments=[])


def split_ros_arguments(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split a command line into its own words and those between ``--ros-args`` and ``--``, or the end."""
    own: list[str] = []
    ros: list[str] = []
    inside = False
    for word in argv:
        inside = inside or word == BEGIN
        (ros if inside else own).append(word)
        inside = inside and word != END
    return own, ros


@contextmanager
def ros_required(command: str) -> Iterator[None]:
    """Turn a failed import of ``imu_emg_estimator.ros`` into an InputError that tells how to get ROS."""
    try:
        yield
    except ImportError:
        raise InputError(f"{command} needs ROS 2; source scripts/env.sh or your ROS 2 workspace first") from None
