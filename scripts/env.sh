# source scripts/env.sh: activate the environment of `make setup`, in bash and zsh.
#
# The checkout comes first on PYTHONPATH, so that Python runs the sources as they are, while the
# generated imu_emg_estimator.msg and .srv come from install/ (see imu_emg_estimator/__init__.py).

_imu_emg_environment() {
    local checkout=$1 shell=$2
    if [ ! -f "$checkout/.venv/bin/activate" ]; then
        echo "env.sh: $checkout/.venv is missing; make setup" >&2
        return 1
    fi
    . "$checkout/scripts/ros.sh"
    . "$checkout/.venv/bin/activate"
    # Set by the ROS wheels in a process that has their libraries; inherited from another environment it lies.
    unset _ROS_WHEELS_BOOTSTRAP_COMPLETE

    if [ -d "$checkout/.venv/share/rclpy" ]; then
        _imu_emg_prepend AMENT_PREFIX_PATH "$checkout/.venv"
        _imu_emg_prepend CMAKE_PREFIX_PATH "$checkout/.venv"
        _imu_emg_prepend LD_LIBRARY_PATH "$checkout/.venv/lib"
        ROS_DISTRO=$(cat "$checkout/.venv/ros_distro" 2>/dev/null || echo jazzy)
        export ROS_DISTRO ROS_VERSION=2 ROS_PYTHON_VERSION=3
    elif [ -z "$(sourced_ros)" ]; then
        echo "env.sh: .venv was made for an installed ROS 2; source /opt/ros/<distro>/setup.$shell first" >&2
        return 1
    fi
    if [ -f "$checkout/install/local_setup.$shell" ]; then
        . "$checkout/install/local_setup.$shell"
    fi
    _imu_emg_prepend PYTHONPATH "$checkout"
}

# _imu_emg_prepend VARIABLE DIRECTORY: makes it the first entry.
_imu_emg_prepend() {
    local rest
    eval "rest=\${$1:-}"
    case $rest: in "$2:"*) return ;; esac
    export "$1=$2${rest:+:$rest}"
}

if [ -n "${ZSH_VERSION:-}" ]; then
    _imu_emg_environment "$(cd "$(dirname "${(%):-%x}")/.." && pwd)" zsh
else
    _imu_emg_environment "$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)" bash
fi
