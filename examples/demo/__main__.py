"""The demo: play a subject's recording into the node, before and after a calibration, and report the accuracy."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import rclpy
from rclpy.node import Node
from rclpy.utilities import try_shutdown

from examples.demo.demo_playback import DemoFailed, DemoPlayback, estimator_process
from examples.demo.demo_report import DemoRun, make_report, report_table
from examples.demo.demo_screen import say
from imu_emg_estimator.datasets import hugadb, movement_statistics, simulated_subject
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.training.envelope_pictures import draw_before_and_after
from imu_emg_estimator.utils.atomic_files import write_atomically
from imu_emg_estimator.utils.shipped_files import resource_file, shipped_bundle

DEMO_BUNDLE = "hugadb_without_2_8_17.safetensors"  # not trained on these three subjects
DEMO_DOMAIN = "87"  # ROS_DOMAIN_ID, apart from other ROS traffic on this machine or network
DEMO_SEED = 5  # a simulated subject whose r and R² before and after calibration are near the mean of real subjects
CALIBRATION_DURATION_S = 60.0
PLAYED_DURATION_S = 40.0
PLAYED_BOUNDS_S = (10.0, 600.0)
SPARE_DURATION_S = 2.0  # of a simulated recording
MIN_LOCOMOTION_SHARE = 0.75  # of a recording
EXIT_FAILED, EXIT_BAD_INPUT, EXIT_INTERRUPTED = 1, 2, 130


def choose_recorded_subject(data: Path, played_s: float) -> tuple[Recording, Path]:
    """Return the first recording with enough locomotion of a subject that the demo's bundle was not trained on.

    Returns:
        The recording, and the path of the bundle.

    Raises:
        InputError: the folder holds no such recording.
    """
    path = resource_file(DEMO_BUNDLE)
    trained = Bundle.load(path).training["subjects"]
    unseen = [subject for subject in hugadb.subjects(data) if subject not in trained]
    if not unseen:
        raise InputError(f"{data} has no subject that {path.name} was not trained on; it needs subject 2 or 17")
    needed = CALIBRATION_DURATION_S + played_s
    for recording in hugadb.load(data, unseen):
        mostly_moving = recording.is_movement().mean() > MIN_LOCOMOTION_SHARE
        if recording.duration > needed and mostly_moving and recording.muscle_weight.all():
            return recording, path
    raise InputError(f"no subject of {', '.join(unseen)} in {data} has {needed:.0f} s of locomotion in one recording")


def simulate_subject(seed: int, played_s: float) -> tuple[Recording, Path]:
    """Return the recording of a simulated subject, and the path of the shipped bundle."""
    duration = CALIBRATION_DURATION_S + played_s + SPARE_DURATION_S
    recording = simulated_subject.simulate(movement_statistics.shipped_statistics(), duration, seed)
    return recording, shipped_bundle()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; return exit status 2 on bad input, 1 where node or player fail, both after one line on stderr."""
    arguments = _parse(argv)
    os.environ.setdefault("ROS_DOMAIN_ID", DEMO_DOMAIN)
    try:
        recording, bundle_path = (
            choose_recorded_subject(arguments.data, arguments.seconds)
            if arguments.data
            else simulate_subject(arguments.seed, arguments.seconds)
        )
        report = _run(recording, bundle_path, arguments.out, arguments.seconds)
    except InputError as error:
        print(f"demo: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except DemoFailed as error:
        print(f"demo: {error}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    print(f"\n{report_table(report)}\n")
    print(f"wrote {arguments.out / 'report.json'} and {arguments.out / 'before_and_after.png'}")
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--data", type=Path, help="HuGaDB folder: play a real subject (default: a simulated one)")
    parser.add_argument("--seed", type=int, default=DEMO_SEED, help="which simulated subject")
    parser.add_argument(
        "--seconds", type=float, default=PLAYED_DURATION_S, help="duration of the part that is judged [s]"
    )
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder for the report and the picture")
    arguments = parser.parse_args(argv)
    shortest, longest = PLAYED_BOUNDS_S
    if not shortest <= arguments.seconds <= longest or arguments.seed < 0:
        parser.error(f"--seconds takes {shortest:g} to {longest:g}, --seed a number that is not negative")
    return arguments


def _run(recording: Recording, bundle_path: Path, out: Path, played_s: float) -> dict[str, Any]:
    kind = "SIMULATED subject" if recording.is_simulated else "recorded subject, unseen in training"
    say(f"{kind}: {recording.name}; model {bundle_path.name}")
    folder = Path(tempfile.mkdtemp(prefix="imu_emg_demo_"))
    rclpy.init()
    node = Node("imu_emg_demo")
    try:
        with estimator_process(bundle_path, folder) as estimator:
            bundle = Bundle.load(bundle_path)
            run = DemoPlayback(node, estimator, recording, bundle, folder, CALIBRATION_DURATION_S, played_s).run()
    finally:
        node.destroy_node()
        try_shutdown()
        shutil.rmtree(folder, ignore_errors=True)
    _draw(run, out / "before_and_after.png")
    report = make_report(run)
    write_atomically(out / "report.json", (json.dumps(report, indent=2) + "\n").encode())
    return report


def _draw(run: DemoRun, path: Path) -> None:
    part = run.part
    subject = "SIMULATED subject" if run.recording.is_simulated else "Recorded subject"
    draw_before_and_after(
        path,
        f"{subject} {run.recording.name}, live through ROS 2",
        part.time,
        part.envelope,
        run.before.envelopes(part, run.base),
        run.calibrated.envelopes(part, run.running),
        part.rig.muscle_names,
        part.envelope_unit,
    )


if __name__ == "__main__":
    sys.exit(main())
