"""Launch the estimator: ros2 launch imu_emg_estimator estimator.launch.py [bundle:=...] [subject_id:=...]."""

import sys
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from imu_emg_estimator.ros.launch_arguments import BOOLEANS, LOG_LEVELS, check_arguments, existing_file, ros_options
from launch import LaunchContext, LaunchDescription

PACKAGE = "imu_emg_estimator"
PARAMS_FILE = Path(get_package_share_directory(PACKAGE)) / "config" / "estimator.yaml"
RESPAWN_DELAY_S = 2.0
ARGUMENTS = {  # name: default, description, values allowed (none = any)
    "bundle": ("", "Bundle (.safetensors); empty = as params_file says.", None),
    "params_file": (str(PARAMS_FILE), "Parameter file of the node.", None),
    "subject_id": ("", "The subject, whose calibration in use is loaded.", None),
    "node_name": ("", f"Name of the node; empty = {PACKAGE}.", None),
    "namespace": ("", "Namespace of node and topics.", None),
    "use_sim_time": (
        "", "true = take the time from /clock (replayed bags); empty = as params_file says.", ["", *BOOLEANS]
    ),
    "autostart": (
        "", "false = a lifecycle manager configures and activates; empty = as params_file says.", ["", *BOOLEANS]
    ),
    "respawn": ("", "true = start the node again when it has ended, after 2 s.", ["", *BOOLEANS]),
    "log_level": ("", "Least serious level that is logged; empty = as ROS has it.", ["", *LOG_LEVELS]),
    "enclave": ("", "Enclave of SROS 2, such as /lab/estimator; empty = none.", None),
}  # fmt: skip


def generate_launch_description() -> LaunchDescription:
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=description, choices=choices)
        for name, (default, description, choices) in ARGUMENTS.items()
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=_estimator)])


def _estimator(context: LaunchContext) -> list[Node]:
    check_arguments(sys.argv, Path(__file__).name, ARGUMENTS)
    values = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    # An argument that was not given must not override the parameter file, and a subject '5' is text.
    given = {name: ParameterValue(values[name], value_type=str) for name in ("bundle", "subject_id") if values[name]}
    for name in ("use_sim_time", "autostart"):
        if values[name]:
            given[name] = values[name].lower() == "true"
    return [
        Node(
            package=PACKAGE,
            executable="estimator_node",
            name=values["node_name"] or PACKAGE,
            namespace=values["namespace"],
            output="screen",
            emulate_tty=True,
            parameters=[existing_file("params_file", values["params_file"]), given],
            ros_arguments=ros_options(values["log_level"], values["enclave"]),
            respawn=values["respawn"].lower() == "true",
            respawn_delay=RESPAWN_DELAY_S,
        )
    ]
