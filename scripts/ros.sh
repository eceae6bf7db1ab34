# Shared by setup.sh and env.sh, in bash and zsh.

# Prints the distribution of the ROS 2 that is sourced, or nothing. What scripts/env.sh itself
# put on AMENT_PREFIX_PATH (this checkout's .venv and install) is no ROS installation.
sourced_ros() {
    local checkout=$1 prefix
    echo "${AMENT_PREFIX_PATH:-}" | tr ':' '\n' | while IFS= read -r prefix; do
        case $prefix in "$checkout"/*) continue ;; esac
        if [ -f "$prefix/share/rclpy/package.xml" ]; then
            echo "${ROS_DISTRO:-}"
            break
        fi
    done
}
