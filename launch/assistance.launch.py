"""Launch the assistance: ros2 launch imu_emg_estimator assistance.launch.py config:=mine.yaml."""

import sys
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from imu_emg_estimator.ros.launch_arguments import BOOLEANS, LOG_LEVELS, check_arguments, existing_file, ros_options
from launch import LaunchContext, LaunchDescription

PACKAGE = "imu_emg_estimator"
EXAMPLE = Path(get_package_share_directory(PACKAGE)) / "config" / "assistance.yaml"
RESPAWN_DELAY_S = 2.0
ARGUMENTS = {  # name: default, description, values allowed (none = any)
    "config": (str(EXAMPLE), "Assistance file; the default is an example, a dry run.", None),
    "dry_run": ("", "true = publish no command, whatever the file says.", ["", *BOOLEANS]),
    "commands": ("~/commands", "Topic of the commands, such as /assistance_controller/commands.", None),
    "node_name": ("", "Name of the node; empty = assistance.", None),
    "namespace": ("", "Namespace of node and topics.", None),
    "use_sim_time": ("", "true = take the time from /clock.", ["", *BOOLEANS]),
    "autostart": ("", "false = a lifecycle manager configures and activates.", ["", *BOOLEANS]),
    "respawn": ("", "true = start the node again when it has ended, after 2 s.", ["", *BOOLEANS]),
    "log_level": ("", "Least serious level that is logged; empty = as ROS has it.", ["", *LOG_LEVELS]),
    "enclave": ("", "Enclave of SROS 2, such as /lab/assistance; empty = none.", None),
}


def generate_launch_description() -> LaunchDescription:
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=description, choices=choices)
        for name, (default, description, choices) in ARGUMENTS.items()
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=_assistance)])


def _assistance(context: LaunchContext) -> list[Node]:
    check_arguments(sys.argv, Path(__file__).name, ARGUMENTS)
    values = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    switches = ("dry_run", "use_sim_time", "autostart")
    parameters = {name: values[name].lower() == "true" for name in switches if values[name]}
    return [
        Node(
            package=PACKAGE,
            executable="assistance",
            name=values["node_name"] or "assistance",
            namespace=values["namespace"],
            output="screen",
            emulate_tty=True,
            parameters=[parameters | {"config": existing_file("config", values["config"])}],
            remappings=[("~/commands", values["commands"])] if values["commands"] != "~/commands" else [],
            ros_arguments=ros_options(values["log_level"], values["enclave"]),
            respawn=values["respawn"].lower() == "true",
            respawn_delay=RESPAWN_DELAY_S,
        )
    ]
