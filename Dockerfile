# Live estimation as an ordinary user: docker build --tag imu_emg_estimator . (docs/installation.md). It holds neither
# torch nor rosbags: calibrate on another computer. `dev` is the stage for .devcontainer.
ARG ROS_DISTRO=jazzy

FROM ros:${ROS_DISTRO}-ros-base AS dev
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        build-essential cmake git make python3-dev python3-pip python3-venv \
    && rm -rf /var/lib/apt/lists/*

FROM dev AS build
WORKDIR /workspace
COPY . src/imu_emg_estimator
RUN . "/opt/ros/$ROS_DISTRO/setup.sh" \
    && colcon build --merge-install --install-base /opt/imu_emg_estimator --cmake-args -DBUILD_TESTING=OFF

FROM ros:${ROS_DISTRO}-ros-core AS live
# Of package.xml, what the node needs while it estimates.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3-argcomplete python3-numpy python3-yaml \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1001 estimator
COPY --from=build /opt/imu_emg_estimator /opt/imu_emg_estimator
# Through shared memory, Fast DDS passes nothing between users or containers, and says nothing.
ENV FASTDDS_BUILTIN_TRANSPORTS=UDPv4
USER 1001
WORKDIR /home/estimator
# Healthy = the node publishes, be it STALE: a container that starts anew cures no sensor.
HEALTHCHECK --interval=30s --timeout=20s --start-period=20s \
    CMD ["/bin/bash", "-c", "source /opt/imu_emg_estimator/setup.bash && imu-emg watch --seconds 0.5; [ $? -lt 2 ]"]
ENTRYPOINT ["/bin/bash", "-c", "source /opt/imu_emg_estimator/setup.bash && exec \"$@\"", "--"]
CMD ["ros2", "launch", "imu_emg_estimator", "estimator.launch.py"]
