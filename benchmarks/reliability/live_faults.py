"""Faults with a node of its own, real clocks and a real middleware: time from a fault to the status that says so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import rclpy
import yaml
from imu_emg_estimator.msg import Emg, MuscleActivation
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Imu

from benchmarks.reliability.reliability_jobs import Job
from benchmarks.run_folder import RunFolder
from imu_emg_estimator.bags import EMG_TOPIC, imu_topic, write_bag
from imu_emg_estimator.datasets.movement_statistics import shipped_statistics
from imu_emg_estimator.datasets.simulated_subject import simulate
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.streaming.activation_status import DEGRADED, OK

SECONDS, START_S, DURATION_S = 20.0, 8.0, 5.0
PATIENCE_S = 120.0
LATE_S = 1.0  # after which nothing of the bag is on its way any more
DOMAIN = "94"  # of ROS, unless one is set: keeps other ROS traffic away
ONE, BOTH = (1,), (1, 4)
FAULTS: dict[str, tuple[str, Sequence[int] | None, float | None]] = {
    "nothing arrives": ("silent", None, None),
    "one sensor is silent": ("silent", ONE, None),
    "one sensor is frozen": ("frozen", ONE, None),
    "all sensors are frozen": ("frozen", None, None),
    "one sensor is in g": ("in_g", ONE, None),
    "one input has two publishers": ("two_publishers", ONE, None),
    "all messages are delayed by 0.4 s": ("delayed", None, 0.4),
    "two sensors are exchanged": ("exchanged", BOTH, None),
}


def live_jobs(seed: int) -> list[Job]:
    """List the jobs."""
    return [Job("live", name, "simulated", seed) for name in FAULTS]


def run_live_jobs(folder: RunFolder, jobs: Sequence[Job], bundle: Path) -> None:
    """Run the jobs that the folder lacks, one after the other, and store their outcomes."""
    os.environ.setdefault("ROS_DOMAIN_ID", DOMAIN)
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    for job in jobs:
        if not folder.holds(job):
            start = time.monotonic()
            with tempfile.TemporaryDirectory() as place:
                outcome = _run(job, Path(place), bundle)
            folder.write(job, time.monotonic() - start, outcome)


def _run(job: Job, folder: Path, bundle: Path) -> dict[str, Any]:
    recording = simulate(shipped_statistics(), SECONDS, job.seed, (("walking", SECONDS),))
    write_bag(recording, folder / "walk")
    kind, sensors, magnitude = FAULTS[job.name]
    chosen = tuple(range(len(recording.rig.sensors))) if sensors is None else tuple(sensors)
    fault: dict[str, Any] = {"kind": kind, "start": START_S, "duration": DURATION_S}
    fault["sensors"] = [recording.rig.sensor_names[sensor] for sensor in chosen]
    if magnitude is not None:
        fault["magnitude"] = magnitude
    (folder / "faults.yaml").write_text(yaml.safe_dump([fault]), encoding="utf-8")
    node = ["-m", "imu_emg_estimator.ros.node", "--ros-args", "-p", f"bundle:={bundle.absolute()}"]
    player = ["-m", "imu_emg_estimator", "replay", str(folder / "walk"), "--restamp"]
    player += ["--wait", f"{PATIENCE_S:g}", "--faults", str(folder / "faults.yaml")]
    with _Onlooker(recording.rig) as onlooker, _process(node, folder / "node.log"):
        onlooker.spin_until(lambda: onlooker.messages, PATIENCE_S, "the node publishes nothing")
        with _process(player, folder / "player.log") as playing:
            onlooker.spin_until(lambda: playing.poll() is not None, PATIENCE_S + SECONDS, "the replay does not end")
        onlooker.spin_for(LATE_S)
    return onlooker.judge({recording.rig.sensor_names[sensor] for sensor in chosen})


class _Onlooker:
    """A node of this process that notes when messages arrive.

    Attributes:
        messages: instant of arrival [s], status and named sensors of each output.
        first: instant at which the first Imu message arrived [s]; None before.
    """

    def __init__(self, rig: Rig) -> None:
        self._context = Context()
        rclpy.init(context=self._context)
        self._node = rclpy.create_node("onlooker", context=self._context)
        self.messages: list[tuple[float, int, frozenset[str]]] = []
        self.first: float | None = None
        self._node.create_subscription(MuscleActivation, "muscle_activation", self._note, 100)
        for name in rig.sensor_names:
            self._node.create_subscription(Imu, imu_topic(name), self._begin, qos_profile_sensor_data, raw=True)
        # The replay waits until every topic of the bag has a subscriber.
        self._node.create_subscription(Emg, EMG_TOPIC, lambda _: None, qos_profile_sensor_data, raw=True)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)

    def __enter__(self) -> _Onlooker:
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown()
        self._node.destroy_node()  # type: ignore[no-untyped-call]
        rclpy.shutdown(context=self._context)

    def _note(self, message: MuscleActivation) -> None:
        self.messages.append((time.time_ns() / SECOND, message.status, frozenset(message.missing_sensors)))

    def _begin(self, _: bytes) -> None:
        self.first = self.first or time.time_ns() / SECOND

    def spin_until(self, condition: Any, seconds: float, trouble: str) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise InputError(f"{trouble}; see whether the package is built and the computer idle")
            self._executor.spin_once(timeout_sec=0.02)

    def spin_for(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._executor.spin_once(timeout_sec=0.02)

    def judge(self, struck: set[str]) -> dict[str, float | None]:
        """Return when the fault was first said, when last not, and when all was OK after it [s]."""
        if self.first is None:
            raise InputError("no Imu message arrived; see whether another process uses this ROS domain")
        begin = self.first + START_S
        end = begin + DURATION_S
        unnamed = [
            at for at, status, named in self.messages if begin < at <= end and _is_unnamed(status, named, struck)
        ]
        said = [
            at for at, status, named in self.messages if begin < at <= end and not _is_unnamed(status, named, struck)
        ]
        good = [at for at, status, _ in self.messages if at > end and status == OK]
        return {
            "said_first": said[0] - begin if said else None,
            "last_unsaid": unnamed[-1] - begin if unnamed else 0.0,
            "recovery": good[0] - end if good else None,
        }


def _is_unnamed(status: int, named: frozenset[str], struck: set[str]) -> bool:
    return status == OK or (status == DEGRADED and not struck <= named)


@contextmanager
def _process(options: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as file, subprocess.Popen([sys.executable, *options], stdout=file, stderr=file) as started:
        try:
            yield started
        finally:
            started.send_signal(signal.SIGINT)
            try:
                started.wait(10)
            except subprocess.TimeoutExpired:
                started.kill()
