"""The baseline node: the estimator as it is usually written, for comparison with the package's node.

Typed subscriptions with the sensor-data profile, a MultiThreadedExecutor, messages joined by timestamp, a window of
the newest samples in a deque, and torch eager over the whole window at each step. It is meant to be small, correct and
fair: the same bundle, units, normalisation and message; where the window spans the network's receptive field its
estimates equal those of the package. It steps from the first samples on, whatever the window holds yet, runs torch
without gradients, and on one thread (parameter ``threads``): a second one makes it later, not earlier.

    python benchmarks/latency/baseline_node.py --ros-args -p bundle:=resource/hugadb.safetensors
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from functools import partial

import numpy as np
import rclpy
import torch
from imu_emg_estimator.msg import MuscleActivation
from numpy.typing import NDArray
from rclpy.duration import Duration
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.time import Time
from sensor_msgs.msg import Imu

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.causal_network import network_of
from imu_emg_estimator.model.network_config import LOG_DEVIATION_RANGE
from imu_emg_estimator.recording import FloatArray
from imu_emg_estimator.signals.imu_decoder import imu_sample, nanoseconds
from imu_emg_estimator.signals.masked_imu_features import RowFeatures
from imu_emg_estimator.utils.shipped_files import shipped_bundle

Float32 = NDArray[np.float32]


class BaselineNode(Node):
    """Steps when all sensors' messages of one timestamp have arrived, like message_filters.TimeSynchronizer."""

    def __init__(self) -> None:
        super().__init__("baseline_estimator")
        self.declare_parameter("bundle", str(shipped_bundle()))
        self.declare_parameter("window", 200)
        self.declare_parameter("threads", 1)
        torch.set_num_threads(self.get_parameter("threads").value)
        self.bundle = Bundle.load(self.get_parameter("bundle").value)
        self.model_id = self.bundle.model_id
        self.delay = Duration(seconds=self.bundle.look_ahead_s)
        self.network = network_of(self.bundle)
        self.features = RowFeatures(self.bundle.normalisation)
        self.window: deque[Float32] = deque(maxlen=self.get_parameter("window").value)
        self.rows: dict[int, dict[str, FloatArray]] = {}
        self.publisher = self.create_publisher(MuscleActivation, "muscle_activation", 10)
        for sensor in self.bundle.rig.sensor_names:
            callback = partial(self.on_imu, sensor)
            self.create_subscription(Imu, f"imu/{sensor}", callback, qos_profile_sensor_data)

    def on_imu(self, sensor: str, message: Imu) -> None:
        timestamp = nanoseconds(message.header.stamp)
        row = self.rows.setdefault(timestamp, {})
        row[sensor] = np.array(imu_sample(message))
        if len(row) < len(self.bundle.rig.sensors):
            return
        # Older rows stay incomplete: they lost a message.
        self.rows = {other: row for other, row in self.rows.items() if other > timestamp}
        imu = np.stack([row[name] for name in self.bundle.rig.sensor_names])
        self.window.append(self.features.of(imu).copy())
        self.estimate(Time.from_msg(message.header.stamp))

    def estimate(self, newest: Time) -> None:
        with torch.inference_mode():
            mean, log_deviation = self.network(torch.from_numpy(np.stack(self.window))[None])
        activation = np.maximum(mean[0, -1].numpy(), 0.0)
        deviation = np.exp(np.clip(log_deviation[0, -1].numpy(), *LOG_DEVIATION_RANGE))
        if self.bundle.deviation_scale:
            deviation = self.bundle.deviation_scale.apply(activation, deviation)
        message = MuscleActivation()
        message.header.stamp = (newest - self.delay).to_msg()
        message.header.frame_id = self.bundle.rig.name
        message.muscle_names = self.bundle.rig.muscle_names
        message.activation = activation.tolist()
        message.activation_std = deviation.tolist()
        warm = len(self.window) == self.window.maxlen
        message.status = MuscleActivation.OK if warm else MuscleActivation.WARMING_UP
        message.age = (self.get_clock().now() - newest).nanoseconds / 1e9
        message.model_id = self.model_id
        self.publisher.publish(message)


def main() -> None:
    rclpy.init()
    executor = MultiThreadedExecutor()
    executor.add_node(BaselineNode())
    with suppress(KeyboardInterrupt, ExternalShutdownException):
        executor.spin()


if __name__ == "__main__":
    main()
