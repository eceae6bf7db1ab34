"""The guide with live topics and a running node: from the checks to a calibration that is in use, and undone."""

import io
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import rclpy
from fixtures.ros_lab import HOUR, Lab
from rclpy.node import Node

from imu_emg_estimator.bags import write_bag
from imu_emg_estimator.guide import sensor_problems
from imu_emg_estimator.guide.console import Console
from imu_emg_estimator.guide.guided_calibration import Guide, GuideSettings
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.ros.bag_player import ReplaySettings, replay
from imu_emg_estimator.ros.guide_calibrator import find_estimator
from imu_emg_estimator.ros.guide_sensors import LiveSensors
from imu_emg_estimator.signals.mounting_rotation import mount_rotations

PATIENCE = 200.0  # s
FASTER = 4.0  # than the subject walks: a quarter of the recording is enough, should the machine be busy
SETTINGS = {"seconds": 16.0, "pose_seconds": 2.0, "step_seconds": 2.0}
CAPTURE_S = 3.0


@pytest.fixture(scope="module")
def walk(make_recording: Callable[..., Recording], tmp_path_factory: Any) -> Path:
    """A synthetic subject who walks for long."""
    path = tmp_path_factory.mktemp("walk") / "walk"
    write_bag(make_recording([("walking", 300.0)]), path)
    return path


@contextmanager
def subject(bag: Path, context: rclpy.Context, **options: Any) -> Iterator[None]:
    """A subject whose sensors send."""
    stop = threading.Event()
    settings = ReplaySettings(rate=FASTER, restamp=True, loop=True, **options)
    thread = threading.Thread(target=replay, args=(bag, settings, stop, context))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(PATIENCE)


@pytest.fixture
def guide_node(context: rclpy.Context) -> Iterator[Node]:
    node = Node("guide", context=context, start_parameter_services=False)
    yield node
    node.destroy_node()


def sensors_of(node: Node, bundle: Bundle) -> LiveSensors:
    return LiveSensors(node, bundle.rig, mount_rotations([0.0, 0.0, 0.0, 1.0], 6))


def test_guide_calibrates_in_running_node_and_undoes(
    start_lab: Callable[..., Lab],
    bundle: Bundle,
    walk: Path,
    guide_node: Node,
    context: rclpy.Context,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sensor_problems, "lowest_rate", lambda rig_rate: 1.0)  # a busy machine delays the drivers
    monkeypatch.setattr(sensor_problems, "LIMITS", replace(sensor_problems.LIMITS, gap=HOUR))
    lab = start_lab(stale_after=HOUR, bag_directories=[str(tmp_path)])
    estimator = find_estimator(guide_node, PATIENCE)
    assert estimator is not None
    assert estimator.name == lab.estimator.get_fully_qualified_name()
    assert estimator.parameters["bag_directories"] == [str(tmp_path)]

    sink = io.StringIO()
    console = Console(source=io.StringIO("\n\ns\n\ns\n\n\nu\n"), sink=sink)  # continue anyway, record, undo
    settings = GuideSettings("anna", tmp_path, **SETTINGS)
    guide = Guide(console, bundle, sensors_of(guide_node, bundle), estimator, settings)
    with subject(walk, context):
        kept = guide.run()
    report, said = guide.report, sink.getvalue()
    assert report["success"], said
    assert [path.stem for path in (tmp_path / "calibrations" / "anna").glob("*.safetensors")] == [report["undone"]]
    assert set(report["outcome"]["muscles"]) == set(bundle.rig.muscle_names)
    assert "now     █" in said
    assert (kept, lab.estimator.bundle.calibration) == (False, None)
    assert lab.estimator.subject == "anna"  # the calibration had been in use
    assert "in use again: the model without calibration" in said
    kinds = [[problem["kind"] for problem in check["problems"]] for check in report["checks"]]
    assert kinds == [["moved"], ["both_legs"]]  # it walked all the time
    assert sum(report["recordings"][0]["lost"].values()) == 0


def test_live_sensors_report_missing_sensor(
    bundle: Bundle, make_recording: Callable[..., Recording], guide_node: Node, context: rclpy.Context, tmp_path: Path
) -> None:
    recording = make_recording([("walking", 60.0)])
    rig = replace(recording.rig, sensors=recording.rig.sensors[1:])
    write_bag(replace(recording, rig=rig, imu=recording.imu[:, 1:]), tmp_path / "five")
    sensors = sensors_of(guide_node, bundle)
    with subject(tmp_path / "five", context):
        samples = sensors.listen(CAPTURE_S, lambda live: None)
    assert [sensor.topic is None for sensor in samples.sensors] == [True] + [False] * 5
    assert samples.emg_topic == "/emg"
    assert samples.emg_messages > 0
    assert all(len(sensor.imu) > 30 for sensor in samples.sensors[1:])


def test_live_sensors_return_at_once_without_topics(bundle: Bundle, guide_node: Node) -> None:
    began = time.monotonic()
    samples = sensors_of(guide_node, bundle).listen(PATIENCE, lambda live: None)
    assert time.monotonic() - began < PATIENCE / 2
    assert [sensor.topic for sensor in samples.sensors] == [None] * 6


def test_live_sensors_rotate_samples_into_rig_axes(
    bundle: Bundle, walk: Path, guide_node: Node, context: rclpy.Context
) -> None:
    upright, over = [0.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, 0.0]
    sensors = LiveSensors(guide_node, bundle.rig, mount_rotations([*over, *upright * 5], 6))
    with subject(walk, context):
        samples = sensors.listen(CAPTURE_S, lambda live: None)
    vertical = [sensor.acceleration[:, 2].mean() for sensor in samples.sensors]
    assert vertical[0] == pytest.approx(-9.8, abs=2.0)
    assert vertical[1] == pytest.approx(9.8, abs=2.0)


# the command


def run(*arguments: str, answers: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "imu_emg_estimator", "calibrate", "--guide", *arguments]
    return subprocess.run(command, input=answers, capture_output=True, text=True, timeout=PATIENCE, check=False)


def test_guide_command_calibrates_offline_from_bag(
    bundle_path: Path, make_recording: Callable[..., Recording], tmp_path: Path
) -> None:
    write_bag(make_recording([("walking", 30.0)]), tmp_path / "bag")
    store, figures = tmp_path / "store", tmp_path / "figures.json"
    options = ["--bundle", str(bundle_path), "--bag", str(tmp_path / "bag"), "--store", str(store)]
    answer = run(*options, "--yes", "--subject", "anna", "--json", str(figures))
    assert answer.returncode == 0, answer.stdout + answer.stderr
    report = json.loads(figures.read_text())
    assert (report["kept"], report["subject"]) == (True, "anna")
    stored = list(store.glob("anna/*.safetensors"))
    assert [path.stem for path in stored] == [report["outcome"]["calibration_id"]]
    assert "from the next start of the node on" in " ".join(answer.stdout.split())
    assert "kept as" in answer.stdout

    undone = run(*options, "--subject", "bert", answers="\nu\n")
    assert undone.returncode == 1
    assert "in use again: the model without calibration" in undone.stdout


def test_guide_command_quit_and_without_sensors(bundle_path: Path, tmp_path: Path) -> None:
    options = ["--bundle", str(bundle_path), "--recordings", str(tmp_path)]
    left = run(*options, answers="q\n")
    assert (left.returncode, left.stderr) == (1, "")
    assert "Nothing was changed" in left.stdout
    nobody = run(*options, "--yes", "--seconds", "5")
    assert nobody.returncode == 2
    assert "No sensor sends anything" in nobody.stdout
    assert "no sensor was found" in nobody.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("options", [["--out", "x.safetensors"], ["--seconds", "1"], ["--bag", "a", "b"]])
def test_guide_command_refuses_conflicting_options(options: list[str]) -> None:
    answer = run(*options)
    assert answer.returncode == 2
    assert answer.stderr.count("\n") == 1
