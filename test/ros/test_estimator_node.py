"""The node on real ROS 2: what comes out for what goes in, however it goes in."""

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rclpy
from fixtures.ros_lab import HOUR, PATIENCE, UNHURRIED, Lab, activations_of, timestamps_of
from imu_emg_estimator.msg import MuscleActivation
from numpy.typing import NDArray

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.causal_network import network_of
from imu_emg_estimator.model.offline_estimate import estimate_recording
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.ros.estimator_node import WARNING_PERIOD_S
from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.training.fit_motion_distribution import fit_distribution

StartLab = Callable[..., Lab]

TOLERANCE = 1e-4
OK, WARMING_UP, DEGRADED, STALE, OUT_OF_DISTRIBUTION = (
    MuscleActivation.OK,
    MuscleActivation.WARMING_UP,
    MuscleActivation.DEGRADED,
    MuscleActivation.STALE,
    MuscleActivation.OUT_OF_DISTRIBUTION,
)
MEMORY = 30  # rows, more than the tiny bundle's receptive field


@pytest.fixture(scope="module")
def imu(make_recording: Callable[..., Recording]) -> NDArray[np.floating]:
    """Ten seconds of walking [588, 6, 6]."""
    return make_recording([("walking", 10.0)]).imu


def offline(bundle: Bundle, imu: NDArray[np.floating]) -> NDArray[np.floating]:
    """Activation for every row but the last ``look_ahead``, by the network over the whole recording."""
    activation, _ = estimate_recording(network_of(bundle), bundle.normalisation, imu)
    return activation[: len(imu) - bundle.config.look_ahead]


def assert_each_once(messages: Sequence[MuscleActivation], timestamps: Sequence[int]) -> None:
    """Every timestamp has its message, in order, to the nanosecond of rounding."""
    assert len(messages) == len(timestamps)
    assert np.abs(np.array(timestamps_of(messages)) - timestamps).max() <= 1


# what comes out


def test_node_publishes_every_grid_step_once(start_lab: StartLab, bundle: Bundle, imu: NDArray[np.floating]) -> None:
    lab = start_lab(stale_after=HOUR)
    imu = imu[: round(6 * bundle.rig.rate)]
    timestamps = lab.play(imu)[: -bundle.config.look_ahead]
    messages = lab.wait_for(len(timestamps))
    assert_each_once(messages, timestamps)
    np.testing.assert_allclose(activations_of(messages), offline(bundle, imu), atol=TOLERANCE)
    cold = bundle.config.band - bundle.config.look_ahead - 1
    assert [message.status for message in messages] == [WARMING_UP] * cold + [OK] * (len(messages) - cold)
    for message in messages:
        assert tuple(message.muscle_names) == bundle.rig.muscle_names
        assert (message.model_id, message.calibration_id) == (bundle.model_id, "")
        assert message.header.frame_id == bundle.rig.name
        assert not message.missing_sensors
        assert 0 < message.age < HOUR
        assert min(message.activation_std) > 0


def test_node_resamples_sensors_of_different_rates(
    start_lab: StartLab, bundle: Bundle, imu: NDArray[np.floating]
) -> None:
    lab = start_lab(stale_after=HOUR)
    start, seconds = lab.now(), 3.0
    samples = [
        (start + phase * 1_000_000 + round(index * SECOND / rate), sensor)
        for sensor, (rate, phase) in enumerate([(100.0, 0), (100.0, 3), (200.0, 1), (58.8, 0), (60.0, 7), (120.0, 2)])
        for index in range(round(seconds * rate))
    ]
    for count, (timestamp, sensor) in enumerate(sorted(samples)):
        lab.send(sensor, timestamp, imu[0, sensor])
        if count % 50 == 0:
            lab.keep_pace((timestamp - start) * bundle.rig.rate / SECOND)
    expected = round((seconds - 0.1) * bundle.rig.rate)
    steps = np.diff(timestamps_of(lab.wait_for(expected)))
    assert np.abs(steps - SECOND / bundle.rig.rate).max() <= 2


def test_node_puts_subject_into_frame_id(start_lab: StartLab, imu: NDArray[np.floating]) -> None:
    lab = start_lab(subject_id="alice", stale_after=HOUR)
    lab.play(imu[:10], hurry=True)
    assert lab.wait_for(1)[0].header.frame_id == "alice"


# what is missing


def test_node_masks_and_names_silent_sensor(start_lab: StartLab, bundle: Bundle, imu: NDArray[np.floating]) -> None:
    lab = start_lab(stale_after=HOUR)
    silent, others = 4, [0, 1, 2, 3, 5]
    first = lab.play(imu[:200], sensors=others, hurry=True)
    masked = imu[:200].copy()
    masked[:, silent] = np.nan
    expected = offline(bundle, masked)
    messages = lab.wait_for(len(expected))
    assert_each_once(messages, first[: len(expected)])
    np.testing.assert_allclose(activations_of(messages), expected, atol=TOLERANCE)
    assert {message.status for message in messages} == {WARMING_UP, DEGRADED}
    assert all(message.missing_sensors == [bundle.rig.sensor_names[silent]] for message in messages)
    # It comes after all.
    lab.clear()
    lab.play(imu[200:260], start=first[-1] + round(SECOND / bundle.rig.rate), hurry=True)
    lab.wait(lambda: lab.messages and lab.messages[-1].status == OK, "message that is OK")
    assert not lab.messages[-1].missing_sensors


def test_node_flags_rotated_sensor_as_out_of_distribution(
    start_lab: StartLab, bundle: Bundle, make_recording: Callable[..., Recording], tmp_path: Path
) -> None:
    """The more serious status, though another sensor is missing, too."""
    subjects = [make_recording([("walking", 30.0)], subject=str(seed), seed=seed) for seed in (1, 2, 3)]
    distribution = fit_distribution(subjects)
    distribution = replace(distribution, threshold=1.5 * distribution.threshold)  # three subjects are few
    replace(bundle, distribution=distribution).save(tmp_path / "knowing.safetensors")
    lab = start_lab(bundle=str(tmp_path / "knowing.safetensors"), stale_after=HOUR)
    imu = subjects[0].imu[:400].copy()
    imu[200:, 2, :3] = imu[200:, 2, 2::-1]
    lab.play(imu, sensors=[0, 1, 2, 3, 5], hurry=True)
    messages = lab.wait_for(len(imu) - bundle.config.look_ahead)
    statuses = [message.status for message in messages]
    assert set(statuses[150:190]) == {DEGRADED}
    assert set(statuses[320:]) == {OUT_OF_DISTRIBUTION}
    assert messages[-1].missing_sensors == [bundle.rig.sensor_names[4]]
    assert np.isfinite(messages[-1].activation).all()


@pytest.mark.parametrize("absent", ["nan", "inf", "covariance"])
def test_node_masks_absent_values(absent: str, start_lab: StartLab, bundle: Bundle, imu: NDArray[np.floating]) -> None:
    lab = start_lab(stale_after=HOUR)
    imu = imu[:150].copy()
    imu[40:80, 1, :3] = np.nan  # an accelerometer
    imu[60:100, 3, 3:] = np.nan  # a gyroscope
    lab.play(imu, hurry=True, absent=absent)
    imu[80:97, 1, :3] = imu[100:117, 3, 3:] = np.nan  # 0.3 s in which it must not fail again
    expected = offline(bundle, imu)
    messages = lab.wait_for(len(expected))
    np.testing.assert_allclose(activations_of(messages), expected, atol=TOLERANCE)
    names, ahead = bundle.rig.sensor_names, bundle.config.look_ahead
    missing = [message.missing_sensors for message in messages]
    assert missing[70 - ahead] == [names[1], names[3]]
    assert messages[70 - ahead].status == DEGRADED
    assert missing[110 - ahead] == [names[3]]
    assert (missing[130 - ahead], messages[130 - ahead].status) == ([], OK)


def test_node_publishes_stale_in_silence(start_lab: StartLab, imu: NDArray[np.floating]) -> None:
    lab = start_lab(stale_after=UNHURRIED)
    lab.wait_for(3)  # nothing has come at all
    assert {message.status for message in lab.messages} == {STALE}
    for rows in (imu[:60], imu[60:120]):  # the same ones again would be a loop
        lab.clear()
        timestamps = lab.play(rows, hurry=True)
        lab.wait_beyond(timestamps[-1])
        lab.wait_for(len(lab.messages) + 5)
        after = [message for message in lab.messages if timestamps_of([message])[0] > timestamps[-1]]
        assert {message.status for message in after} == {STALE}
        assert np.isnan(activations_of(after)).all()
        assert np.isnan([message.activation_std for message in after]).all()
        assert all(len(message.activation) == len(message.muscle_names) == 2 for message in after)
        fresh = [message for message in lab.messages if message.status in (OK, WARMING_UP)]
        assert np.isfinite(activations_of(fresh)).all()
        assert OK in {message.status for message in fresh}  # also in the second round: it comes back


def test_node_does_not_bridge_gap_of_all_sensors(
    start_lab: StartLab, bundle: Bundle, imu: NDArray[np.floating]
) -> None:
    lab = start_lab(stale_after=HOUR)
    first = lab.play(imu[:60], hurry=True)
    lab.play(imu[90:150], start=first[-1] + round(31 * SECOND / bundle.rig.rate), hurry=True)
    messages = lab.wait_for(150 - bundle.config.look_ahead)
    ahead = bundle.config.look_ahead
    assert {message.status for message in messages[60 : 90 - ahead]} == {STALE}
    assert np.isnan(activations_of(messages[60 : 90 - ahead])).all()
    assert messages[149 - ahead].status == OK


def test_node_publishes_stale_when_timestamps_freeze(start_lab: StartLab, imu: NDArray[np.floating]) -> None:
    """Messages keep coming, but those of most sensors have an old timestamp."""
    lab = start_lab(stale_after=UNHURRIED)
    lab.play(imu[:60], hurry=True)
    lab.wait(lambda: OK in {message.status for message in lab.messages}, "message that is OK")
    frozen, deadline = lab.now(), time.monotonic() + PATIENCE
    rows = itertools.cycle(imu)
    while lab.messages[-1].status != STALE:
        for sensor, sample in enumerate(next(rows)):
            lab.send(sensor, frozen if sensor < 4 else lab.now(), sample)
        time.sleep(1 / lab.rate)
        assert time.monotonic() < deadline, lab.summary()
    assert np.isnan(lab.messages[-1].activation).all()


def test_node_drops_malformed_message(
    start_lab: StartLab, bundle: Bundle, imu: NDArray[np.floating], capfd: pytest.CaptureFixture[str]
) -> None:
    lab, began = start_lab(stale_after=HOUR), time.monotonic()
    first = lab.play(imu[:30], hurry=True)
    for spoilt in (b"", b"\0", b"\0\1\0\0", bytes(40), b"\xff" * 400, b"\0\1\0\0" + b"\xff" * 400):
        lab.drivers[2].publish(spoilt)
    last = lab.play(imu[30:60], start=first[-1] + round(SECOND / bundle.rig.rate), hurry=True)
    messages = lab.wait_for(60 - bundle.config.look_ahead)
    assert_each_once(messages, (first + last)[: len(messages)])
    np.testing.assert_allclose(activations_of(messages), offline(bundle, imu[:60]), atol=TOLERANCE)
    warnings = [line for line in capfd.readouterr().err.splitlines() if "is not a sensor_msgs/Imu" in line]
    assert 1 <= len(warnings) <= 1 + (time.monotonic() - began) / WARNING_PERIOD_S  # not one for each
    assert f"on {lab.estimator.topics[2]}" in warnings[0]
    assert lab.estimator.statistics.sensors[2].malformed >= 5


def test_node_counts_every_message(start_lab: StartLab, imu: NDArray[np.floating]) -> None:
    lab = start_lab(stale_after=HOUR)
    lab.play(imu[:300], hurry=True)
    lab.wait_for(300 - lab.look_ahead)
    counts = lab.estimator.statistics.sensors
    assert [(count.received, count.lost, count.malformed) for count in counts] == [(300, 0, 0)] * 6
    assert lab.estimator.live.late_samples == 0


# clocks


@pytest.mark.parametrize("shift", [-20.0, -2.0, 2.0, 20.0], ids=lambda shift: f"{shift:+g}s")
def test_node_resets_when_timestamps_jump(
    shift: float, start_lab: StartLab, bundle: Bundle, imu: NDArray[np.floating]
) -> None:
    lab = start_lab(stale_after=HOUR)
    first = lab.play(imu[:100], hurry=True)
    before = lab.wait_for(100 - bundle.config.look_ahead)
    lab.clear()
    second = lab.play(imu[100:300], start=first[-1] + round(shift * SECOND), hurry=True)
    expected = offline(bundle, imu[100:300])
    messages = lab.wait_for(len(expected))
    assert_each_once(before, first[: len(before)])
    assert_each_once(messages, second[: len(expected)])
    assert messages[0].status == WARMING_UP
    # Half of the sensors must jump before the others are believed, so the first rows are masked in part.
    np.testing.assert_allclose(activations_of(messages)[MEMORY:], expected[MEMORY:], atol=TOLERANCE)
    assert messages[-1].status == OK


# names


def test_node_subscribes_to_given_topics(start_lab: StartLab, imu: NDArray[np.floating]) -> None:
    topics = [f"/suit/unit{number}/data" for number in range(6)]
    lab = start_lab(imu_topics=topics, topics=topics, stale_after=HOUR)
    lab.play(imu[:30], hurry=True)
    assert lab.wait_for(20)[-1].status == OK


def test_node_namespaces_keep_subjects_apart(start_lab: StartLab, imu: NDArray[np.floating]) -> None:
    labs = [start_lab(namespace=name, stale_after=HOUR) for name in ("/alice", "/bob")]
    labs[0].play(imu[:30], hurry=True)
    labs[0].wait_for(20)
    assert not labs[1].messages
    topics = {"/alice/imu/left_foot", "/alice/muscle_activation", "/bob/muscle_activation"}
    labs[0].wait(lambda: topics <= set(dict(labs[0].node.get_topic_names_and_types())), f"topics {topics}")


def test_node_follows_remapping(start_lab: StartLab, context: rclpy.Context, imu: NDArray[np.floating]) -> None:
    arguments = ["-r", "imu/left_foot:=/xsens/unit17", "-r", "calibrate:=adapt"]
    names = ["right_foot", "right_shank", "right_thigh", "left_foot", "left_shank", "left_thigh"]
    topics = ["/xsens/unit17" if name == "left_foot" else f"imu/{name}" for name in names]
    lab = start_lab(arguments=arguments, topics=topics, stale_after=HOUR)
    lab.play(imu[:30], hurry=True)
    assert lab.wait_for(20)[-1].status == OK
    lab.wait(lambda: "/adapt" in dict(lab.node.get_service_names_and_types()), "service /adapt")


def test_node_serves_parameters_while_estimating(start_lab: StartLab, imu: NDArray[np.floating]) -> None:
    lab = start_lab(namespace="/suit", stale_after=HOUR)
    lab.play(imu[:30], hurry=True)
    assert {"bundle", "deadline", "engine", "use_sim_time"} <= set(lab.parameters())
    lab.wait_for(20)
