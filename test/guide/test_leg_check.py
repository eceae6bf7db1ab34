"""The leg check: sensors on the wrong leg are named, and only those."""

from dataclasses import replace

from fixtures.guided_subject import named, stands, steps, worn

from imu_emg_estimator.guide.leg_check import can_step, check_step
from imu_emg_estimator.rig import Rig

RIGHT_FOOT, RIGHT_SHANK, RIGHT_THIGH, LEFT_FOOT, LEFT_SHANK, LEFT_THIGH = range(6)


def test_check_step_accepts_right_leg(rig: Rig) -> None:
    assert check_step(steps(rig), rig) == []


def test_check_step_names_exchanged_sides(rig: Rig) -> None:
    sides = [LEFT_FOOT, LEFT_SHANK, LEFT_THIGH, RIGHT_FOOT, RIGHT_SHANK, RIGHT_THIGH]
    problems = check_step(worn(steps(rig), sides), rig)
    assert [problem.kind for problem in problems] == ["sides_exchanged"]
    assert "the left leg moved" in problems[0].text


def test_check_step_names_exchanged_pair(rig: Rig) -> None:
    order = [RIGHT_FOOT, LEFT_SHANK, RIGHT_THIGH, LEFT_FOOT, RIGHT_SHANK, LEFT_THIGH]
    problems = check_step(worn(steps(rig), order), rig)
    assert named(problems) == [("exchanged", ("right_shank", "left_shank"))]


def test_check_step_refuses_both_legs_and_no_leg(rig: Rig) -> None:
    assert [p.kind for p in check_step(stands(rig, 8.0, rig.sensor_names), rig)] == ["both_legs"]
    assert [p.kind for p in check_step(stands(rig, 8.0), rig)] == ["no_step"]


def test_check_step_names_detached_sensor(rig: Rig) -> None:
    problems = check_step(stands(rig, 8.0, ["right_foot", "right_thigh"]), rig)
    assert named(problems) == [("stays_behind", ("right_shank",))]


def test_can_step_needs_sensors_on_both_legs(rig: Rig) -> None:
    assert can_step(rig)
    assert not can_step(replace(rig, sensors=rig.sensors[:3], muscles=rig.muscles[:1]))
