"""The demo: a subject's recording is played into the node, before and after a calibration.

Everything runs as it would in a lab: the node and the player are processes of their own, and this one
only listens to topics and calls the calibrate service.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.utilities import try_shutdown

from imu_emg_estimator.bags import EMG_TOPIC, write_bag
from imu_emg_estimator.calibration.calibration import mean
from imu_emg_estimator.calibration.calibration_store import current_calibration
from imu_emg_estimator.datasets import hugadb, stride_statistics
from imu_emg_estimator.datasets import simulated_subject as simulator
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.msg import Emg, MuscleActivation
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.signals.accuracy_metrics import Scores, score
from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.imu_decoder import nanoseconds
from imu_emg_estimator.srv import Calibrate
from imu_emg_estimator.training.envelope_pictures import draw_before_and_after
from imu_emg_estimator.utils.atomic_files import write_atomically
from imu_emg_estimator.utils.shipped_files import resource_file, shipped_bundle

DEMO_BUNDLE = "hugadb_without_2_8_17.safetensors"  # not trained on the subjects of its name
SUBJECT = "demo"
CALIBRATION_SECONDS = 60.0
PLAYED_SECONDS = 40.0
LOCOMOTION_SHARE = 0.75  # of a recording that is worth playing
STARTUP = 30.0  # s until the node must answer
CALIBRATION_LIMIT = 120.0  # s
FLUSH = 1.0  # s in which the last messages arrive
REFRESH = 0.1  # s between two frames on a terminal, twenty times that elsewhere
BAR = 24  # characters of an activation of 1.5 or more
SHOWN = ("r", "r2")  # figures of the report


@dataclass
class Listener:
    """What arrived while a part was played: estimates with their arrival, and where the part began."""

    arrivals: list[float] = field(default_factory=list)
    messages: list[MuscleActivation] = field(default_factory=list)
    first_emg: int | None = None

    def on_activation(self, message: MuscleActivation) -> None:
        if message.status != MuscleActivation.STALE:
            self.arrivals.append(time.monotonic())
            self.messages.append(message)

    def on_emg(self, message: Emg) -> None:
        if self.first_emg is None:
            self.first_emg = nanoseconds(message.header.stamp)

    def rows(self, rate: float) -> NDArray[np.int64]:
        """Sample of the played recording that each estimate is for."""
        timestamps = np.array([nanoseconds(message.header.stamp) for message in self.messages], dtype=np.int64)
        return np.round((timestamps - (self.first_emg or 0)) * rate / SECOND).astype(np.int64)

    def estimates(self, samples: int, muscles: int, rate: float) -> NDArray[np.float64]:
        """Activation [samples, muscles] of the played recording; NaN where no estimate came."""
        result = np.full((samples, muscles), np.nan)
        for row, message in zip(self.rows(rate), self.messages, strict=True):
            if 0 <= row < samples:
                result[row] = message.activation
        return result

    def envelopes(self, part: Recording, running: Bundle) -> NDArray[np.float64]:
        """The same in the unit of the EMG: activation is a fraction of the running model's reference."""
        return self.estimates(len(part), len(part.rig.muscles), part.rig.rate) * running.reference.amplitude


class Demo:
    """Plays a recording's parts into a running node and compares what comes out."""

    def __init__(
        self, node: Node, recording: Recording, bundle: Bundle, folder: Path, out: Path, played: float
    ) -> None:
        self._node = node
        self._recording = recording
        self._bundle = bundle
        self._folder = folder
        self._calibrations = calibrations_of(folder)
        self._out = out
        self._listener = Listener()
        node.create_subscription(
            MuscleActivation, "muscle_activation", lambda message: self._listener.on_activation(message), 1000
        )
        node.create_subscription(Emg, EMG_TOPIC, lambda message: self._listener.on_emg(message), 1000)
        self._calibrate = node.create_client(Calibrate, "calibrate")
        rate = recording.rig.rate
        cut = round(CALIBRATION_SECONDS * rate)
        gap = round(1.0 * rate)
        self.first_part = recording.slice(0, cut)
        self.rest = recording.slice(cut + gap, min(len(recording), cut + gap + round(played * rate)))

    def run(self) -> dict[str, Any]:
        """All three acts; returns the report."""
        first_bag, rest_bag = self._folder / "first_part", self._folder / "rest"
        write_bag(self.first_part, first_bag)
        write_bag(self.rest, rest_bag)
        if not self._calibrate.wait_for_service(timeout_sec=STARTUP):
            raise InputError(f"the node did not start within {STARTUP:.0f} s; see its messages above")
        say(f"1/3  {self.rest.duration:.0f} s of {self._recording.name}, model without calibration")
        before = self._play(rest_bag, self.rest, self._bundle)
        say(f"2/3  /calibrate on the first {self.first_part.duration:.0f} s, while estimates go on")
        during, response = self._play_and_calibrate(first_bag)
        with_what = "with the calibrated model" if response.success else "NOT CALIBRATED, with the same model"
        say(f"3/3  the same part as in 1/3 again, {with_what}")
        calibrated, _ = current_calibration(self._calibrations, SUBJECT, self._bundle)
        running = calibrated or self._bundle
        after = self._play(rest_bag, self.rest, running)
        return self._report(before, during, after, running, response)

    def _play(self, bag: Path, part: Recording, running: Bundle) -> Listener:
        listener = self._listener = Listener()
        screen = Screen(part, running)
        with player(bag) as process:
            while process.poll() is None:
                rclpy.spin_once(self._node, timeout_sec=0.02)
                screen.show(listener)
        self._flush()
        screen.close()
        return listener

    def _play_and_calibrate(self, bag: Path) -> tuple[Listener, Calibrate.Response]:
        listener = self._listener = Listener()
        screen = Screen(self.first_part, self._bundle)
        with player(bag) as process:
            while not listener.messages and process.poll() is None:
                rclpy.spin_once(self._node, timeout_sec=0.02)
            answer = self._calibrate.call_async(Calibrate.Request(bag_uri=str(bag), subject_id=SUBJECT))
            deadline = time.monotonic() + CALIBRATION_LIMIT
            while not answer.done() and time.monotonic() < deadline:
                rclpy.spin_once(self._node, timeout_sec=0.02)
                screen.show(listener)
            self._stop(process)
        screen.close()
        if not answer.done():
            raise InputError(
                f"/calibrate gave no answer within {CALIBRATION_LIMIT:.0f} s; see the node's messages above"
            )
        self._flush()
        response = answer.result()
        say(response.message)
        return listener, response

    def _stop(self, process: subprocess.Popen[bytes]) -> None:
        """End the player, and listen on: what waits while nobody listens would look like a gap of the node."""
        process.terminate()
        while process.poll() is None:
            rclpy.spin_once(self._node, timeout_sec=0.02)

    def _flush(self) -> None:
        deadline = time.monotonic() + FLUSH
        while time.monotonic() < deadline:
            rclpy.spin_once(self._node, timeout_sec=0.05)

    def _report(
        self,
        before: Listener,
        during: Listener,
        after: Listener,
        running: Bundle,
        response: Calibrate.Response,
    ) -> dict[str, Any]:
        rate, muscles = self._recording.rig.rate, self._recording.rig.muscle_names
        old, new = before.envelopes(self.rest, self._bundle), after.envelopes(self.rest, running)
        scores = {when: self._scores(estimated) for when, estimated in (("before", old), ("after", new))}
        ages = np.array([message.age for listener in (before, after) for message in listener.messages])
        expected = 2 * (len(self.rest) - self._bundle.config.look_ahead)
        simulated = self._recording.subject.startswith("simulated")
        title = f"{'SIMULATED subject' if simulated else 'Recorded subject'} {self._recording.name}, live through ROS 2"
        draw_before_and_after(
            self._out / "before_and_after.png",
            title,
            self.rest.time,
            self.rest.envelope,
            old,
            new,
            muscles,
            self.rest.envelope_unit,
        )
        return {
            "source": "simulated" if simulated else "recorded",
            "recording": self._recording.name,
            "model_id": self._bundle.model_id,
            "calibrated": bool(response.success),
            "calibration_id": response.calibration_id,
            "calibration_message": response.message,
            "publish_rate_hz": float(np.mean([arrival_rate(listener) for listener in (before, after)])),
            "age_s": {"p50": float(np.percentile(ages, 50)), "p99": float(np.percentile(ages, 99))},
            "messages_lost": expected - len(set(before.rows(rate))) - len(set(after.rows(rate))),
            **{f"{name}_{when}": mean(by_muscle, name) for when, by_muscle in scores.items() for name in SHOWN},
            **{
                f"{name}_by_muscle": {
                    when: {muscle: getattr(entry, name) for muscle, entry in by_muscle.items()}
                    for when, by_muscle in scores.items()
                }
                for name in SHOWN
            },
            "calibration_wall_s": float(response.calibration_wall_s),
            "largest_gap_s": {
                "playing": float(max(np.diff(listener.arrivals).max() for listener in (before, after))),
                "calibrating": float(np.diff(during.arrivals).max()),
            },
        }

    def _scores(self, estimated: NDArray[np.floating]) -> dict[str, Scores]:
        """By trusted muscle, of estimated envelopes [samples, muscles] in the unit of the measured."""
        return {
            muscle: score(self.rest.envelope[:, index], estimated[:, index])
            for index, muscle in enumerate(self._recording.rig.muscle_names)
            if self._recording.muscle_weight[index] > 0
        }


class Screen:
    """Estimated and measured activation as bars that move; a line now and then where there is no terminal."""

    def __init__(self, part: Recording, running: Bundle) -> None:
        self._part = part
        self._terminal = sys.stdout.isatty()
        self._interval = REFRESH if self._terminal else 20 * REFRESH
        self._due = 0.0
        self._lines = 0
        self._shown = 0
        # Estimates are fractions of the running model's reference, and so the measured envelope is drawn, too.
        self._scale = np.array(running.reference.amplitude)

    def show(self, listener: Listener) -> None:
        now = time.monotonic()
        if now < self._due or len(listener.messages) == self._shown or listener.first_emg is None:
            return
        self._due, self._shown = now + self._interval, len(listener.messages)
        message = listener.messages[-1]
        row = int(listener.rows(self._part.rig.rate)[-1])
        measured = (
            self._part.envelope[row] / self._scale if 0 <= row < len(self._part) else np.full(len(self._scale), np.nan)
        )
        lines = [
            f"{row / self._part.rig.rate:6.1f} s  {name:<24} estimated {_bar(estimate)}  measured {_bar(truth)}"
            for name, estimate, truth in zip(message.muscle_names, message.activation, measured, strict=True)
        ]
        if self._terminal:
            if self._lines:
                print(f"\033[{self._lines}A", end="")
            self._lines = len(lines)
        print("\n".join(lines), flush=True)

    def close(self) -> None:
        self._lines = 0


def _bar(value: float) -> str:
    filled = 0 if not np.isfinite(value) else int(np.clip(round(BAR * value / 1.5), 0, BAR))
    return f"{value:5.2f} {'█' * filled}{'·' * (BAR - filled)}"


def say(text: str) -> None:
    """A line of the demo itself."""
    print(f"\n── {text}", flush=True)


def arrival_rate(listener: Listener) -> float:
    """Estimates a second [Hz]."""
    return (len(listener.arrivals) - 1) / (listener.arrivals[-1] - listener.arrivals[0])


def calibrations_of(folder: Path) -> Path:
    """Where the demo's node keeps what it was calibrated to."""
    return folder / "calibrations"


@contextmanager
def player(bag: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that plays a bag as if it happened now."""
    command = [sys.executable, "-m", "imu_emg_estimator", "replay", str(bag), "--restamp", "--wait", "10"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


@contextmanager
def estimator_node(bundle: Path, calibrations: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The node as a process of its own."""
    command = [sys.executable, "-m", "imu_emg_estimator.ros.node", "--ros-args"]
    command += ["-p", f"bundle:={bundle}", "-p", f"calibration_directory:={calibrations}"]
    process = subprocess.Popen(command)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=10.0)
        except subprocess.TimeoutExpired:
            process.kill()


def recorded_subject(data: Path, played: float) -> tuple[Recording, Path]:
    """A recording of a subject that the demo's bundle was not trained on: the first with enough locomotion."""
    path = resource_file(DEMO_BUNDLE)
    trained = Bundle.load(path).training["subjects"]
    unseen = [subject for subject in hugadb.subjects(data) if subject not in trained]
    if not unseen:
        raise InputError(f"{data} has no subject that {path.name} was not trained on; it needs subject 2 or 17")
    needed = CALIBRATION_SECONDS + played
    for recording in hugadb.load(data, unseen):
        mostly_moving = recording.is_locomotion().mean() > LOCOMOTION_SHARE
        if recording.duration > needed and mostly_moving and recording.muscle_weight.all():
            return recording, path
    raise InputError(f"no subject of {', '.join(unseen)} in {data} has {needed:.0f} s of locomotion in one recording")


def simulated_subject(seed: int, played: float) -> tuple[Recording, Path]:
    """A simulated subject, for the shipped bundle."""
    seconds = CALIBRATION_SECONDS + played + 2.0
    return simulator.simulate(stride_statistics.shipped_statistics(), seconds, seed), shipped_bundle()


def table(report: dict[str, Any]) -> str:
    """The report for people."""
    rows = [
        ("source", report["source"].upper() if report["source"] == "simulated" else report["source"]),
        ("recording", report["recording"]),
        ("publish rate", f"{report['publish_rate_hz']:.1f} Hz"),
        ("age p50, p99", f"{1000 * report['age_s']['p50']:.1f} ms, {1000 * report['age_s']['p99']:.1f} ms"),
        ("messages lost", str(report["messages_lost"])),
        ("largest gap, playing", f"{1000 * report['largest_gap_s']['playing']:.0f} ms"),
        ("largest gap, calibrating", f"{1000 * report['largest_gap_s']['calibrating']:.0f} ms"),
        ("calibration", f"{report['calibration_wall_s']:.1f} s from call to {_outcome(report)}"),
        ("r before, after", f"{report['r_before']:.3f}, {report['r_after']:.3f}"),
        ("R² before, after", f"{report['r2_before']:.3f}, {report['r2_after']:.3f}"),
    ]
    return "\n".join(f"  {name:<26}{value}" for name, value in rows)


def _outcome(report: Mapping[str, Any]) -> str:
    """What ended the calibration; its message says why."""
    return "calibrated estimates" if report["calibrated"] else "its end, NOT CALIBRATED: the old model was kept"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; exit status 2 and one line on bad input."""
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--data", type=Path, help="HuGaDB folder: play a real subject; else a simulated one")
    parser.add_argument("--seed", type=int, default=0, help="which simulated subject")
    parser.add_argument("--seconds", type=float, default=PLAYED_SECONDS, help="length of the part that is judged [s]")
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder for the report and the picture")
    arguments = parser.parse_args(argv)
    if not 10.0 <= arguments.seconds <= 600.0 or arguments.seed < 0:
        parser.error("--seconds takes 10 to 600, --seed a number that is not negative")
    # Apart from any other ROS traffic on this machine or network, unless told otherwise.
    os.environ.setdefault("ROS_DOMAIN_ID", "87")
    try:
        recording, bundle_path = (
            recorded_subject(arguments.data, arguments.seconds)
            if arguments.data
            else simulated_subject(arguments.seed, arguments.seconds)
        )
        report = _run(recording, bundle_path, arguments.out, arguments.seconds)
    except InputError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    print(f"\n{table(report)}\n\nwrote {arguments.out / 'report.json'} and {arguments.out / 'before_and_after.png'}")
    return 0


def _run(recording: Recording, bundle_path: Path, out: Path, played: float) -> dict[str, Any]:
    kind = "SIMULATED subject" if recording.subject.startswith("simulated") else "recorded subject, unseen in training"
    say(f"{kind}: {recording.name}; model {bundle_path.name}")
    folder = Path(tempfile.mkdtemp(prefix="imu_emg_demo_"))
    rclpy.init()
    node = Node("imu_emg_demo")
    try:
        with estimator_node(bundle_path, calibrations_of(folder)):
            report = Demo(node, recording, Bundle.load(bundle_path), folder, out, played).run()
    finally:
        node.destroy_node()
        try_shutdown()
        shutil.rmtree(folder, ignore_errors=True)
    write_atomically(out / "report.json", (json.dumps(report, indent=2) + "\n").encode())
    return report


if __name__ == "__main__":
    sys.exit(main())
