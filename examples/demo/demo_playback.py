"""The demo's three acts: play a part, calibrate while another part is played, play the first part again.

Everything runs as in a lab: the node and the player have their own processes, and this one only subscribes to topics
and calls the calibrate service.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import rclpy
from imu_emg_estimator.msg import Emg, MuscleActivation
from imu_emg_estimator.srv import Calibrate
from rclpy.node import Node

from examples.demo.demo_report import CalibrationAnswer, DemoRun, PlayedEstimates
from examples.demo.demo_screen import Screen, say
from imu_emg_estimator.bags import EMG_TOPIC, write_bag
from imu_emg_estimator.calibration.calibration_store import current_calibration
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.signals.imu_decoder import nanoseconds

SUBJECT = "demo"
GAP_S = 1.0  # between the part to calibrate on and the part that is judged
STARTUP_LIMIT_S = 30.0  # until the node must answer
CALIBRATION_LIMIT_S = 120.0
ANSWER_MARGIN_S = 10.0  # beyond that limit, until the demo gives up
FLUSH_TIME_S = 1.0  # in which the last messages arrive
SPIN_PERIOD_S = 0.02
EXIT_LIMIT_S = 10.0  # of the node's process
QUEUE_DEPTH = 1000  # messages
NODE = (sys.executable, "-m", "imu_emg_estimator.ros.node")
PLAYER = (sys.executable, "-m", "imu_emg_estimator", "replay")
MIN_ESTIMATES = 2  # of a part, to have a rate


class DemoFailed(Exception):
    """The demo cannot go on; the text says in one sentence what happened, and what to look at."""


class Listener(PlayedEstimates):
    """Collects the estimates of a part from messages.

    Attributes:
        stale: number of messages without an estimate.
    """

    stale = 0

    def on_activation(self, message: MuscleActivation) -> None:
        """Store an estimate, unless it is STALE."""
        if message.status == MuscleActivation.STALE:
            self.stale += 1
        else:
            timestamp = nanoseconds(message.header.stamp)
            self.add(time.monotonic(), timestamp, list(message.activation), message.age)

    def on_emg(self, message: Emg) -> None:
        """Store the timestamp of the first EMG message, the beginning of the part."""
        if self.first_emg is None:
            self.first_emg = nanoseconds(message.header.stamp)


class DemoPlayback:
    """Plays the parts of a recording into a running node and collects its estimates.

    Args:
        node: of this process.
        estimator: process of the estimator node.
        bundle: that the estimator node was started with.
        folder: for the bags and the node's calibrations.
        calibration_s, played_s: durations of the part to calibrate on and of the part that is judged.
    """

    def __init__(
        self,
        node: Node,
        estimator: subprocess.Popen[bytes],
        recording: Recording,
        bundle: Bundle,
        folder: Path,
        calibration_s: float,
        played_s: float,
    ) -> None:
        self._node, self._recording, self._bundle, self._folder = node, recording, bundle, folder
        self._estimator = estimator
        self._listener = Listener()
        node.create_subscription(
            MuscleActivation, "muscle_activation", lambda message: self._listener.on_activation(message), QUEUE_DEPTH
        )
        node.create_subscription(Emg, EMG_TOPIC, lambda message: self._listener.on_emg(message), QUEUE_DEPTH)
        self._calibrate = node.create_client(Calibrate, "calibrate")
        rate = recording.rig.rate
        end = round(calibration_s * rate)
        begin = end + round(GAP_S * rate)
        self._first_part = recording.slice(0, end)
        self._judged_part = recording.slice(begin, min(len(recording), begin + round(played_s * rate)))

    def run(self) -> DemoRun:
        """Run all three acts; raises DemoFailed."""
        first_bag, judged_bag = self._folder / "first_part", self._folder / "judged_part"
        write_bag(self._first_part, first_bag)
        write_bag(self._judged_part, judged_bag)
        self._await_node()
        say(f"1/3  {self._judged_part.duration:.0f} s of {self._recording.name}, model without calibration")
        before = self._play(judged_bag, self._bundle)
        say(f"2/3  /calibrate on the first {self._first_part.duration:.0f} s, while estimates go on")
        during, answer = self._play_and_calibrate(first_bag)
        model = "with the calibrated model" if answer.success else "NOT CALIBRATED, with the same model"
        say(f"3/3  the same part as in 1/3 again, {model}")
        running = self._running_bundle()
        after = self._play(judged_bag, running)
        return DemoRun(self._recording, self._judged_part, self._bundle, running, before, during, after, answer)

    def _running_bundle(self) -> Bundle:
        calibrated, _ = current_calibration(calibrations_folder(self._folder), SUBJECT, self._bundle)
        return calibrated or self._bundle

    def _await_node(self) -> None:
        deadline = time.monotonic() + STARTUP_LIMIT_S
        while not self._calibrate.service_is_ready():
            self._spin()
            if time.monotonic() > deadline:
                raise DemoFailed(f"the node did not start within {STARTUP_LIMIT_S:.0f} s; see its messages above")

    def _play(self, bag: Path, running: Bundle) -> PlayedEstimates:
        played = self._listener = Listener()
        screen = Screen(self._judged_part, running)
        with _player(bag) as process:
            while process.poll() is None:
                self._spin()
                screen.show(played)
            _check_player(process, bag)
        self._finish(played, bag)
        return played

    def _play_and_calibrate(self, bag: Path) -> tuple[PlayedEstimates, CalibrationAnswer]:
        played = self._listener = Listener()
        screen = Screen(self._first_part, self._bundle)
        with _player(bag) as process:
            while not played.arrivals and process.poll() is None:
                self._spin()
            _check_player(process, bag)
            answer = self._calibrate.call_async(self._request(bag))
            deadline = time.monotonic() + CALIBRATION_LIMIT_S + ANSWER_MARGIN_S
            while not answer.done() and time.monotonic() < deadline:
                self._spin()
                screen.show(played)
            self._stop(process)
        if not answer.done():
            raise DemoFailed(
                f"/calibrate gave no answer within {CALIBRATION_LIMIT_S:.0f} s; see the node's messages above"
            )
        self._finish(played, bag)
        response = answer.result()
        say(response.message)
        wall_s = float(response.calibration_wall_s)
        return played, CalibrationAnswer(response.success, response.calibration_id, response.message, wall_s)

    def _request(self, bag: Path) -> Calibrate.Request:
        return Calibrate.Request(bag_uri=str(bag), subject_id=SUBJECT, max_duration=CALIBRATION_LIMIT_S)

    def _spin(self) -> None:
        if self._estimator.poll() is not None:
            raise DemoFailed(f"the node ended with status {self._estimator.returncode}; see its messages above")
        rclpy.spin_once(self._node, timeout_sec=SPIN_PERIOD_S)

    def _stop(self, process: subprocess.Popen[bytes]) -> None:
        """End the player while receiving messages: waiting ones would look like a gap of the node."""
        process.terminate()
        while process.poll() is None:
            self._spin()

    def _finish(self, played: Listener, bag: Path) -> None:
        """Receive the last messages of a part."""
        deadline = time.monotonic() + FLUSH_TIME_S
        while time.monotonic() < deadline:
            self._spin()
        if len(played.arrivals) < MIN_ESTIMATES:
            raise DemoFailed(
                f"the node gave {len(played.arrivals)} estimates and {played.stale} messages that are STALE while "
                f"{bag.name} was played; see its messages above"
            )


def calibrations_folder(folder: Path) -> Path:
    """Return the folder where the demo's node stores calibrations."""
    return folder / "calibrations"


@contextmanager
def estimator_process(bundle: Path, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the estimator node in its own process."""
    command = [*NODE, "--ros-args"]
    command += ["-p", f"bundle:={bundle}", "-p", f"calibration_directory:={calibrations_folder(folder)}"]
    process = subprocess.Popen(command)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=EXIT_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()


@contextmanager
def _player(bag: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Play a bag in its own process, with current timestamps."""
    with player_log(bag).open("wb") as log:
        process = subprocess.Popen([*PLAYER, str(bag), "--restamp", "--wait", "10"], stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def player_log(bag: Path) -> Path:
    """Return the file of what the player says."""
    return bag.with_name(f"{bag.name}.log")


def _check_player(process: subprocess.Popen[bytes], bag: Path) -> None:
    """Raise DemoFailed where the player has ended and not said that all went well."""
    if process.poll():
        lines = player_log(bag).read_text(errors="replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "it said nothing")
        raise DemoFailed(f"the player of {bag.name} ended with status {process.returncode}: {last.strip()}")
