"""Why ROS does not start, or creates no node, as a sentence; above all, where SROS 2 asks for more than there is."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.ros.node_topics import rcl_reason

TO_GO_ON = "or unset ROS_SECURITY_ENABLE"


@contextmanager
def naming_refusal(what: str = "") -> Iterator[None]:
    """Raise InputError where ROS refuses what is done in this context.

    Args:
        what: the beginning of the sentence; empty = only of what SROS 2 refuses, the rest is raised as it is.
    """
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Failed to fini rosout", RuntimeWarning)  # follows such a refusal
            yield
    except RuntimeError as error:
        reason = rcl_reason(error)
        sentence = _of_security(reason) or (what and f"{what}: {reason}")
        if not sentence:
            raise
        raise InputError(sentence) from None


def _of_security(reason: str) -> str:
    """Return the sentence for a reason that SROS 2 has; empty = it is another one."""
    if os.environ.get("ROS_SECURITY_ENABLE") != "true":
        return ""
    if "security libraries" in reason:
        return (
            "ROS_SECURITY_ENABLE is true, but this Fast DDS has no security libraries: use the ROS 2 packages of the "
            f"distribution, {TO_GO_ON}"
        )
    if "error not set" in reason and not os.environ.get("ROS_SECURITY_KEYSTORE"):
        return f"ROS_SECURITY_ENABLE is true, but ROS_SECURITY_KEYSTORE names no keystore: set it, {TO_GO_ON}"
    if "security" in reason.lower():
        lack = reason.split("SECURITY ERROR: ")[-1].rstrip(".!")
        return f"ROS_SECURITY_ENABLE is true, but {lack}: create the enclave in the keystore, {TO_GO_ON}"
    return ""
