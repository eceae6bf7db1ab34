"""Diagnostics once a second: how the estimates are doing, and every sensor."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lab import HOUR, Lab
from numpy.typing import NDArray

StartLab = Callable[..., Lab]


@pytest.fixture
def imu(make_recording: Callable[..., Any]) -> NDArray[np.floating]:
    return np.asarray(make_recording([("walking", 10.0)]).imu)


@pytest.fixture
def report() -> Callable[..., dict[str, Any]]:
    """Function that waits for the first report for which something holds; statuses by what they are of."""

    def wait(lab: Lab, holds: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        reports: list[dict[str, Any]] = []

        def keep(message: Any) -> None:
            prefix = f"{lab.estimator.get_fully_qualified_name()}: "
            named = {s.name.removeprefix(prefix): s for s in message.status if s.name.startswith(prefix)}
            if named and holds(named):
                reports.append(named)

        subscription = lab.node.create_subscription(DiagnosticArray, "/diagnostics", keep, 10)
        lab.wait(lambda: reports, "diagnostics for which it holds")
        lab.node.destroy_subscription(subscription)
        return reports[0]

    return wait


def value(status: Any, key: str) -> str:
    return {pair.key: pair.value for pair in status.values}[key]


def test_before_any_message_everything_is_an_error(start_lab: StartLab, report: Any) -> None:
    lab = start_lab(stale_after=0.5)
    found = report(lab, lambda named: "STALE" in named["estimates"].message)
    assert {status.level for status in found.values()} == {DiagnosticStatus.ERROR}
    assert found["left_foot"].message == "no message on /imu/left_foot"


def test_rates_ages_and_who_estimates(start_lab: StartLab, report: Any, imu: NDArray[np.floating]) -> None:
    lab = start_lab(stale_after=HOUR)
    lab.play(imu[:300], hurry=True)
    found = report(lab, lambda named: float(value(named["estimates"], "rate [Hz]")) > 0)
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


def test_faults_of_single_sensors(start_lab: StartLab, report: Any, imu: NDArray[np.floating]) -> None:
    lab = start_lab(stale_after=HOUR)
    names = lab.estimator.base.rig.sensor_names
    lab.play(imu[:60], sensors=[0, 1, 2, 3, 4], hurry=True)
    lab.drivers[1].publish(b"\0\1\0\0nothing")
    found = report(lab, lambda named: "decoded" in named[names[1]].message)
    assert found[names[1]].level == DiagnosticStatus.WARN
    assert found[names[5]].message == f"no message on {lab.estimator.topics[5]}"
    assert found["estimates"].message.startswith("DEGRADED")
    second = lab.node.create_publisher(type_of(lab), lab.estimator.topics[0], 10)
    lab.play(imu[60:70], hurry=True)
    found = report(lab, lambda named: "publishers" in named[names[0]].message)
    assert f"2 publishers on {lab.estimator.topics[0]}" in found[names[0]].message
    lab.node.destroy_publisher(second)


def type_of(lab: Lab) -> type:
    message_type: type = lab.drivers[0].msg_type
    return message_type
