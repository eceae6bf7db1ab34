"""A node whose calibrate service is called, and bags for it, good ones and bad ones."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rclpy
from fixtures.calibration_files import stored
from fixtures.factories import BundleFactory
from fixtures.ros_lab import HOUR, Lab, start

from imu_emg_estimator.bags import write_bag
from imu_emg_estimator.calibration.calibrate_recordings import calibrate
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.calibration_record import Calibration
from imu_emg_estimator.recording import Recording


@pytest.fixture(scope="module")
def bundle(make_bundle: BundleFactory) -> Bundle:
    """Random weights that follow the left muscle no more than the right: nothing looks exchanged."""
    return make_bundle(seed=1)


@pytest.fixture(scope="module")
def walking(make_recording: Callable[..., Recording]) -> Recording:
    return make_recording([("walking", 30.0)])


@pytest.fixture(scope="module")
def bags(walking: Recording, make_recording: Callable[..., Recording], tmp_path_factory: Any) -> Path:
    """A folder of bags, good ones and every sort of bad one, by name."""
    folder = tmp_path_factory.mktemp("bags")
    rig, length = walking.rig, len(walking)
    five = replace(rig, sensors=rig.sensors[:5])
    late = make_recording([("walking", 30.0)], emg_delay=0.5)
    # EMG that is late at first and not at last: so much of it that the first muscle is left out, the second no better.
    is_late = np.arange(length)[:, None] < length * np.array([0.7, 0.75])
    misleading = np.where(is_late, late.emg.data[:length], walking.emg.data[:length])
    recordings = {
        "raw": walking,
        "envelope": replace(walking, emg=None),
        "misleading": replace(walking, emg=replace(walking.emg, data=misleading)),
        "without_an_imu": replace(walking, rig=five, imu=walking.imu[:, :5]),
        "short": walking.slice(0, round(6 * rig.rate)),
        "standing": make_recording([("standing", 20.0)]),
    }
    for name, recording in recordings.items():
        write_bag(recording, folder / name)
    shutil.copytree(folder / "raw", folder / "corrupt")
    data = folder / "corrupt" / "raw.mcap"
    data.rename(folder / "corrupt" / "raw.mcap").write_bytes(data.read_bytes().replace(b"imu", b"\xff"))
    return folder


@pytest.fixture(scope="module")
def lab(bundle_path: Path, tmp_path_factory: Any) -> Iterator[Lab]:
    """A node for calls that change nothing, in the ROS domain of the session."""
    directory = tmp_path_factory.mktemp("calibrations")
    context = rclpy.Context()
    rclpy.init(context=context)
    with ExitStack() as stack:
        stack.callback(context.try_shutdown)
        yield start(
            stack,
            context,
            bundle=str(bundle_path),
            calibration_directory=str(directory),
            stale_after=HOUR,
            calibration_nice=0,  # it must end, however busy the machine is with other tests
        )


@pytest.fixture(scope="module")
def alices(bundle: Bundle) -> Bundle:
    """A calibration of the tiny bundle, made up."""
    weights = {name: 1.1 * value for name, value in bundle.weights.items()}
    calibration = Calibration.made_now("alice", "guarded", "walking", 30.0)
    return replace(bundle, weights=weights, parent_id=bundle.model_id, calibration=calibration)


@pytest.fixture(scope="module")
def adapted_alices(bundle: Bundle, walking: Recording) -> Bundle:
    """The tiny bundle, calibrated to a subject."""
    adapted = calibrate(bundle, walking, "alice").bundle
    assert adapted is not None
    return adapted


@pytest.fixture
def unchanged(lab: Lab, walking: Recording) -> Iterator[None]:
    """Checks that after the test the node goes on with the old state, and that nothing was stored."""
    before = lab.estimator.bundle
    yield
    lab.clear()
    lab.play(walking.imu[:30], hurry=True)
    messages = lab.wait_for(20)
    assert {message.calibration_id for message in messages} == {""}
    assert lab.estimator.bundle is before
    assert not stored(lab)
