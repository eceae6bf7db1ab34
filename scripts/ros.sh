# Shared by setup.sh and env.sh, in bash and zsh.

# Prints the prefix of the ROS 2 that is sourced, or nothing. A virtual environment is none: it is
# what a checkout's scripts/env.sh put on AMENT_PREFIX_PATH.
sourced_ros() {
    local prefix
    echo "${AMENT_PREFIX_PATH:-}" | tr ':' '\n' | while IFS= read -r prefix; do
        if [ -f "$prefix/share/rclpy/package.xml" ] && [ ! -f "$prefix/pyvenv.cfg" ]; then
            echo "$prefix"
            break
        fi
    done
}
