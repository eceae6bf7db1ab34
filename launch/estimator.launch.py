"""Launch the estimator: ros2 launch imu_emg_estimator estimator.launch.py [bundle:=...] [subject_id:=...]."""

import sys
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from imu_emg_estimator.ros.launch_arguments import check_arguments, existing_file
from launch import LaunchContext, LaunchDescription

PACKAGE = "imu_emg_estimator"
ARGUMENTS = ("bundle", "params_file", "subject_id", "namespace", "use_sim_time", "autostart")


def generate_launch_description() -> LaunchDescription:
    params_file = Path(get_package_share_directory(PACKAGE)) / "config" / "estimator.yaml"
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "bundle", default_value="", description="Bundle (.safetensors); empty = as params_file says."
            ),
            DeclareLaunchArgument(
                "params_file", default_value=str(params_file), description="Parameter file of the node."
            ),
            DeclareLaunchArgument(
                "subject_id", default_value="", description="The subject, whose calibration in use is loaded."
            ),
            DeclareLaunchArgument("namespace", default_value="", description="Namespace of node and topics."),
            DeclareLaunchArgument(
                "use_sim_time",
                default_value="",
                choices=["", "true", "false", "True", "False"],
                description="true = take the time from /clock (replayed bags); empty = as params_file says.",
            ),
            DeclareLaunchArgument(
                "autostart",
                default_value="",
                choices=["", "true", "false", "True", "False"],
                description="false = a lifecycle manager configures and activates; empty = as params_file says.",
            ),
            OpaqueFunction(function=_estimator),
        ]
    )


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
            name=PACKAGE,
            namespace=values["namespace"],
            output="screen",
            emulate_tty=True,
            parameters=[existing_file("params_file", values["params_file"]), given],
        )
    ]
