# Shared by setup.sh and env.sh, in bash and zsh.

# Print the prefix of the sourced ROS 2, or nothing. A virtual environment does not count: a
# checkout's scripts/env.sh has put it on AMENT_PREFIX_PATH.
sourced_ros() {
    local prefix
    echo "${AMENT_PREFIX_PATH:-}" | tr ':' '\n' | while IFS= read -r prefix; do
        if [ -f "$prefix/share/rclpy/package.xml" ] && [ ! -f "$prefix/pyvenv.cfg" ]; then
            echo "$prefix"
            break
        fi
    done
}
