"""Two knees on mock hardware, and the assistance that commands them: ros2 launch mock_robot.launch.py.

Start the estimator beside it, and publish true on /deadman, to see efforts in /joint_states.
"""

from pathlib import Path

from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchDescription

HERE = Path(__file__).parent
CONTROLLER = "assistance_controller"


def generate_launch_description() -> LaunchDescription:
    robot = {"robot_description": (HERE / "mock_robot.urdf").read_text(encoding="utf-8")}
    return LaunchDescription(
        [
            DeclareLaunchArgument("config", description="Assistance file, with dry_run: false."),
            Node(package="robot_state_publisher", executable="robot_state_publisher", parameters=[robot]),
            Node(
                package="controller_manager",
                executable="ros2_control_node",
                parameters=[str(HERE / "controllers.yaml"), robot],  # Humble takes the robot from the parameter
            ),
            Node(
                package="controller_manager",
                executable="spawner",
                arguments=["joint_state_broadcaster", CONTROLLER],
            ),
            Node(
                package="imu_emg_estimator",
                executable="assistance",
                parameters=[{"config": LaunchConfiguration("config")}],
                remappings=[("~/commands", f"/{CONTROLLER}/commands")],
                output="screen",
            ),
        ]
    )
