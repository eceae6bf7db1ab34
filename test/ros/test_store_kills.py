"""The node starts with a sound calibration whatever instant a process was killed at that was storing.

``IMU_EMG_KILLS=200 pytest test/ros/test_store_kills.py`` kills that often.
"""

import random
from pathlib import Path

import pytest
import rclpy
from fixtures.ros_lab import overrides
from fixtures.store_crashes import KILLS, SUBJECT, killer, state

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.ros.estimator_node import EstimatorNode

pytestmark = [pytest.mark.hostile, pytest.mark.timeout(0 if KILLS else 1800)]

LONGEST = 0.15  # s until a process is killed that stores some calibrations in this time


def test_node_starts_after_every_kill(
    context: rclpy.Context, bundle: Bundle, bundle_path: Path, tmp_path: Path
) -> None:
    chance, store = random.Random(1), tmp_path / "store"
    parameters = overrides(bundle=str(bundle_path), calibration_directory=str(store), subject_id=SUBJECT)
    with killer(bundle_path, store) as server:
        for number in range(KILLS or 3):
            server.ask(do="go on", name=f"{number:04d}", after=chance.uniform(0, LONGEST))
            node = EstimatorNode(context=context, parameter_overrides=parameters)
            try:
                node.bring_up()
                assert node.bundle.calibration_id == state(store, bundle)[1]
            finally:
                node.destroy_node()
