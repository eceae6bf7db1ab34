"""Launch the estimator: ros2 launch imu_emg_estimator estimator.launch.py [bundle:=...] [subject_id:=...]."""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from launch import LaunchContext, LaunchDescription

PACKAGE = "imu_emg_estimator"


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
            OpaqueFunction(function=_estimator),
        ]
    )


def _estimator(context: LaunchContext) -> list[Node]:
    values = {
        name: LaunchConfiguration(name).perform(context)
        for name in ("bundle", "params_file", "subject_id", "namespace", "use_sim_time")
    }
    # An argument that was not given must not override the parameter file, and a subject '5' is text.
    given = {name: ParameterValue(values[name], value_type=str) for name in ("bundle", "subject_id") if values[name]}
    if values["use_sim_time"]:
        given["use_sim_time"] = values["use_sim_time"].lower() == "true"
    return [
        Node(
            package=PACKAGE,
            executable="estimator_node",
            name=PACKAGE,
            namespace=values["namespace"],
            output="screen",
            emulate_tty=True,
            parameters=[values["params_file"], given],
        )
    ]
