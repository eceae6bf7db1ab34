"""Fixtures of the latency benchmark's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fixtures.ros_isolation import isolated_ros

from imu_emg_estimator.model.bundle import Bundle


@pytest.fixture(scope="session", autouse=True)
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Isolate ROS for the whole session."""
    with isolated_ros(tmp_path_factory):
        yield


@pytest.fixture(scope="module")
def bundle_path(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save the tiny bundle once for a module; return its file."""
    path = tmp_path_factory.mktemp("bundle") / "tiny.safetensors"
    bundle.save(path)
    return path
