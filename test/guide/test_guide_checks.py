"""The two live checks: what is worn wrongly is named, what is right is not."""

from dataclasses import replace

import numpy as np
import pytest
from fixtures.guided_subject import changed, standing_of, stands, steps, worn
from scipy.spatial.transform import Rotation

from imu_emg_estimator.guide.leg_check import can_step, check_step
from imu_emg_estimator.guide.live_samples import LiveSamples
from imu_emg_estimator.guide.sensor_problems import Problem
from imu_emg_estimator.guide.standing_check import check_standing, standing_directions
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.utils.shipped_files import shipped_bundle

RIGHT_FOOT, RIGHT_SHANK, RIGHT_THIGH, LEFT_FOOT, LEFT_SHANK, LEFT_THIGH = range(6)


def named(problems: list[Problem]) -> list[tuple[str, tuple[str, ...]]]:
    return [(problem.kind, problem.sensors) for problem in problems]


def pose(samples: LiveSamples, rig: Rig) -> list[Problem]:
    return check_standing(samples, rig, standing_of(rig))


def turned(samples: LiveSamples, sensor: int, axis: str, degrees: float) -> LiveSamples:
    imu = samples.sensors[sensor].imu.copy()
    imu[:, :3] = imu[:, :3] @ Rotation.from_euler(axis, degrees, degrees=True).as_matrix().T
    return changed(samples, sensor, imu=imu)


# the pose


def test_who_stands_right_is_told_nothing(rig: Rig) -> None:
    assert pose(stands(rig), rig) == []


@pytest.mark.parametrize(
    ("sensor", "axis", "degrees", "kind"),
    [
        (RIGHT_SHANK, "y", 180, "upside_down"),
        (LEFT_THIGH, "z", 180, "upside_down"),
        (LEFT_SHANK, "y", 90, "turned"),
        (RIGHT_FOOT, "x", 90, "turned"),
    ],
)
def test_one_sensor_the_wrong_way_round(rig: Rig, sensor: int, axis: str, degrees: float, kind: str) -> None:
    problems = pose(turned(stands(rig), sensor, axis, degrees), rig)
    name = rig.sensor_names[sensor]
    assert named(problems) == [(kind, (name,))]
    assert name.replace("_", " ") in problems[0].text


@pytest.mark.parametrize("angle", [-30, 30])
def test_a_little_askew_is_no_fault(rig: Rig, angle: float) -> None:
    assert pose(turned(stands(rig), RIGHT_SHANK, "y", angle), rig) == []


def test_foot_and_shank_exchanged(rig: Rig) -> None:
    order = [RIGHT_FOOT, RIGHT_SHANK, RIGHT_THIGH, LEFT_SHANK, LEFT_FOOT, LEFT_THIGH]
    assert named(pose(worn(stands(rig), order), rig)) == [("exchanged", ("left_foot", "left_shank"))]


def test_several_faults_at_once(rig: Rig) -> None:
    samples = turned(stands(rig), RIGHT_THIGH, "y", 180)
    samples = changed(samples, LEFT_FOOT, receipts=np.empty(0), imu=np.empty((0, 6)))
    assert named(pose(samples, rig)) == [("silent", ("left_foot",)), ("upside_down", ("right_thigh",))]


def test_who_moves_is_asked_to_stand_still(rig: Rig) -> None:
    samples = stands(rig, moving=rig.sensor_names)
    assert [problem.kind for problem in pose(samples, rig)] == ["moved"]


def test_a_sensor_that_moves_alone_is_loose(rig: Rig) -> None:
    assert named(pose(stands(rig, moving=["left_shank"]), rig)) == [("loose", ("left_shank",))]


@pytest.mark.parametrize(
    ("factor", "kind"), [(1 / 9.81, "unit"), (1000 / 9.81, "unit"), (0.01, "unit"), (1.3, "gravity")]
)
def test_gravity_that_is_not_what_it_should_be(rig: Rig, factor: float, kind: str) -> None:
    samples = stands(rig)
    samples = changed(samples, LEFT_THIGH, imu=samples.sensors[LEFT_THIGH].imu * factor)
    assert named(pose(samples, rig)) == [(kind, ("left_thigh",))]


def test_without_training_subjects_who_stood_directions_are_not_judged(rig: Rig, bundle: Bundle) -> None:
    assert standing_directions(bundle.distribution, 6) is None  # the tiny bundle knows none
    assert check_standing(turned(stands(rig), RIGHT_SHANK, "y", 180), rig, None) == []


def test_the_shipped_model_knows_how_its_subjects_stood(rig: Rig) -> None:
    shipped = Bundle.load(shipped_bundle())
    standing = standing_directions(shipped.distribution, 6)
    assert standing is not None
    assert check_standing(stands(rig), rig, standing) == []
    problems = check_standing(turned(stands(rig), RIGHT_SHANK, "y", 180), rig, standing)
    assert named(problems) == [("upside_down", ("right_shank",))]


# the connection


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"topic": None, "receipts": np.empty(0), "imu": np.empty((0, 6))}, "no_topic"),
        ({"receipts": np.empty(0), "imu": np.empty((0, 6))}, "silent"),
        ({"receipts": np.arange(40) / 10, "imu": np.random.default_rng(0).standard_normal((40, 6))}, "slow"),
        ({"receipts": np.arange(100) / 60, "imu": np.random.default_rng(0).standard_normal((100, 6))}, "gaps"),
        ({"receipts": np.arange(240) / 60, "imu": np.full((240, 6), np.nan)}, "no_acceleration"),
        ({"receipts": np.arange(240) / 60, "imu": np.tile([0, 0, 9.81, 0, 0, 0], (240, 1))}, "stuck"),
    ],
)
@pytest.mark.parametrize("check", [pose, check_step])
def test_connection(rig: Rig, values: dict[str, object], kind: str, check: object) -> None:
    samples = stands(rig) if check is pose else replace(steps(rig), seconds=4.0)
    problems = check(changed(samples, LEFT_SHANK, **values), rig)
    assert named(problems) == [(kind, ("left_shank",))]
    assert "left shank" in problems[0].text


def test_nothing_at_all_is_said_once(rig: Rig) -> None:
    samples = stands(rig)
    for sensor in range(6):
        samples = changed(samples, sensor, topic=None, receipts=np.empty(0), imu=np.empty((0, 6)))
    problems = pose(replace(samples, other_topics=("/x/imu",)), rig)
    assert named(problems) == [("silent", rig.sensor_names)]
    assert "/x/imu" in problems[0].text


def test_emg_that_does_not_come(rig: Rig) -> None:
    assert named(pose(replace(stands(rig), emg_messages=0), rig)) == [("no_emg", ())]
    assert named(pose(replace(stands(rig), emg_topic=None, emg_messages=0), rig)) == [("no_emg", ())]


# the step


def test_a_step_of_the_right_leg(rig: Rig) -> None:
    assert check_step(steps(rig), rig) == []


def test_left_for_right(rig: Rig) -> None:
    sides = [LEFT_FOOT, LEFT_SHANK, LEFT_THIGH, RIGHT_FOOT, RIGHT_SHANK, RIGHT_THIGH]
    problems = check_step(worn(steps(rig), sides), rig)
    assert [problem.kind for problem in problems] == ["sides_exchanged"]
    assert "the left leg moved" in problems[0].text


def test_two_sensors_left_for_right(rig: Rig) -> None:
    order = [RIGHT_FOOT, LEFT_SHANK, RIGHT_THIGH, LEFT_FOOT, RIGHT_SHANK, LEFT_THIGH]
    problems = check_step(worn(steps(rig), order), rig)
    assert named(problems) == [("exchanged", ("right_shank", "left_shank"))]


def test_both_legs_or_none(rig: Rig) -> None:
    assert [p.kind for p in check_step(stands(rig, 8.0, rig.sensor_names), rig)] == ["both_legs"]
    assert [p.kind for p in check_step(stands(rig, 8.0), rig)] == ["no_step"]


def test_a_sensor_that_does_not_go_with_its_leg(rig: Rig) -> None:
    problems = check_step(stands(rig, 8.0, ["right_foot", "right_thigh"]), rig)
    assert named(problems) == [("stays_behind", ("right_shank",))]


def test_a_rig_on_one_leg_has_no_step_to_make(rig: Rig) -> None:
    assert can_step(rig)
    assert not can_step(replace(rig, sensors=rig.sensors[:3], muscles=rig.muscles[:1]))
