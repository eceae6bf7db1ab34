"""Description of the machine and its load during a measurement."""

from __future__ import annotations

import os
import platform
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from imu_emg_estimator import __version__

LIBRARIES = ("numpy", "onnxruntime", "torch", "scipy", "ros-rclpy", "rclpy", "ros-rmw-fastrtps-cpp")
MAX_LOAD_AVERAGE = 0.3  # with more, other jobs distort the figures


def describe() -> dict[str, Any]:
    """Describe processor, cores, memory, system, versions, date and load average."""
    return {
        "processor": _field(Path("/proc/cpuinfo"), "model name") or platform.processor() or platform.machine(),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "cores_allowed": len(os.sched_getaffinity(0)),
        "memory_mb": _memory(),
        "virtual": "hypervisor" in (_field(Path("/proc/cpuinfo"), "flags") or "").split(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "imu_emg_estimator": __version__,
        "libraries": {name: found for name in LIBRARIES if (found := _version(name))},
        "ros_distro": os.environ.get("ROS_DISTRO"),
        "rmw": os.environ.get("RMW_IMPLEMENTATION", "default"),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "load_average": list(os.getloadavg()),
    }


def busy_warning() -> str | None:
    """Warn in a sentence if other jobs keep the machine busy; else return nothing."""
    load = os.getloadavg()[0]
    if load < MAX_LOAD_AVERAGE:
        return None
    return (
        f"the load average is {load:.1f} on {os.cpu_count()} cores: other jobs run here and spoil the figures; "
        "stop them, or wait a minute if they have just ended"
    )


def _field(path: Path, name: str) -> str | None:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), None)


def _memory() -> int | None:
    text = _field(Path("/proc/meminfo"), "MemTotal")
    return int(text.split()[0]) // 1024 if text else None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
