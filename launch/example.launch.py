"""Launch everything at once, without hardware: ros2 launch imu_emg_estimator example.launch.py.

A bag plays the IMUs (simulated where none is given), the estimator estimates, the assistance computes torques as a dry
run, and a diagnostic aggregator sums up /diagnostics. Dead man's switch and joint angles are made up.
"""

import sys
import tempfile
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_prefix, get_package_share_directory
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    GroupAction,
    IncludeLaunchDescription,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
)
from launch.event_handlers import OnProcessExit
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from imu_emg_estimator.ros.launch_arguments import check_arguments
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity

PACKAGE = "imu_emg_estimator"
SHARE = Path(get_package_share_directory(PACKAGE))
PROGRAM = str(Path(get_package_prefix(PACKAGE)) / "lib" / PACKAGE / "imu-emg")
ARGUMENTS = {
    "bag": ("", "Bag whose IMUs are played; empty = two minutes of a simulated subject."),
    "subject_id": ("", "The subject, whose calibration in use is loaded."),
    "config": (str(SHARE / "config" / "assistance.yaml"), "Assistance file."),
}
STANDING = "{name: [knee_right, knee_left], position: [-0.5, -0.5]}"


def generate_launch_description() -> LaunchDescription:
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, (default, description) in ARGUMENTS.items()
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=_everything)])


def _everything(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    check_arguments(sys.argv, Path(__file__).name, ARGUMENTS)
    values = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    return [
        *_sensors(values["bag"]),
        _included("estimator", subject_id=values["subject_id"]),
        _included("assistance", config=values["config"], dry_run="true"),
        _published("deadman", "std_msgs/msg/Bool", "{data: true}"),
        _published("joint_states", "sensor_msgs/msg/JointState", STANDING),
        _aggregator(),
    ]


def _sensors(bag: str) -> list[LaunchDescriptionEntity]:
    """Play the bag, or first simulate one."""
    folder = bag or str(Path(tempfile.mkdtemp(prefix="imu_emg_")) / "simulated")
    play = ExecuteProcess(cmd=[PROGRAM, "replay", folder, "--loop", "--restamp"], output="screen")
    if bag:
        return [play]
    simulate = ExecuteProcess(cmd=[PROGRAM, "simulate", "--out", folder], output="screen")
    return [simulate, RegisterEventHandler(OnProcessExit(target_action=simulate, on_exit=[play]))]


def _included(name: str, **arguments: str) -> GroupAction:
    """Include a launch file in a scope of its own: outside, its arguments would hold for the next one too."""
    source = PythonLaunchDescriptionSource(str(SHARE / "launch" / f"{name}.launch.py"))
    return GroupAction([IncludeLaunchDescription(source, launch_arguments=arguments.items())], scoped=True)


def _published(topic: str, kind: str, message: str) -> ExecuteProcess:
    return ExecuteProcess(cmd=["ros2", "topic", "pub", "--rate", "50", topic, kind, message], output="log")


def _aggregator() -> LaunchDescriptionEntity:
    try:
        get_package_prefix("diagnostic_aggregator")
    except PackageNotFoundError:
        return LogInfo(msg="no diagnostic_aggregator here: apt install ros-$ROS_DISTRO-diagnostic-aggregator")
    return Node(
        package="diagnostic_aggregator",
        executable="aggregator_node",
        output="screen",
        parameters=[str(SHARE / "config" / "analyzers.yaml")],
    )
