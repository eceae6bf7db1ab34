"""What the ROS tests share: each has a ROS domain of its own, and the node a laboratory."""

import gc
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not sourced; source scripts/env.sh, or make test")

import rclpy
from fixtures.node_process import Onlooker
from fixtures.ros_isolation import isolated_ros, own_domain
from fixtures.ros_lab import Lab, start


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Generator[None, object, object]:
    """Free the nodes of a test once pytest holds none: in reference cycles, they would stay in the graph."""
    result = yield
    gc.collect()
    return result


@pytest.fixture(scope="session", autouse=True)
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Isolate ROS for the whole session."""
    gc.freeze()  # what is loaded stays: the passes below need not look through it
    with isolated_ros(tmp_path_factory):
        yield


@pytest.fixture(autouse=True)
def domain() -> Iterator[None]:
    """Isolate each test from the one before, which may have killed nodes."""
    with own_domain():
        yield


@pytest.fixture
def context(domain: None) -> Iterator[rclpy.Context]:
    """An initialised context."""
    context = rclpy.Context()
    rclpy.init(context=context)
    yield context
    context.try_shutdown()


@pytest.fixture
def start_lab(context: rclpy.Context, bundle_path: Path, tmp_path: Path) -> Iterator[Callable[..., Lab]]:
    """Function that starts a node in a laboratory, on this process's threads; both end with the test.

    Keywords are those of ``lab.start``; the tiny bundle and a directory of the test are the defaults.
    """
    with ExitStack() as stack:

        def start_one(**options: Any) -> Lab:
            values = {
                "bundle": str(bundle_path),
                "calibration_directory": str(tmp_path / "calibrations"),
                "engine": "numpy",
                "calibration_nice": 0,  # it must end, however busy the machine is with other tests
            }
            return start(stack, context, **(values | options))

        yield start_one


@pytest.fixture
def look(context: rclpy.Context) -> Iterator[Callable[..., Onlooker]]:
    """Function that makes an onlooker in a namespace."""
    onlookers: list[Onlooker] = []

    def make(namespace: str = "") -> Onlooker:
        onlookers.append(Onlooker(context, namespace))
        return onlookers[-1]

    yield make
    for onlooker in onlookers:
        onlooker.executor.shutdown()
        onlooker.node.destroy_node()
