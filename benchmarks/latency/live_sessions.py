"""Sessions: a node under test, a load and a listener, each in its own process.

This module starts and stops the three and reads their files; it does not import ROS.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.latency.measured_processes import NONE, Child, Limits, machine_time
from benchmarks.latency.session_record import TAIL_S, SessionRecord
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.utils.progress import CountProgress

OURS, BASELINE = "ours", "baseline"
SILENT = ("typed", "raw", "wait_set")
EMPTY = (*SILENT, "echo")  # cost of the middleware, see ``ros_processes.empty_node``
BENCH = "benchmarks.latency.ros_processes"
MAX_STARTUP_S = 60.0  # until the first estimate
MAX_CALIBRATION_S = 180.0  # s
AFTER_ANSWER_S = 1.0  # s of the time in which calibrate counts as running, for the change to the new model
MINUTE = "minute "  # of ``ros_processes.imu_load``

# Of the load and the listener, who are there before the node: without it Fast DDS repeats what it missed of a new
# participant only every 3 s, and the start of any node, whatever it does, takes these 3 s more or less by chance.
ANNOUNCING = """<?xml version="1.0" encoding="UTF-8"?>
<profiles xmlns="http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles">
  <participant profile_name="bench" is_default_profile="true">
    <rtps><builtin><discovery_config>
      <leaseAnnouncement><sec>0</sec><nanosec>100000000</nanosec></leaseAnnouncement>
    </discovery_config></builtin></rtps>
  </participant>
</profiles>
"""
PROFILES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")  # by age of Fast DDS


@dataclass(frozen=True)
class Load:
    """Load that is published to a node.

    Attributes:
        bundle: of the node.
        motion: .npy of rows [rows, sensors, 6], published repeatedly.
        rate: of the rows [Hz].
    """

    bundle: Path
    motion: Path
    rate: float


@dataclass(frozen=True)
class Means:
    """Shared resources of the sessions.

    Attributes:
        folder: for the files of their processes.
        limits: of the nodes under test.
        settle: time from the first estimate to the measurement [s].
        engine: of our node; empty = its default.
        progress: called with (elapsed seconds, total seconds).
    """

    folder: Path
    limits: Limits = NONE
    settle: float = 3.0
    engine: str = ""
    progress: CountProgress | None = None


def helper(means: Means, name: str, *options: str) -> Child:
    """Start one of the benchmark's own processes on the remaining cores, set up for fast discovery."""
    profile = means.folder / "announcing.xml"
    profile.write_text(ANNOUNCING, encoding="utf-8")
    environment = dict.fromkeys(PROFILES, str(profile)) if not any(key in os.environ for key in PROFILES) else {}
    log = means.folder / f"{name}.log"
    return Child(module(name, *options), log, means.limits.rest(), environment=environment)


class Session:
    """A running node between its load and its listener.

    Attributes:
        node: the process under test.
        first: the instant [ns] of its first estimate; of an empty node, when it had a message of every sensor.
    """

    def __init__(
        self, stack: ExitStack, means: Means, load: Load, candidate: str, parameters: Mapping[str, Any]
    ) -> None:
        self.means = means
        self._load = load
        self._candidate = candidate
        self._bundle = Bundle.load(load.bundle)
        self.topics = [f"imu/{name}" for name in self._bundle.rig.sensor_names]
        self._files = {name: means.folder / f"{name}.npz" for name in ("load", "listener", "node")}
        for file in self._files.values():
            file.unlink(missing_ok=True)
        self.listener = stack.enter_context(helper(means, "estimate_listener", f"--out={self._files['listener']}"))
        self.load = stack.enter_context(helper(means, "imu_load", *self._load_options()))
        for child in (self.listener, self.load):
            child.wait_for("ready", MAX_STARTUP_S)
        self.node = stack.enter_context(
            Child(self._node_command(parameters), means.folder / f"{candidate}.log", means.limits)
        )
        speaker = self.node if self._candidate in SILENT else self.listener
        self._wait_for_first(speaker)
        time.sleep(means.settle)

    def _load_options(self) -> list[str]:
        options = [f"--topics={','.join(self.topics)}", f"--motion={self._load.motion}"]
        return [*options, f"--rate={self._load.rate}", f"--out={self._files['load']}"]

    def _node_command(self, parameters: Mapping[str, Any]) -> list[str]:
        if self._candidate in EMPTY:
            delay = round(self._bundle.config.look_ahead * SECOND / self._bundle.rig.rate)
            options = [f"--mode={self._candidate}", f"--topics={','.join(self.topics)}", f"--delay={delay}"]
            options += [f"--muscles={','.join(self._bundle.rig.muscle_names)}", f"--out={self._files['node']}"]
            return module("empty_node", *options)
        return node_command(self._candidate, self._load.bundle, self.means, parameters)

    def _wait_for_first(self, speaker: Child) -> None:
        deadline = time.monotonic() + MAX_STARTUP_S
        while not speaker.lines("first"):
            self.node.check()
            if time.monotonic() > deadline:
                raise InputError(
                    f"{self._candidate} gave nothing within {MAX_STARTUP_S:.0f} s; see {self.means.folder}"
                )
            time.sleep(0.02)

    def measure(self, seconds: float) -> dict[str, Any]:
        """Measure processor time and memory for so many seconds; ``start`` and ``stop`` are instants [ns]."""
        before = self._processor_times()
        start = time.time_ns()
        self._wait(seconds)
        stop = time.time_ns()
        after = self._processor_times()
        self.node.check()
        node, load, listener, machine = ((b - a) * SECOND / (stop - start) for a, b in zip(before, after, strict=True))
        return {
            "start": start,
            "stop": stop,
            "cpu": node,
            "cpu_load": load,
            "cpu_listener": listener,
            "cpu_others": max(0.0, machine - node - load - listener),
            "memory": self.node.memory(),
        }

    def _processor_times(self) -> list[float]:
        """Return the processor time [s] of node, load, listener and the whole machine."""
        return [*(child.processor_time() for child in (self.node, self.load, self.listener)), machine_time()]

    def _wait(self, seconds: float) -> None:
        began = time.monotonic()
        while (over := time.monotonic() - began) < seconds:
            if self.means.progress and seconds > 2.0:
                self.means.progress(round(over), round(seconds))
            time.sleep(min(1.0, seconds - over))

    def finish(self) -> SessionRecord:
        """End all three; return what was sent and received."""
        self.load.stop()
        time.sleep(TAIL_S)
        self.node.stop()
        self.listener.stop()
        tables = {name: dict(np.load(file)) for name, file in self._files.items() if file.exists()}
        if "load" not in tables or "listener" not in tables:
            raise InputError(f"the load or the listener wrote nothing; see {self.means.folder}")
        return SessionRecord(
            self._bundle, self.node.launched, tables["load"], tables["listener"], tables.get("node", {})
        )


@contextmanager
def session(means: Means, load: Load, candidate: str = OURS, **parameters: Any) -> Iterator[Session]:
    """Start a session of ``ours``, ``baseline`` or one of ``EMPTY``; keywords are parameters of our node."""
    means.folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        yield Session(stack, means, load, candidate, parameters)


def end_to_end(means: Means, load: Load, candidate: str, seconds: float) -> dict[str, Any]:
    """Measure a node's age of estimates, processor time, memory and start."""
    with session(means, load, candidate) as running:
        measured = running.measure(seconds)
        record = running.finish()
    start, stop = measured.pop("start"), measured.pop("stop")
    figures = {**measured, "load": record.load_kept(start, stop)}
    if candidate in EMPTY:
        figures["received"] = record.received(start, stop)
    if candidate in SILENT:
        return figures
    return {**figures, **record.estimates(start, stop), "start": record.starts()}


def losses(means: Means, load: Load, candidate: str, seconds: float) -> dict[str, Any]:
    """Count the messages lost between the load and the listener.

    An Imu message that is lost shows as a sensor that is masked for one instant: our node is set to interpolate
    between no two samples that are further apart than one and a half periods.
    """
    with session(means, load, candidate, largest_gap=1.5 / load.rate) as running:
        measured = running.measure(seconds)
        record = running.finish()
    start, stop = measured.pop("start"), measured.pop("stop")
    figures = {**measured, "load": record.load_kept(start, stop)}
    if candidate in EMPTY:
        return {**figures, "received": record.received(start, stop)}
    estimates = record.estimates(start, stop)
    imu = record.masked(start, stop)
    return {
        **figures,
        **estimates,
        "seconds": seconds,
        "imu_messages": estimates["due"] * len(record.bundle.rig.sensors),
        "imu_messages_lost": imu,
        "estimates_lost": estimates["missed"],
        "messages_lost": imu + estimates["missed"],
    }


def calibrating(means: Means, load: Load, bag: Path, subject: str, quiet: bool, burners: int = 0) -> dict[str, Any]:
    """Measure estimates during a calibration and, if wanted, for the same time without one.

    Args:
        burners: processes of normal priority that keep processors busy from before the call to its answer.

    Returns:
        ``refusal_s``: until a bag that does not exist was refused, before the calibration.
        ``wall_s``: from the call to the first estimate with the new model; None where the old one was kept.
        ``largest_gap`` and ``missed`` of ``calibrating`` and ``quiet``, ``ratio`` of the gaps, and ``over_time``.

    Raises:
        InputError: the call failed before the model was judged, so that there is nothing to time.
    """
    places: dict[str, Any] = {
        "calibration_directory": means.folder / "calibrations",
        "bag_directories": [str(bag.parent)],
    }
    with session(means, load, **places) as running, ExitStack() as stack:
        caller = stack.enter_context(helper(means, "calibrate_caller", f"--bag={bag}", f"--subject={subject}"))
        caller.wait_for("ready", MAX_STARTUP_S)
        with ExitStack() as busy:
            for number in range(burners):
                log = means.folder / f"burner{number}.log"
                busy.enter_context(Child([sys.executable, "-c", "while True: pass"], log, means.limits))
            time.sleep(means.settle)
            caller.write_line("go")
            report = json.loads(caller.wait_for("report ", MAX_CALIBRATION_S))
        if not report["judged"]:
            raise InputError(f"/calibrate did not come to a judgement on {bag}: {report['message']}")
        time.sleep(AFTER_ANSWER_S)
        end = time.time_ns()
        if quiet:
            time.sleep((end - report["called"]) / SECOND + TAIL_S)
        record = running.finish()
    first = record.first_of_new_calibration()
    figures = {
        "success": report["success"],
        "message": report["message"],
        "refusal_s": report["refusal_s"],
        "answer_s": (report["answered"] - report["called"]) / SECOND,
        "wall_s": (first - report["called"]) / SECOND if first is not None else None,
        "calibrating": record.estimates(report["called"], end),
        "load": record.load_kept(report["called"], end),
    }
    if quiet:
        figures["quiet"] = record.estimates(end, 2 * end - report["called"])
        figures["ratio"] = figures["calibrating"]["largest_gap"] / figures["quiet"]["largest_gap"]
        figures["over_time"] = record.gaps_over_time(report["called"], 2 * end - report["called"])
        figures["over_time"]["calibrated_until"] = (end - report["called"]) / SECOND
    return figures


def replay_minutes(means: Means, load: Load, minutes: int) -> dict[str, Any]:
    """Measure our node's memory [MB] after every minute of data, replayed as fast as it can follow."""
    means.folder.mkdir(parents=True, exist_ok=True)
    bundle = Bundle.load(load.bundle)
    topics = ",".join(f"imu/{name}" for name in bundle.rig.sensor_names)
    options = [f"--topics={topics}", f"--motion={load.motion}", f"--rate={load.rate}", f"--hurry={minutes}"]
    began = time.monotonic()
    levels: dict[str, dict[str, float | None]] = {}
    # The timestamps run ahead of the clock, which must not count as a fault here.
    command = node_command(OURS, load.bundle, means, {"stale_after": 1.0e6})
    out = means.folder / "load.npz"
    with (
        Child(command, means.folder / "ours.log", means.limits) as node,
        helper(means, "imu_load", *options, f"--out={out}") as player,
    ):
        while len(levels) < minutes:
            node.check()
            if player.process.poll() is not None and len(player.lines(MINUTE)) < minutes:
                player.check()
            for minute in player.lines(MINUTE):
                levels.setdefault(minute, node.memory())
            if means.progress:
                means.progress(len(levels), minutes)
            time.sleep(0.05)
    return {
        "minutes": minutes,
        "took_s": time.monotonic() - began,
        "rss": {minute: level["rss"] for minute, level in levels.items()},
        "pss": {minute: level["pss"] for minute, level in levels.items()},
    }


def node_command(candidate: str, bundle: Path, means: Means, parameters: Mapping[str, Any]) -> list[str]:
    """Return the command that starts our node, as a user does, or the baseline."""
    if candidate == BASELINE:
        return [sys.executable, str(baseline_node()), "--ros-args", "-p", f"bundle:={bundle}"]
    values = {"bundle": bundle, "calibration_directory": means.folder / "calibrations", **parameters}
    if means.engine:
        values["engine"] = means.engine
    options = [part for name, value in values.items() for part in ("-p", f"{name}:={value}")]
    return [sys.executable, "-m", "imu_emg_estimator.ros.node", "--ros-args", *options]


def baseline_node() -> Path:
    """Return the path of the baseline node; raise InputError outside a checkout."""
    path = Path(__file__).with_name("baseline_node.py")
    if not path.is_file():
        raise InputError(f"{path} is missing; the benchmark needs a checkout of the package")
    return path


def module(name: str, *options: str) -> list[str]:
    """Return the command of one of the benchmark's own ROS processes."""
    return [sys.executable, "-m", f"{BENCH}.{name}", *options]
