"""Clocks that the node meets: of one sensor, of all, of the node itself, real and simulated."""

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fixtures.ros_lab import HOUR, UNHURRIED, Lab, activations_of, imu_message, timestamps_of, to_timestamp
from imu_emg_estimator.msg import MuscleActivation
from numpy.typing import NDArray
from rosgraph_msgs.msg import Clock

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.ros.node_clock import NodeClock
from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.imu_decoder import LATEST

StartLab = Callable[..., Lab]
OK, WARMING_UP, DEGRADED, STALE = (
    MuscleActivation.OK,
    MuscleActivation.WARMING_UP,
    MuscleActivation.DEGRADED,
    MuscleActivation.STALE,
)


@pytest.fixture(scope="module")
def imu(make_recording: Callable[..., Recording]) -> NDArray[np.floating]:
    """Ten seconds of walking [588, 6, 6]."""
    return make_recording([("walking", 10.0)]).imu


@pytest.mark.parametrize("error", [-HOUR, -0.3, 0.3, 0.8, 5.0], ids=lambda error: f"{error:+g}s")
@pytest.mark.parametrize("wrong", [0, 3])
def test_node_ignores_one_wrong_clock(
    error: float, wrong: int, start_lab: StartLab, bundle: Bundle, imu: NDArray[np.floating]
) -> None:
    lab = start_lab(stale_after=HOUR)
    rows = 150
    timestamps = lab.now() - 10 * SECOND + np.round(np.arange(rows) * SECOND / bundle.rig.rate).astype(int)
    for index, timestamp in enumerate(timestamps.tolist()):
        lab.keep_pace(index)
        for sensor in range(len(bundle.rig.sensors)):
            lab.send(sensor, timestamp + round(error * SECOND) * (sensor == wrong), imu[index, sensor])
    lab.wait_beyond(int(timestamps[-10]))
    last = lab.messages[-1]
    assert last.status in (OK, DEGRADED)
    assert set(last.missing_sensors) <= {bundle.rig.sensor_names[wrong]}
    assert np.isfinite(last.activation).all()


def test_node_with_one_clock_ahead_is_not_stale(start_lab: StartLab, imu: NDArray[np.floating]) -> None:
    patient = {"largest_gap": 10.0, "sensor_timeout": 60.0}  # on a busy machine a driver pauses
    lab = start_lab(stale_after=UNHURRIED, clock_jump=60.0, **patient)
    ahead = round(10 * UNHURRIED * SECOND)
    for row in imu[:60]:
        timestamp = lab.now()
        for sensor, sample in enumerate(row):
            lab.send(sensor, timestamp + ahead * (sensor == 3), sample)
        time.sleep(1 / lab.rate)
    messages = lab.wait_for(30)
    assert messages[-1].status == DEGRADED
    assert 0 < messages[-1].age < UNHURRIED


@pytest.mark.parametrize(
    ("shift", "said"),
    [(-HOUR, "STALE: the newest input is 3600.0"), (HOUR, "STALE: the newest input is 3")],
    ids=["old", "ahead"],
)
def test_node_publishes_stale_for_timestamps_far_from_clock(
    shift: float, said: str, start_lab: StartLab, imu: NDArray[np.floating], capfd: pytest.CaptureFixture[str]
) -> None:
    lab = start_lab()
    lab.play(imu[:60], start=lab.now() + round(shift * SECOND))
    lab.wait_for(50)
    assert {message.status for message in lab.messages} == {STALE}
    assert np.isnan(activations_of(lab.messages)).all()
    assert abs(lab.messages[0].age + shift) < 60
    (warning,) = (line for line in capfd.readouterr().err.splitlines() if "STALE" in line)
    assert said in warning
    assert ("ahead of this clock" if shift > 0 else "old") in warning
    assert "-" not in warning.split("STALE")[1]  # ahead and negative would say the contrary
    assert "use_sim_time" not in warning


@pytest.mark.parametrize("shift", [-HOUR, -0.4, 0.4, HOUR])
def test_node_reconciles_clock_of_all_sensors(shift: float, start_lab: StartLab, imu: NDArray[np.floating]) -> None:
    lab = start_lab(clock_policy=["auto"])
    lab.play(imu[:180], start=lab.now() + round(shift * SECOND))
    lab.wait(lambda: OK in {message.status for message in lab.messages}, "message that is OK")
    assert all(0 <= message.age < UNHURRIED for message in lab.messages if message.status != STALE)


def test_node_follows_simulated_time(start_lab: StartLab, imu: NDArray[np.floating]) -> None:
    lab = start_lab(use_sim_time=True)
    clock = lab.node.create_publisher(Clock, "/clock", 10)
    lab.wait(clock.get_subscription_count, "subscription to /clock")
    start = 1000 * SECOND  # 1970
    for index in range(60):
        timestamp = start + round(index * SECOND / lab.rate)
        clock.publish(Clock(clock=to_timestamp(timestamp)))
        lab.wait(
            lambda timestamp=timestamp: lab.estimator.get_clock().now().nanoseconds == timestamp, "tick of the clock"
        )
        for sensor, sample in enumerate(imu[index]):
            lab.send(sensor, timestamp, sample)
    lab.wait(lambda: OK in {message.status for message in lab.messages}, "message that is OK")
    messages = [message for message in lab.messages if message.header.stamp.sec]  # STALE until the clock begins
    assert timestamps_of(messages)[0] == start
    assert {message.status for message in messages} == {WARMING_UP, OK}
    assert max(message.age for message in messages) < 0.5


def test_node_says_that_nobody_publishes_the_simulated_clock(
    start_lab: StartLab, imu: NDArray[np.floating], capfd: pytest.CaptureFixture[str]
) -> None:
    lab = start_lab(use_sim_time=True)
    lab.play(imu[:30])
    lab.wait_for(20)
    assert {message.status for message in lab.messages} == {STALE}
    warnings = [line for line in capfd.readouterr().err.splitlines() if "STALE" in line]
    assert len(warnings) == 1
    assert "use_sim_time is set and nobody publishes /clock" in warnings[0]


@pytest.mark.parametrize("seconds", [-(2**31), 2**31 - 1], ids=["first", "last"])
def test_node_survives_extreme_timestamps(seconds: int, start_lab: StartLab, imu: NDArray[np.floating]) -> None:
    lab = start_lab()
    for index in range(12):
        for driver, sample in zip(lab.drivers, imu[index], strict=True):
            message = imu_message(0, sample)
            message.header.stamp.sec = seconds
            message.header.stamp.nanosec = index * 17_000_000 + 4 * SECOND
            driver.publish(message)
    messages = lab.wait_for(5)
    assert {message.status for message in messages} == {STALE}
    assert set(timestamps_of(messages)) == {LATEST if seconds > 0 else 0}  # a message cannot hold the true ones
    lab.clear()
    lab.play(imu[:60], hurry=True)
    lab.wait(lambda: OK in {message.status for message in lab.messages}, "message that is OK")


def test_clock_says_once_that_it_was_set_or_is_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    source: Any = SimpleNamespace(ros_time_is_active=False, now=lambda: SimpleNamespace(nanoseconds=1))
    node: Any = SimpleNamespace(get_clock=lambda: source, count_publishers=lambda _: 1)
    real, off = time.time_ns, [0]
    monkeypatch.setattr(time, "time_ns", lambda: real() + off[0])
    clock, said = NodeClock(node), []
    for off[0], source.ros_time_is_active in zip(
        (0, 20_000_000, SECOND, SECOND, 0, 0, SECOND, 0, 0), [False] * 5 + [True] * 2 + [False] * 2, strict=True
    ):
        clock.obstacle()
        said.append(clock.was_set())
    assert said == [False, False, True, False, True, True, False, True, False]
