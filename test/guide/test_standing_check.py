"""The standing check: sensors that are attached wrongly are named, and only those."""

from dataclasses import replace

import numpy as np
import pytest
from fixtures.guided_subject import changed, named, standing_of, stands, worn
from scipy.spatial.transform import Rotation

from imu_emg_estimator.guide.live_samples import LiveSamples
from imu_emg_estimator.guide.sensor_problems import Problem
from imu_emg_estimator.guide.standing_check import check_standing, standing_directions
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.utils.shipped_files import shipped_bundle

RIGHT_FOOT, RIGHT_SHANK, RIGHT_THIGH, LEFT_FOOT, LEFT_SHANK, LEFT_THIGH = range(6)


def pose(samples: LiveSamples, rig: Rig) -> list[Problem]:
    return check_standing(samples, rig, standing_of(rig))


def turned(samples: LiveSamples, sensor: int, axis: str, degrees: float) -> LiveSamples:
    imu = samples.sensors[sensor].imu.copy()
    imu[:, :3] = imu[:, :3] @ Rotation.from_euler(axis, degrees, degrees=True).as_matrix().T
    return changed(samples, sensor, imu=imu)


def test_check_standing_accepts_correct_sensors(rig: Rig) -> None:
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
def test_check_standing_names_turned_sensor(rig: Rig, sensor: int, axis: str, degrees: float, kind: str) -> None:
    problems = pose(turned(stands(rig), sensor, axis, degrees), rig)
    name = rig.sensor_names[sensor]
    assert named(problems) == [(kind, (name,))]
    assert name.replace("_", " ") in problems[0].text


@pytest.mark.parametrize(("axis", "accepted"), [("y", True), ("z", True), ("x", False)])
def test_check_standing_accepts_sensor_that_is_worn_either_way(rig: Rig, axis: str, accepted: bool) -> None:
    """Upside down, a shank is turned about y or z; about x, gravity stays where it is."""
    sensors = [replace(own, either_way=axis if i == RIGHT_SHANK else "none") for i, own in enumerate(rig.sensors)]
    upside_down = turned(stands(rig), RIGHT_SHANK, "y", 180)
    assert (pose(upside_down, replace(rig, sensors=tuple(sensors))) == []) is accepted


@pytest.mark.parametrize("angle", [-30, 30])
def test_check_standing_accepts_small_tilt(rig: Rig, angle: float) -> None:
    assert pose(turned(stands(rig), RIGHT_SHANK, "y", angle), rig) == []


def test_check_standing_names_exchanged_foot_and_shank(rig: Rig) -> None:
    order = [RIGHT_FOOT, RIGHT_SHANK, RIGHT_THIGH, LEFT_SHANK, LEFT_FOOT, LEFT_THIGH]
    assert named(pose(worn(stands(rig), order), rig)) == [("exchanged", ("left_foot", "left_shank"))]


def test_check_standing_names_several_problems(rig: Rig) -> None:
    samples = turned(stands(rig), RIGHT_THIGH, "y", 180)
    samples = changed(samples, LEFT_FOOT, receipts=np.empty(0), imu=np.empty((0, 6)))
    assert named(pose(samples, rig)) == [("silent", ("left_foot",)), ("upside_down", ("right_thigh",))]


def test_check_standing_asks_moving_subject_to_stand_still(rig: Rig) -> None:
    samples = stands(rig, moving=rig.sensor_names)
    assert [problem.kind for problem in pose(samples, rig)] == ["moved"]


def test_check_standing_names_loose_sensor(rig: Rig) -> None:
    assert named(pose(stands(rig, moving=["left_shank"]), rig)) == [("loose", ("left_shank",))]


@pytest.mark.parametrize(
    ("factor", "kind"), [(1 / 9.81, "unit"), (1000 / 9.81, "unit"), (0.01, "unit"), (1.3, "gravity")]
)
def test_check_standing_names_wrong_gravity(rig: Rig, factor: float, kind: str) -> None:
    samples = stands(rig)
    samples = changed(samples, LEFT_THIGH, imu=samples.sensors[LEFT_THIGH].imu * factor)
    assert named(pose(samples, rig)) == [(kind, ("left_thigh",))]


def test_check_standing_without_reference_skips_directions(rig: Rig, bundle: Bundle) -> None:
    assert standing_directions(bundle.distribution, rig) is None  # the tiny bundle knows none
    assert check_standing(turned(stands(rig), RIGHT_SHANK, "y", 180), rig, None) == []


def test_check_standing_with_reference_of_shipped_bundle(rig: Rig) -> None:
    shipped = Bundle.load(shipped_bundle())
    standing = standing_directions(shipped.distribution, rig)
    assert standing is not None
    assert standing_directions(shipped.distribution, replace(rig, pose="sit")) is None  # nobody was recorded in it
    assert check_standing(stands(rig), rig, standing) == []
    problems = check_standing(turned(stands(rig), RIGHT_SHANK, "y", 180), rig, standing)
    assert named(problems) == [("upside_down", ("right_shank",))]
