"""What each sensor of a rig does: topic, rate and verdict, which of its axes points up, how much it moves and turns.

Nothing is asked of a model: gravity tells what points up, angular rates about which axis a limb turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from imu_emg_estimator.recording import FloatArray, Recording
from imu_emg_estimator.rig import LOCOMOTION, Muscle, Rig, Sensor
from imu_emg_estimator.rig_schema import AXES, MAX_RATE_HZ, MIN_RATE_HZ, SEGMENTS
from imu_emg_estimator.signals.imu_units import GRAVITY_MPS2
from imu_emg_estimator.signals.signal_quality import sensor_verdicts

LEG = ("foot", "shank", "thigh")
MIN_UP_SHARE = 0.5  # of gravity, that the mean acceleration must have: else no axis points up all the time
MIN_TURNING_RADPS = 0.5  # root mean square
MIN_TURNING_SHARE = 0.6  # of one axis
MAX_MIRROR_DEG = 60.0  # between a sensor's direction of gravity and that of its mirrored twin
MIN_WALKING_MPS2 = 2.0  # standard deviation of a shank's acceleration
MIN_LEG_RATIO = 0.7  # of the movement of a foot to that of the shank, and of the shank to that of the thigh


@dataclass(frozen=True, eq=False)
class SensorTake:
    """Samples of one sensor: where they come from, their rate [Hz], and [samples, 6] in m/s² and rad/s."""

    source: str
    rate: float
    imu: FloatArray


@dataclass(frozen=True)
class Mounting:
    """What a sensor does.

    Attributes:
        source: topic or columns; empty = there is none.
        up: direction of gravity in the sensor's axes (3); None = it changes, or is not known.
        turns_about: x, y or z; empty = about no single axis.
        movement: standard deviation of the acceleration [m/s²].
        verdict: in words, "good" or what is wrong.
    """

    sensor: Sensor
    source: str
    rate: float
    up: tuple[float, float, float] | None
    turns_about: str
    movement: float
    verdict: str

    @property
    def up_in_words(self) -> str:
        """The axis that points up, and how far it is tilted."""
        if self.up is None:
            return "changes" if self.source else "-"
        axis = int(np.argmax(np.abs(self.up)))
        tilt = np.degrees(np.arccos(min(1.0, abs(self.up[axis]))))
        return f"{'+' if self.up[axis] > 0 else '-'}{AXES[axis]}" + (f", {tilt:.0f}° off" if tilt >= 10 else "")


def mounting_of(sensor: Sensor, take: SensorTake | None) -> Mounting:
    """Measure what a sensor does; None = nothing came of it."""
    if take is None or len(take.imu) < 2:
        return Mounting(sensor, take.source if take else "", 0.0, None, "", 0.0, "left out: no samples")
    acceleration = take.imu[np.isfinite(take.imu[:, :3]).all(axis=1), :3]
    movement = float(acceleration.std(axis=0).mean()) if len(acceleration) else 0.0
    turning = _turning_axis(take.imu[:, 3:])
    return Mounting(sensor, take.source, take.rate, _up(acceleration), turning, movement, _verdict(sensor, take))


def remarks_on(rig: Rig, mountings: Sequence[Mounting]) -> list[str]:
    """Say what does not fit the rig: a sentence each."""
    walks = bool(set(rig.movement_names) & set(LOCOMOTION))
    legs = _legs(mountings) if walks else []
    return [*_slow(rig, mountings), *_not_mirrored(rig, mountings), *legs, *_lateral(rig, mountings)]


def remarks_on_file(rig: Rig) -> list[str]:
    """Say what a rig file that is in order may still not mean."""
    remarks = [
        f"segment '{sensor.segment}' of {sensor.name} is a word of yours: it says nothing to the guide and the picture"
        for sensor in rig.sensors
        if sensor.segment not in SEGMENTS
    ]
    sides = {*(own.side for own in rig.sensors), *(own.side for own in rig.muscles)} - {"centre"}
    if len(sides) == 2 and not rig.is_mirrorable:
        remarks.append("a sensor or muscle has no twin on the other side: recordings are not used mirrored, too")
    return remarks


def _up(acceleration: FloatArray) -> tuple[float, float, float] | None:
    if not len(acceleration):
        return None
    mean = acceleration.mean(axis=0)
    length = float(np.linalg.norm(mean))
    if length < MIN_UP_SHARE * GRAVITY_MPS2:
        return None
    x, y, z = (float(value) for value in mean / length)
    return x, y, z


def _turning_axis(angular: FloatArray) -> str:
    known = angular[np.isfinite(angular).all(axis=1)]
    power = (known**2).mean(axis=0) if len(known) else np.zeros(3)
    if power.sum() < MIN_TURNING_RADPS**2 or power.max() < MIN_TURNING_SHARE * power.sum():
        return ""
    return AXES[int(power.argmax())]


def _verdict(sensor: Sensor, take: SensorTake) -> str:
    rig = Rig("one", float(np.clip(take.rate, MIN_RATE_HZ, MAX_RATE_HZ)), (sensor,), (Muscle("none", "none"),))
    samples = len(take.imu)
    nothing = np.full((samples, 1), np.nan)
    recording = Recording(
        "one", "", rig, 0.0, take.imu[:, None], nothing, "", np.zeros(1), np.full(samples, "unlabelled")
    )
    return sensor_verdicts(recording)[sensor.name]


def _slow(rig: Rig, mountings: Sequence[Mounting]) -> list[str]:
    return [
        f"{own.sensor.name} sends {own.rate:.0f} Hz, less than the rig's {rig.rate:g} Hz: raise it, or lower 'rate'"
        for own in mountings
        if own.source and own.rate < 0.95 * rig.rate
    ]


def _not_mirrored(rig: Rig, mountings: Sequence[Mounting]) -> list[str]:
    signs = rig.mirror_signs()[:3]
    places = {(own.sensor.segment, own.sensor.side): own for own in mountings if own.up is not None}
    found = []
    for (segment, side), own in places.items():
        twin = places.get((segment, "left")) if side == "right" else None
        if twin is None or own.up is None or twin.up is None:
            continue
        angle = np.degrees(np.arccos(np.clip(np.dot(np.array(own.up) * signs, twin.up), -1.0, 1.0)))
        if angle > MAX_MIRROR_DEG:
            found.append(
                f"{own.sensor.name} ({own.up_in_words} up) and {twin.sensor.name} ({twin.up_in_words} up) are no "
                f"mirror images (by {angle:.0f}°): turn one, or give 'sensor_rotations'; where all recordings are "
                f"like that, call the segment of one '{segment}_turned', so that training uses none mirrored"
            )
    return found


def _legs(mountings: Sequence[Mounting]) -> list[str]:
    """In walking a foot moves more than its shank, and that more than its thigh."""
    found = []
    for side in dict.fromkeys(own.sensor.side for own in mountings):
        leg = {own.sensor.segment: own for own in mountings if own.sensor.side == side and own.source}
        for lower, upper in (LEG[:2], LEG[1:]):
            if lower in leg and upper in leg and leg[upper].movement > MIN_WALKING_MPS2:
                ratio = leg[lower].movement / leg[upper].movement
                if ratio < MIN_LEG_RATIO:
                    names = f"{leg[lower].sensor.name} and {leg[upper].sensor.name}"
                    found.append(f"{names} look exchanged if this is walking: the {lower} moves less than the {upper}")
    return found


def _lateral(rig: Rig, mountings: Sequence[Mounting]) -> list[str]:
    """Legs turn about the axis that points sideways."""
    turning = [own.turns_about for own in mountings if own.sensor.segment in LEG and own.turns_about]
    if len(turning) < 2 or turning.count(rig.lateral_axis) > len(turning) / 2:
        return []
    most = max(AXES, key=turning.count)
    if turning.count(most) <= len(turning) / 2:
        return []
    return [f"the legs turn about {most}, which therefore points sideways: is lateral_axis '{rig.lateral_axis}' right?"]
