"""The limb check: sensors on the wrong leg or arm are named, and only those."""

from dataclasses import replace

from fixtures.guided_subject import named, stands, steps, worn

from imu_emg_estimator.guide.limb_check import LIMBS, check_limb, paired_limb
from imu_emg_estimator.rig import Rig, Sensor

RIGHT_FOOT, RIGHT_SHANK, RIGHT_THIGH, LEFT_FOOT, LEFT_SHANK, LEFT_THIGH = range(6)
LEG, ARM = LIMBS


def test_check_limb_accepts_right_leg(rig: Rig) -> None:
    assert check_limb(steps(rig), rig, LEG) == []


def test_check_limb_names_exchanged_sides(rig: Rig) -> None:
    sides = [LEFT_FOOT, LEFT_SHANK, LEFT_THIGH, RIGHT_FOOT, RIGHT_SHANK, RIGHT_THIGH]
    problems = check_limb(worn(steps(rig), sides), rig, LEG)
    assert [problem.kind for problem in problems] == ["sides_exchanged"]
    assert "the left leg moved" in problems[0].text


def test_check_limb_names_exchanged_pair(rig: Rig) -> None:
    order = [RIGHT_FOOT, LEFT_SHANK, RIGHT_THIGH, LEFT_FOOT, RIGHT_SHANK, LEFT_THIGH]
    problems = check_limb(worn(steps(rig), order), rig, LEG)
    assert named(problems) == [("exchanged", ("right_shank", "left_shank"))]


def test_check_limb_refuses_both_legs_and_no_leg(rig: Rig) -> None:
    assert [p.kind for p in check_limb(stands(rig, 8.0, rig.sensor_names), rig, LEG)] == ["both_legs"]
    assert [p.kind for p in check_limb(stands(rig, 8.0), rig, LEG)] == ["no_step"]


def test_check_limb_names_detached_sensor(rig: Rig) -> None:
    problems = check_limb(stands(rig, 8.0, ["right_foot", "right_thigh"]), rig, LEG)
    assert named(problems) == [("stays_behind", ("right_shank",))]


def _on_arms(rig: Rig) -> Rig:
    """The same sensors, worn on both arms."""
    segments = {"foot": "hand", "shank": "forearm", "thigh": "upper_arm"}
    return replace(rig, sensors=tuple(replace(sensor, segment=segments[sensor.segment]) for sensor in rig.sensors))


def test_paired_limb_needs_sensors_on_both_sides(rig: Rig) -> None:
    assert paired_limb(rig) is LEG
    assert paired_limb(_on_arms(rig)) is ARM
    assert paired_limb(replace(rig, sensors=rig.sensors[:3], muscles=rig.muscles[:1])) is None
    ears = (Sensor("a", "head", "left"), Sensor("b", "head", "right"))
    assert paired_limb(replace(rig, sensors=ears)) is None


def test_check_limb_asks_for_the_arm_of_a_rig_on_arms(rig: Rig) -> None:
    arms = _on_arms(rig)
    assert check_limb(steps(rig), arms, ARM) == []
    (problem,) = check_limb(stands(rig, 8.0), arms, ARM)
    assert "No arm moved" in problem.text
    assert "raise the hand" in problem.text
