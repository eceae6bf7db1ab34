"""What a sensor does is told from gravity and movement, and what does not fit the rig is named."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from imu_emg_estimator.rig import Rig, Sensor
from imu_emg_estimator.rig_files.sensor_mounting import (
    Mounting,
    SensorTake,
    mounting_of,
    remarks_on,
    remarks_on_file,
)

RATE = 60.0
FOOT = Sensor("foot", "foot", "right")


def samples(up: tuple[float, float, float], turning: str = "", seconds: float = 20.0) -> NDArray[np.float64]:
    """Samples of a sensor that rests but for turning a little; [samples, 6]."""
    count = round(seconds * RATE)
    imu = np.zeros((count, 6))
    imu[:, :3] = 9.81 * np.array(up) / np.linalg.norm(up)
    wave = np.sin(2 * np.pi * np.arange(count) / RATE)
    imu[:, 0] += 3.0 * wave
    if turning:
        imu[:, 3 + "xyz".index(turning)] = 2 * wave
    return imu + 0.05 * np.random.default_rng(0).standard_normal(imu.shape)


def worn(rig: Rig, **changed: Mounting) -> list[Mounting]:
    """Mountings of a rig whose sensors all have x up, and turn about y."""
    usual = {own.name: mounting_of(own, SensorTake("/t", RATE, samples((1, 0, 0), "y"))) for own in rig.sensors}
    return list((usual | changed).values())


def test_mounting_tells_direction_axis_and_verdict() -> None:
    mounting = mounting_of(FOOT, SensorTake("/imu/foot", RATE, samples((0, 0, -1), "y")))
    assert (mounting.up_in_words, mounting.turns_about, mounting.verdict) == ("-z", "y", "good")
    tilted = mounting_of(FOOT, SensorTake("/imu/foot", RATE, samples((0, 0.5, 0.866))))
    assert (tilted.up_in_words, tilted.turns_about) == ("+z, 30° off", "")


def test_mounting_of_turning_limb_has_no_direction() -> None:
    imu = samples((1, 0, 0))
    half = len(imu) // 2
    imu[half:, 0] *= -1
    assert mounting_of(FOOT, SensorTake("/t", RATE, imu)).up_in_words == "changes"


def test_mounting_of_nothing_is_told() -> None:
    assert mounting_of(FOOT, None).verdict == "left out: no samples"
    assert mounting_of(FOOT, SensorTake("/t", 0.0, np.empty((0, 6)))).source == "/t"
    in_g = samples((1, 0, 0))
    in_g[:, :3] /= 9.81
    assert "as if in g" in mounting_of(FOOT, SensorTake("/t", RATE, in_g)).verdict


def test_remarks_are_none_for_a_rig_that_fits(rig: Rig) -> None:
    assert remarks_on(rig, worn(rig)) == []
    assert remarks_on_file(rig) == []


def test_remarks_name_slow_sensor(rig: Rig) -> None:
    (remark,) = remarks_on(rig, worn(rig, right_foot=replace(worn(rig)[0], rate=25.0)))
    assert "right_foot sends 25 Hz" in remark


def test_remarks_name_sensor_that_is_no_mirror_image(rig: Rig) -> None:
    upside_down = mounting_of(rig.sensors[1], SensorTake("/t", RATE, samples((-1, 0, 0), "y")))
    (remark,) = remarks_on(rig, worn(rig, right_shank=upside_down))
    assert "right_shank (-x up) and left_shank (+x up)" in remark


def test_remarks_name_exchanged_foot_and_shank(rig: Rig) -> None:
    usual = worn(rig)
    foot, shank = replace(usual[0], movement=2.0), replace(usual[1], movement=4.0)
    (remark,) = remarks_on(rig, worn(rig, right_foot=foot, right_shank=shank))
    assert "right_foot and right_shank look exchanged if this is walking" in remark


@pytest.mark.parametrize(("axis", "named"), [("y", False), ("z", True)])
def test_remarks_name_wrong_lateral_axis(rig: Rig, axis: str, named: bool) -> None:
    found = remarks_on(replace(rig, lateral_axis=axis), worn(rig))
    assert any("lateral_axis" in remark for remark in found) is named


def test_remarks_on_file_name_unknown_segment_and_missing_twin(rig: Rig) -> None:
    tail = replace(rig, sensors=(*rig.sensors, Sensor("tail", "tail", "left")))
    unknown, unpaired = remarks_on_file(tail)
    assert "segment 'tail'" in unknown
    assert "no twin" in unpaired
