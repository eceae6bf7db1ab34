"""Fixtures of the latency benchmark's tests."""

from collections.abc import Iterator

import pytest
from fixtures.ros_isolation import isolated_ros


@pytest.fixture(scope="session", autouse=True)
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Isolate ROS for the whole session."""
    with isolated_ros(tmp_path_factory):
        yield
