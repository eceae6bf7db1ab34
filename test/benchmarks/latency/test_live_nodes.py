"""The benchmark on real nodes: both give the same estimates, and a quick run gives every figure."""

import json
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rclpy
from fixtures.factories import BundleFactory
from fixtures.ros_lab import grid, imu_message

from benchmarks.__main__ import main
from benchmarks.latency import latency_command as command
from benchmarks.latency import latency_options as options
from benchmarks.latency import live_sessions as live
from benchmarks.latency import measurement_plan as plan
from benchmarks.latency.measurement_settings import QUICK
from benchmarks.latency.random_bundles import at_rate, made_up_motion
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.imu_decoder import nanoseconds
from imu_emg_estimator.streaming.streaming_estimator import StreamingEstimator

pytestmark = pytest.mark.ros

SLOW = 20.0  # Hz; no node loses messages at this rate, however busy the machine
SECONDS = 4.0


@pytest.fixture
def slow_load(bundle: Bundle, tmp_path: Path) -> live.Load:
    """The tiny bundle with made-up motion that repeats only after the test."""
    slow = at_rate(bundle, SLOW)
    slow.save(tmp_path / "slow.safetensors")
    np.save(tmp_path / "motion.npy", made_up_motion(slow, 4000))
    return live.Load(tmp_path / "slow.safetensors", tmp_path / "motion.npy", SLOW)


def means(folder: Path) -> live.Means:
    """Sessions that begin to measure at once."""
    return live.Means(folder / "session", settle=0.0, engine="numpy")


@pytest.fixture
def baseline(bundle: Bundle, bundle_path: Path) -> Iterator[Any]:
    """The baseline node on no executor; what it publishes is in its list ``sent``."""
    spec = spec_from_file_location("baseline_node", live.baseline_node())
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    rclpy.init(args=["--ros-args", "-p", f"bundle:={bundle_path}"])
    node = module.BaselineNode()
    node.sent = []
    node.publisher.publish = node.sent.append
    yield node
    node.destroy_node()
    rclpy.shutdown()


def test_baseline_node_equals_estimator(baseline: Any, bundle: Bundle) -> None:
    """The comparison is honest only if both nodes do the same work and do it right."""
    motion = made_up_motion(bundle, 40)
    timestamps = grid(baseline.get_clock().now().nanoseconds, len(motion), bundle.rig.rate)
    names = bundle.rig.sensor_names
    for index, (timestamp, row) in enumerate(zip(timestamps, motion, strict=True)):
        order = range(len(names)) if index % 2 else reversed(range(len(names)))
        for sensor in order:
            baseline.on_imu(names[sensor], imu_message(timestamp, row[sensor]))
    estimator = StreamingEstimator(bundle, "numpy")
    expected = [estimator.step(row) for row in motion]
    delay = round(bundle.config.look_ahead * SECOND / bundle.rig.rate)
    assert len(baseline.sent) == len(motion)
    for timestamp, message, estimate in zip(timestamps, baseline.sent, expected, strict=True):
        assert nanoseconds(message.header.stamp) == pytest.approx(timestamp - delay, abs=2)
        if estimate is not None:
            np.testing.assert_allclose(message.activation, estimate.activation, atol=1e-4)
            np.testing.assert_allclose(message.activation_std, estimate.deviation, rtol=1e-3)
    assert baseline.sent[-1].model_id == bundle.model_id
    assert list(baseline.sent[-1].muscle_names) == list(bundle.rig.muscle_names)


def test_baseline_node_continues_after_lost_message(baseline: Any, bundle: Bundle) -> None:
    motion = made_up_motion(bundle, 4)
    timestamps = grid(baseline.get_clock().now().nanoseconds, len(motion), bundle.rig.rate)
    for index, (timestamp, row) in enumerate(zip(timestamps, motion, strict=True)):
        for sensor, name in enumerate(bundle.rig.sensor_names):
            if (index, sensor) != (2, 1):
                baseline.on_imu(name, imu_message(timestamp, row[sensor]))
    estimator = StreamingEstimator(bundle, "numpy")
    expected = [estimator.step(row) for row in motion[[0, 1, 3]]][-1]
    assert expected is not None
    assert len(baseline.sent) == 3
    np.testing.assert_allclose(baseline.sent[-1].activation, expected.activation, atol=1e-4)
    assert baseline.rows == {}


def test_empty_node_receives_all_and_echo_answers(slow_load: live.Load, tmp_path: Path) -> None:
    for candidate in live.EMPTY:
        figures = live.end_to_end(means(tmp_path), slow_load, candidate, 2.0)
        assert figures["received"]["due"] > 0
        assert figures["received"]["lost"] == 0
        assert figures["cpu"] > 0
        assert figures["memory"]["rss"] > 10
    assert figures["due"] > 0
    assert figures["missed"] == 0
    assert figures["start"]["first_estimate"] > 0


def test_lost_messages_are_found(slow_load: live.Load, tmp_path: Path) -> None:
    """What a sensor does not measure counts as lost, and so does what the node masks after it."""
    motion = np.load(slow_load.motion)
    motion[::10, 2] = np.nan  # what is not finite is masked, like what did not come
    np.save(slow_load.motion, motion)
    figures = live.losses(means(tmp_path), slow_load, live.OURS, SECONDS)
    assert figures["estimates_lost"] == 0
    assert figures["due"] / 10 - 1 <= figures["imu_messages_lost"] < figures["due"]
    assert figures["messages_lost"] == figures["imu_messages_lost"]


@pytest.fixture
def quick(
    make_bundle: BundleFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Any:
    """Function that runs sections of the benchmark on a tiny bundle with tiny durations; returns the results."""
    make_bundle(seed=3).save(tiny := tmp_path / "tiny.safetensors")  # weights that a simulated subject improves
    monkeypatch.setattr(command, "code_fingerprint", lambda: "code")
    monkeypatch.setattr(plan, "CANDIDATES", (live.OURS, live.BASELINE, "wait_set"))
    slow = replace(QUICK, rate=SLOW, loss_rate=SLOW)  # a machine that is busy with other tests has to keep up
    monkeypatch.setattr(options, "QUICK", slow)
    command_of = live.node_command
    monkeypatch.setattr(live, "node_command", lambda *given: [*command_of(*given), "-p", "calibration_nice:=0"])

    def run(sections: str) -> dict[str, Any]:
        options = ["--engine", "numpy", "--bundle", str(tiny), "--out", str(tmp_path)]
        status = main(["latency", "--quick", "--only", sections, *options])
        assert status == 0, capsys.readouterr().err
        results: dict[str, Any] = json.loads((tmp_path / "results.json").read_text())
        return results

    return run


def test_quick_run_compares_the_nodes(quick: Any, tmp_path: Path) -> None:
    results = quick("age,loss,growth")
    for name in ("age_p99", "cpu", "memory", "start", "memory_after_an_hour"):
        assert results["ratios"][name] > 0, name
    assert results["messages_lost"] is not None
    assert results["age"]["wait_set"]["cpu"]["median"] is not None
    assert (tmp_path / "age.png").is_file()


@pytest.fixture
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The node reads no bag of the test without a parameter that names its directory."""
    (elsewhere := tmp_path / "elsewhere").mkdir()
    for name in ("HOME", "TMPDIR"):
        monkeypatch.setenv(name, str(elsewhere))
    monkeypatch.chdir(elsewhere)


@pytest.mark.usefixtures("_elsewhere")
def test_quick_run_calibrates(quick: Any, tmp_path: Path) -> None:
    results = quick("gap,calibration")
    assert results["ratios"]["calibration_gap"] > 0
    assert results["gap"]["missed"] is not None
    assert results["calibration_source"] == "simulated"
    assert results["calibration_wall_s_p50"] > 0
    assert results["calibration"]["refusal_s"]["highest"] > 0
    assert (tmp_path / "calibration_gap.png").is_file()
