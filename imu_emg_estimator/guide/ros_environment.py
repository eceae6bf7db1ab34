"""The ROS environment of this process, by its variables alone: distribution, middleware, domain, discovery.

Source: https://docs.ros.org/en/jazzy/Concepts/Intermediate/About-Domain-ID.html and
https://docs.ros.org/en/jazzy/Tutorials/Advanced/Improved-Dynamic-Discovery.html
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from imu_emg_estimator.guide.finding import Finding, Level
from imu_emg_estimator.utils.shipped_files import PACKAGE

LAST_DOMAIN = 232
LAST_SAFE_DOMAIN, NEXT_SAFE_DOMAIN = 101, 215  # between them Linux gives the ports to other programs
OUTWARD = ("", "SUBNET", "SYSTEM_DEFAULT")
RANGE = "ROS_AUTOMATIC_DISCOVERY_RANGE"
NOTHING_COMES = (
    "it is published, but no message comes: either the publisher sends none, or Fast DDS passes nothing through shared "
    "memory between two users or containers; for one of the two, set FASTDDS_BUILTIN_TRANSPORTS=UDPv4"
)
INDEX = "share/ament_index/resource_index/packages"


def environment_findings(environment: Mapping[str, str]) -> list[Finding]:
    """Look at the variables; one finding where ROS is not there."""
    distribution = environment.get("ROS_DISTRO", "")
    if find_spec("rclpy") is None:
        return [_without_rclpy(distribution)]
    level = Level.OK if distribution else Level.WARNING
    text = distribution or "ROS_DISTRO is not set; source /opt/ros/DISTRIBUTION/setup.bash"
    found = [Finding("ROS 2", level, text), _middleware(environment), _domain(environment), _discovery(environment)]
    if find_spec(f"{PACKAGE}.msg") is None:
        text = "not built, or not sourced; colcon build, then source install/setup.bash"
        found.append(Finding("messages", Level.PROBLEM, text))
    return found


def _without_rclpy(distribution: str) -> Finding:
    if not distribution:
        text = "not sourced, so topics are not checked; source /opt/ros/DISTRIBUTION/setup.bash, then your workspace"
        return Finding("ROS 2", Level.WARNING, text)
    own = ".".join(map(str, sys.version_info[:2]))
    text = f"{distribution} is sourced, but Python {own} has no rclpy; use the Python that this ROS was built for"
    return Finding("ROS 2", Level.PROBLEM, text)


def _middleware(environment: Mapping[str, str]) -> Finding:
    name = environment.get("RMW_IMPLEMENTATION", "")
    if not name:
        return Finding("middleware", Level.OK, "the distribution's default")
    prefixes = environment.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    if any(Path(prefix, INDEX, name).is_file() for prefix in prefixes if prefix):
        return Finding("middleware", Level.OK, name)
    package = f"ros-{environment.get('ROS_DISTRO') or 'DISTRIBUTION'}-{name.replace('_', '-')}"
    remedy = f"sudo apt install {package}, or unset RMW_IMPLEMENTATION"
    return Finding("middleware", Level.PROBLEM, f"RMW_IMPLEMENTATION is {name}, which is not installed; {remedy}")


def _domain(environment: Mapping[str, str]) -> Finding:
    text = environment.get("ROS_DOMAIN_ID") or "0"
    if not (text.isascii() and text.isdecimal() and int(text) <= LAST_DOMAIN):
        return Finding("domain", Level.PROBLEM, f"ROS_DOMAIN_ID is '{text}'; give a number from 0 to {LAST_DOMAIN}")
    if LAST_SAFE_DOMAIN < int(text) < NEXT_SAFE_DOMAIN:
        why = f"other programs may use its ports; give ROS_DOMAIN_ID a number from 0 to {LAST_SAFE_DOMAIN}"
        return Finding("domain", Level.WARNING, f"{text}: {why}")
    return Finding("domain", Level.OK, f"{text} (ROS_DOMAIN_ID, the same on every computer)")


def _discovery(environment: Mapping[str, str]) -> Finding:
    reach = environment.get(RANGE, "")
    if environment.get("ROS_LOCALHOST_ONLY") == "1":
        text = "this computer alone; for sensors on others, unset ROS_LOCALHOST_ONLY"
        return Finding("discovery", Level.OK, text)
    if reach in OUTWARD or environment.get("ROS_DISTRO") == "humble":  # which does not know the variable
        return Finding("discovery", Level.OK, "the local network")
    if reach == "LOCALHOST":
        return Finding("discovery", Level.OK, f"this computer alone; for sensors on others, set {RANGE}=SUBNET")
    return Finding("discovery", Level.WARNING, f"{RANGE} is {reach}; to find nodes, set it to SUBNET or LOCALHOST")
