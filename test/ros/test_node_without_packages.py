"""The node where nothing is installed but what ROS distributions package."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fixtures.absent_packages import EVERY, without
from fixtures.node_process import NODE, Onlooker, process
from imu_emg_estimator.srv import Calibrate

from imu_emg_estimator.bags import write_bag
from imu_emg_estimator.recording import Recording


def test_running_node_is_viewed_without_any(tmp_path: Path) -> None:
    environment = os.environ | without(EVERY, tmp_path / "site")
    subprocess.run([sys.executable, "-c", "import imu_emg_estimator.ros.node_feed"], env=environment, check=True)


def test_node_starts_and_a_calibration_says_what_it_needs(
    look: Callable[..., Onlooker],
    bundle_path: Path,
    make_recording: Callable[..., Recording],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_bag(make_recording(), tmp_path / "bag")
    for name, value in without(EVERY, tmp_path / "site").items():
        monkeypatch.setenv(name, value)
    onlooker = look()
    client = onlooker.node.create_client(Calibrate, "calibrate")
    with process([*NODE, "-p", f"bundle:={bundle_path}"]) as node:
        onlooker.wait(lambda: onlooker.messages and client.service_is_ready(), node)
        answer = client.call_async(Calibrate.Request(bag_uri=str(tmp_path / "bag"), subject_id="anna"))
        onlooker.wait(answer.done, node)
    assert not answer.result().success
    assert answer.result().message.startswith(("the service needs ", "calibration needs "))
    assert "-m pip install " in answer.result().message
    assert "\n" not in answer.result().message
