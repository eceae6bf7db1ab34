"""Diagnostics once a second: how the estimates are doing, and every sensor."""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from fixtures.ros_lab import HOUR, PATIENCE, Lab, imu_message
from imu_emg_estimator.msg import MuscleActivation
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Imu

from imu_emg_estimator.calibration.calibration_store import store_calibration
from imu_emg_estimator.model import sensor_drift as drift
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.calibration_record import Calibration
from imu_emg_estimator.ros.diagnostics import REPORT_PERIOD_S, percentile, qos_mismatch
from imu_emg_estimator.training.fit_motion_distribution import fit_distribution

StartLab = Callable[..., Lab]
ROOT = Path(__file__).parents[2]
WARN = DiagnosticStatus.WARN


@pytest.fixture
def imu(make_recording: Callable[..., Any]) -> NDArray[np.floating]:
    return np.asarray(make_recording([("walking", 10.0)]).imu)


@pytest.fixture
def report() -> Callable[..., dict[str, Any]]:
    """Function that waits for the first report for which a condition holds; returns its statuses by name.

    ``act`` is what should lead to it; it is repeated while no such report comes.
    """

    def wait(
        lab: Lab, holds: Callable[[dict[str, Any]], object], act: Callable[[], object] = lambda: None
    ) -> dict[str, Any]:
        reports: list[dict[str, Any]] = []

        def keep(message: Any) -> None:
            prefix = f"{lab.estimator.get_fully_qualified_name()}: "
            named = {s.name.removeprefix(prefix): s for s in message.status if s.name.startswith(prefix)}
            if named and holds(named):
                reports.append(named)

        subscription = lab.node.create_subscription(DiagnosticArray, "/diagnostics", keep, 10)
        publisher = next(p for p in lab.estimator.publishers if p.topic_name == "/diagnostics")
        lab.wait(publisher.get_subscription_count, "subscription to the diagnostics")
        deadline = time.monotonic() + PATIENCE
        while not reports:
            assert time.monotonic() < deadline, "no diagnostics for which it holds"
            act()
            until = time.monotonic() + 2.5 * REPORT_PERIOD_S
            while not reports and time.monotonic() < until:
                time.sleep(0.01)
        lab.node.destroy_subscription(subscription)
        return reports[0]

    return wait


def value(status: Any, key: str) -> str:
    return {pair.key: pair.value for pair in status.values}[key]


def test_diagnostics_report_errors_before_any_message(start_lab: StartLab, report: Any) -> None:
    lab = start_lab(stale_after=0.5)
    found = report(lab, lambda named: "STALE" in named["estimates"].message)
    calibration = found.pop("calibration")
    assert (calibration.level, calibration.message) == (DiagnosticStatus.OK, "no calibration to compare with")
    assert {status.level for status in found.values()} == {DiagnosticStatus.ERROR}
    assert found["left_foot"].message == "no message on /imu/left_foot"
    assert value(found["left_foot"], "verdict") == "silent"
    assert value(found["left_foot"], "samples used [%]") == "0"
    assert "no recent input" not in found["estimates"].message
    assert "every sensor has sent nothing yet" in found["estimates"].message


def test_every_status_has_one_analyzer(start_lab: StartLab, report: Any) -> None:
    """The shipped file of diagnostic_aggregator, which matches whole names, groups all that the nodes report."""
    analyzers = yaml.safe_load((ROOT / "config" / "analyzers.yaml").read_text())["analyzers"]["ros__parameters"]
    groups = {name: each["regex"][0] for name, each in analyzers.items() if isinstance(each, dict)}
    lab = start_lab()
    prefix = f"{lab.estimator.get_fully_qualified_name()}: "
    found = report(lab, lambda named: named)
    fits = {each: [name for name, regex in groups.items() if re.fullmatch(regex, prefix + each)] for each in found}
    sensors = lab.estimator.base.rig.sensor_names
    assert fits == {"estimates": ["estimates"], "calibration": ["estimates"]} | {each: ["sensors"] for each in sensors}
    assert re.fullmatch(groups["assistance"], "/lab/assistance: assistance")
    assert analyzers["estimates"]["num_items"] == 2


def test_diagnostics_report_rates_ages_and_model(start_lab: StartLab, report: Any, imu: NDArray[np.floating]) -> None:
    lab = start_lab(stale_after=HOUR)
    found = report(
        lab,
        lambda named: float(value(named["estimates"], "rate [Hz]")) > 0 and named["estimates"].message == "OK",
        lambda: lab.play(imu[:300], hurry=True),
    )
    estimates = found["estimates"]
    assert (estimates.level, estimates.message) == (DiagnosticStatus.OK, "OK")
    assert value(estimates, "engine") == lab.estimator.engine
    assert value(estimates, "model") == lab.estimator.base.model_id
    assert value(estimates, "calibration") == "none"
    assert value(estimates, "late samples") == "0"
    for figure in ("age p50 [ms]", "age p99 [ms]", "step p50 [ms]", "step p99 [ms]"):
        assert np.isfinite(float(value(estimates, figure)))
    assert float(value(estimates, "step p50 [ms]")) > 0
    for sensor, topic in zip(lab.estimator.base.rig.sensor_names, lab.estimator.topics, strict=True):
        assert found[sensor].hardware_id == topic
        assert (value(found[sensor], "lost"), value(found[sensor], "malformed")) == ("0", "0")
        assert int(value(found[sensor], "received")) > 0


def test_diagnostics_warn_where_motion_tells_little(
    start_lab: StartLab, report: Any, imu: NDArray[np.floating]
) -> None:
    lab = start_lab(stale_after=HOUR)
    lab.estimator.base = replace(lab.estimator.base, scores={"muscle_r": {"vastus_lateralis_left": 0.3}})
    found = report(lab, lambda named: "OK" in named["estimates"].message, lambda: lab.play(imu[:300], hurry=True))
    assert found["estimates"].level == WARN
    assert found["estimates"].message.startswith("OK; motion tells little of vastus_lateralis_left: ")


def test_diagnostics_report_faults_of_single_sensors(
    start_lab: StartLab, report: Any, imu: NDArray[np.floating]
) -> None:
    lab = start_lab(stale_after=HOUR)
    names = lab.estimator.base.rig.sensor_names

    def play_five_and_publish_nonsense() -> None:
        noise = np.random.default_rng(lab.now()).normal(size=(60, 6, 6))  # the same rows again would be a loop
        lab.play(imu[:60] + noise, sensors=[0, 1, 2, 3, 4], hurry=True)
        lab.drivers[1].publish(b"\0\1\0\0nothing")

    found = report(lab, lambda named: "decoded" in named[names[1]].message, play_five_and_publish_nonsense)
    assert found[names[1]].level == DiagnosticStatus.WARN
    assert found[names[5]].message == f"no message on {lab.estimator.topics[5]}"
    assert f"{names[5]} has sent nothing yet" in found["estimates"].message
    second = lab.node.create_publisher(type_of(lab), lab.estimator.topics[0], 10)
    found = report(lab, lambda named: "publishers" in named[names[0]].message, lambda: lab.play(imu[60:70], hurry=True))
    assert f"2 publishers on {lab.estimator.topics[0]}" in found[names[0]].message
    lab.node.destroy_publisher(second)


def test_diagnostics_report_verdict_though_messages_flow(
    start_lab: StartLab, report: Any, imu: NDArray[np.floating]
) -> None:
    lab = start_lab(clock_policy=["auto"])
    imu = imu.copy()
    imu[:, 2] = imu[0, 2]
    found = report(
        lab,
        lambda named: (
            value(named["right_thigh"], "verdict") == "frozen"
            and "right_thigh repeats one" in named["estimates"].message
            and int(value(named["right_thigh"], "samples used [%]"))
            < 50
            < int(value(named["left_foot"], "samples used [%]"))
        ),
        lambda: lab.play(imu[:120]),
    )
    sensor = found["right_thigh"]
    assert sensor.level == DiagnosticStatus.ERROR
    assert value(sensor, "masked") == "true"
    assert "repeats one" in sensor.message
    assert value(sensor, "remedy") in sensor.message
    assert value(found["left_foot"], "clock policy") == "timestamp"
    assert abs(float(value(found["left_foot"], "clock offset [ms]"))) < 250
    assert found["estimates"].level == WARN


def test_diagnostics_and_log_tell_of_second_estimator(
    start_lab: StartLab, report: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    lab = start_lab()
    other = Node("other", context=lab.node.context, namespace="/elsewhere")
    other.create_publisher(MuscleActivation, lab.estimator.output_topic, 10)
    found = report(lab, lambda named: "/elsewhere/other publishes on" in named["estimates"].message)
    assert found["estimates"].level == DiagnosticStatus.ERROR
    other.destroy_node()
    report(lab, lambda named: "/elsewhere/other" not in named["estimates"].message)
    said = [line for line in capfd.readouterr().err.splitlines() if "/elsewhere/other" in line]
    assert len(said) == 1


def test_two_publishers_on_an_input_are_masked(start_lab: StartLab, report: Any, imu: NDArray[np.floating]) -> None:
    lab = start_lab(clock_policy=["auto"])
    second = lab.node.create_publisher(Imu, lab.estimator.topics[0], 10)

    def play_both() -> None:
        for row in imu[:120]:
            for sensor, sample in enumerate(row):
                lab.send(sensor, lab.now(), sample)
            second.publish(imu_message(lab.now(), imu[300, 0]))
            time.sleep(1 / lab.rate)

    found = report(lab, lambda named: value(named["right_foot"], "verdict") == "two publishers", play_both)
    assert found["right_foot"].level == DiagnosticStatus.ERROR
    assert value(found["right_foot"], "publishers") == "2"
    named = [message for message in lab.messages if "right_foot" in message.missing_sensors]
    assert len(named) > 20


def test_qos_mismatch_names_publisher(start_lab: StartLab) -> None:
    lab = start_lab()
    strict, loose = (
        QoSProfile(depth=1, reliability=kind) for kind in (ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT)
    )
    for topic, quality in (("/fits", loose), ("/fits_not", strict)):
        lab.estimator.create_subscription(Imu, topic, lambda message: None, quality)
        lab.node.create_publisher(Imu, topic, loose)
    lab.wait(lambda: qos_mismatch(lab.estimator, "/fits_not"), "a publisher that does not fit")
    assert lab.node.get_name() in qos_mismatch(lab.estimator, "/fits_not")
    assert "eliab" in qos_mismatch(lab.estimator, "/fits_not")
    assert "does not match" in qos_mismatch(lab.estimator, "/fits_not")
    assert qos_mismatch(lab.estimator, "/fits") == ""


def type_of(lab: Lab) -> type:
    message_type: type = lab.drivers[0].msg_type
    return message_type


def test_percentile() -> None:
    values = [float(value) for value in range(100, 0, -1)]
    assert (percentile(values, 0.5), percentile(values, 0.99), percentile(values, 1.0)) == (51.0, 100.0, 100.0)
    assert percentile([], 0.5) != percentile([], 0.5)  # NaN


# whether the calibration still fits


@pytest.fixture
def calibrated(
    bundle: Bundle, make_recording: Callable[..., Any], tmp_path: Path
) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Function that stores a calibration of alice, whose movement was as it says; parameters of a node that has it."""

    def store(figures: dict[str, Any]) -> dict[str, Any]:
        subjects = [make_recording([("walking", 30.0)], subject=str(seed), seed=seed) for seed in (1, 2, 3)]
        knowing = replace(bundle, distribution=fit_distribution(subjects))
        knowing.save(tmp_path / "knowing.safetensors")
        calibration = Calibration.made_now("alice", "", "bag", 15.0, figures=figures)
        own = replace(knowing, parent_id=knowing.model_id, calibration=calibration)
        store_calibration(tmp_path / "calibrations", own)
        return {"bundle": str(tmp_path / "knowing.safetensors"), "subject_id": "alice", "stale_after": HOUR}

    return store


def test_diagnostics_report_sensor_turned_since_calibration(
    start_lab: StartLab,
    report: Any,
    calibrated: Any,
    make_recording: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    subjects = [make_recording([("walking", 30.0)], subject=str(seed), seed=seed) for seed in (1, 2, 3)]
    imu, rate = subjects[0].imu, subjects[0].rig.rate
    profile = drift.motion_profile(imu[: round(15 * rate)], rate, fit_distribution(subjects))
    monkeypatch.setattr(drift, "ROW_PERIOD_S", 0.02)  # the movement is played fast
    lab = start_lab(**calibrated({drift.MOTION: profile.to_dict()}))
    found = report(lab, lambda named: "too little movement yet" in named["calibration"].message)
    assert found["calibration"].level == DiagnosticStatus.OK

    found = report(
        lab,
        lambda named: "moves as in the calibration" in named["calibration"].message,
        lambda: lab.play(imu, hurry=True),
    )["calibration"]
    assert found.level == DiagnosticStatus.OK
    assert (value(found, "subject"), value(found, "recalibrate")) == ("alice", "false")
    assert value(found, "calibration") == lab.estimator.bundle.calibration_id
    assert float(value(found, "left_foot turned by [deg]")) < 10

    turned, name = imu.copy(), lab.estimator.base.rig.sensor_names[2]
    turned[:, 2, [0, 1, 2]] = imu[:, 2, [2, 1, 0]]
    found = report(
        lab,
        lambda named: f"({name} by " in named["calibration"].message,
        lambda: lab.play(turned, hurry=True),
    )["calibration"]
    assert f"({name} by " in found.message
    assert "recalibrate" in found.message
    assert value(found, "recalibrate") == "true"
    assert float(value(found, f"{name} turned by [deg]")) > drift.MAX_TURN_DEG

    # Nothing comes: nothing is learned of the subject.
    lab.reset(subject_id="alice")
    found = report(lab, lambda named: value(named["calibration"], "calibration") == "none")["calibration"]
    assert (found.level, found.message) == (DiagnosticStatus.OK, "no calibration to compare with")


@pytest.mark.parametrize(
    ("figures", "said"), [({}, "holds no movement to compare with"), ({drift.MOTION: 5}, "is malformed")]
)
def test_diagnostics_without_comparable_calibration(
    figures: dict[str, Any], said: str, start_lab: StartLab, report: Any, calibrated: Any
) -> None:
    lab = start_lab(**calibrated(figures))
    found = report(lab, lambda named: named["calibration"].message)["calibration"]
    assert found.level == DiagnosticStatus.OK
    assert said in found.message
