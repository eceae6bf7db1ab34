"""The assistance begins when all is right, stays within its limits, and ends when anything is lost."""

import math
from itertools import pairwise
from typing import Any

import pytest
from fixtures.assistance_inputs import PERIOD_S, START_S, FedController, torque_of
from fixtures.gate_runs import Message

from imu_emg_estimator.assistance.assistance_settings import ZERO_WITHIN_S

SETTLED = 3.0  # s after which torque has risen
LOSSES: dict[str, dict[str, Any]] = {
    "no estimates": {"message": None},
    "stale": {"message": {"status": 3}},
    "unlike training": {"message": {"status": 4}},
    "nan": {"message": {"activation": (math.nan, 0.2)}},
    "infinite": {"message": {"activation": (math.inf, 0.2)}},
    "other muscles": {"message": {"muscle_names": ("left", "right")}},
    "old": {"message": {"age": 0.4}},
    "deadman released": {"deadman": False},
    "deadman silent": {"deadman": None},
    "no angles": {"angles": None},
    "angles of others": {"angles": {"hip": 0.1}},
    "angle nan": {"angles": {"knee": math.nan}},
    "angle infinite": {"angles": {"knee": math.inf}},
    "angle in degrees": {"angles": {"knee": -57.0}},
    "angle old": {"delay": 0.2},
    "angle from the future": {"delay": -0.2},
}


def test_torque_is_gain_times_moment_arm_times_activation() -> None:
    assert FedController().run(SETTLED) == pytest.approx([0.5 * 200 * 0.03, -0.2 * 100 * 0.1])


def test_moment_arm_follows_the_angle() -> None:
    fed = FedController()
    fed.run(SETTLED)
    assert fed.run(SETTLED, angles={"knee": 0.0})[0] == pytest.approx(0.5 * 200 * 0.04)


def test_torque_never_exceeds_its_limit_nor_its_rate() -> None:
    fed = FedController()
    fed.run(SETTLED, message={"activation": (1.0, 0.9)})
    knee = torque_of(fed.torques, 0)
    assert max(knee) == pytest.approx(6.0)
    assert max(after - before for before, after in pairwise(knee)) <= 40.0 * PERIOD_S + 1e-9
    assert max(map(abs, torque_of(fed.torques, 1))) == 5.0


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_torque_is_zero_within_300_ms_of_a_loss(loss: dict[str, Any]) -> None:
    fed = FedController()
    fed.run(SETTLED)
    before = len(fed.torques)
    assert fed.run(1.0, **loss) == [0.0, 0.0]
    assert 0 < fed.steps_to_zero(before) * PERIOD_S <= ZERO_WITHIN_S


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_torque_returns_only_after_recovery(loss: dict[str, Any]) -> None:
    fed = FedController()
    fed.run(SETTLED)
    fed.run(1.0, **loss)
    assert fed.run(0.9) == [0.0, 0.0]
    assert all(fed.run(1.0))


@pytest.mark.parametrize("leap", [-100.0, -0.1, 0.2, 100.0])
def test_clock_that_leaps_does_not_move_the_joint_beyond_its_rate(leap: float) -> None:
    fed = FedController()
    fed.run(SETTLED)
    fed.run(SETTLED, clock=leap)
    changes = [abs(after - before) for before, after in pairwise(torque_of(fed.torques, 0))]
    assert max(changes) <= 100.0 * PERIOD_S + 1e-9  # of a fade-out from the largest torque
    assert fed.torques[-1][0] == pytest.approx(3.0)


def test_release_shorter_than_a_step_ends_assistance() -> None:
    fed = FedController()
    fed.run(SETTLED)
    fed.controller.receive_deadman(False, fed.now)
    before = len(fed.torques)
    fed.run(0.9)
    assert fed.torques[-1] == [0.0, 0.0]
    assert fed.steps_to_zero(before) * PERIOD_S <= 0.12


def test_flickering_switch_gives_no_torque() -> None:
    fed = FedController()
    for step in range(400):
        fed.run(PERIOD_S, deadman=step % 50 > 0)
    assert not any(any(torques) for torques in fed.torques)


def test_two_switches_that_disagree_give_no_torque() -> None:
    fed = FedController()
    for _ in range(400):
        fed.controller.receive_deadman(False, fed.now)
        fed.run(PERIOD_S)
    assert not any(any(torques) for torques in fed.torques)


def test_messages_before_the_switch_is_held_count_for_nothing() -> None:
    fed = FedController()
    fed.run(5.0, deadman=None)
    assert fed.run(0.9) == [0.0, 0.0]


def test_switch_and_angles_are_not_needed_where_the_file_says_so() -> None:
    arm = {"name": "right", "gain": 200.0, "moment_arm": 0.03}
    joint = {"name": "knee", "max_torque": 10.0, "max_torque_rate": 40.0, "muscles": [arm]}
    fed = FedController(deadman=False, joints=[joint])
    assert fed.run(SETTLED, deadman=None, angles=None) == pytest.approx([3.0])


def test_antagonists_do_not_raise_torque_while_they_fade() -> None:
    muscles = [
        {"name": "right", "gain": 200.0, "moment_arm": 0.03},
        {"name": "left", "gain": 200.0, "moment_arm": -0.03},
    ]
    joint = {"name": "knee", "max_torque": 10.0, "max_torque_rate": 40.0, "muscles": muscles}
    fed = FedController(joints=[joint])
    fed.run(SETTLED, message={"activation": (0.9, 0.8)})
    before = len(fed.torques)
    fed.run(0.5, message={"status": 3})
    fading = [abs(torque) for torque in torque_of(fed.torques[before - 1 :], 0)]
    assert fading == sorted(fading, reverse=True)


def test_stop_fades_out_and_start_needs_recovery() -> None:
    fed = FedController()
    fed.run(SETTLED)
    fed.controller.stop()
    before = len(fed.torques)
    assert fed.run(0.5) == [0.0, 0.0]
    assert fed.steps_to_zero(before) * PERIOD_S <= 0.12
    fed.controller.start()
    assert fed.run(0.9) == [0.0, 0.0]
    assert all(fed.run(1.0))


@pytest.mark.parametrize("period", [0.0, -1.0, math.nan, math.inf, 5.0])
def test_period_that_is_nonsense_raises_no_torque(period: float) -> None:
    fed = FedController()
    fed.run(SETTLED)
    last = fed.torques[-1]
    fed.controller.receive_activation(Message(fed.now - 0.02, activation=(1.0, 1.0)), fed.now)
    torques = fed.controller.update(fed.now, period)
    assert all(abs(after) <= abs(before) for before, after in zip(last, torques, strict=True))


@pytest.mark.parametrize(
    ("loss", "reason"),
    [
        ({"deadman": None}, "nothing from the dead man's switch"),
        ({"deadman": False}, "dead man's switch released"),
        ({"angles": None}, "no usable angle of joint 'knee'"),
        ({"message": None}, "too old"),
        ({}, ""),
    ],
)
def test_reason_says_what_is_missing(loss: dict[str, Any], reason: str) -> None:
    fed = FedController()
    fed.run(SETTLED)
    fed.run(1.0, **loss)
    assert fed.controller.reason == reason
    assert fed.controller.share == (0.0 if reason else 1.0)


@pytest.mark.parametrize(
    ("required", "question"),
    [("left_thigt", "did you mean 'left_thigh'?"), ("imu7", "its sensors are foot, left_thigh")],
)
def test_required_sensor_that_the_estimator_has_not_is_named_and_ends_assistance(required: str, question: str) -> None:
    fed = FedController(trust={"required_sensors": [required]})
    fed.run(SETTLED)
    assert any(fed.torques[-1])
    fed.controller.receive_sensors(["foot", "left_thigh"])
    assert fed.controller.reason == (
        f"required_sensors names '{required}', which is no sensor of the estimator; {question}"
    )
    assert fed.run(1.0) == [0.0, 0.0]
    fed.controller.receive_sensors(["foot", required])  # another estimator
    assert any(fed.run(SETTLED))


def test_controller_begins_stopped() -> None:
    fed = FedController()
    fed.controller.stop()
    assert fed.controller.reason == "stopped"
    assert fed.controller.update(START_S, PERIOD_S) == [0.0, 0.0]
