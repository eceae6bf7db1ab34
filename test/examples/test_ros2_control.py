"""The example for ros2_control agrees with the assistance file that the package ships."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import yaml

from imu_emg_estimator.assistance.assistance_file import read_assistance

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "ros2_control"
JOINTS = {joint.name: joint for joint in read_assistance(ROOT / "config" / "assistance.yaml").joints}
ROBOT = ElementTree.parse(EXAMPLE / "mock_robot.urdf").getroot()


def test_controller_takes_the_efforts_of_the_joints_in_their_order() -> None:
    controllers = yaml.safe_load((EXAMPLE / "controllers.yaml").read_text())
    name = "assistance_controller"
    manager = controllers["controller_manager"]["ros__parameters"]
    assert manager[name]["type"] == "forward_command_controller/ForwardCommandController"
    assert controllers[name]["ros__parameters"] == {"joints": list(JOINTS), "interface_name": "effort"}
    assert f'CONTROLLER = "{name}"' in (EXAMPLE / "mock_robot.launch.py").read_text()


def test_hardware_takes_the_efforts_and_tells_the_angles_of_the_joints() -> None:
    for joint in JOINTS:
        (hardware,) = ROBOT.findall(f"./ros2_control/joint[@name='{joint}']")
        assert [each.get("name") for each in hardware.findall("command_interface")] == ["effort"]
        assert "position" in [each.get("name") for each in hardware.findall("state_interface")]


def test_moment_arms_cover_the_angles_of_the_robot() -> None:
    for name, joint in JOINTS.items():
        limit = ROBOT.find(f"./joint[@name='{name}']/limit")
        assert limit is not None
        assert joint.angle_range == (float(limit.get("lower", "nan")), float(limit.get("upper", "nan")))
        assert joint.max_torque <= float(limit.get("effort", "nan"))
