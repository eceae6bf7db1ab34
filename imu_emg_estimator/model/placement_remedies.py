"""What undoes an error in how sensors are worn: an exchange, a rotation, or an inversion of their axes.

Torch-free, and free of scipy: the live path uses it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, permutations, product

import numpy as np

from imu_emg_estimator.recording import FloatArray
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.rig_schema import AXES
from imu_emg_estimator.signals.mounting_rotation import turn_mounts

SLIP_DEG = 45.0
ZERO = 1e-6  # an entry of a quaternion or a direction that is 0 but for rounding


@dataclass(frozen=True, eq=False)
class Remedy:
    """Correction of one placement error: a rotation or an inversion of sensors, or an exchange of several.

    Attributes:
        sensors: indices of the affected sensors.
        sources: [sensors] for every place on the body, the sensor that is worn there.
        rotation: [3, 3] from the affected sensors' axes to the rig's, with determinant -1 for an inversion; None for an
            exchange.
    """

    sensors: tuple[int, ...]
    sources: tuple[int, ...]
    rotation: FloatArray | None = None

    @property
    def is_inversion(self) -> bool:
        """Whether no way of wearing the sensor explains the error: its driver has a wrong sign."""
        return self.rotation is not None and bool(np.linalg.det(self.rotation) < 0)

    @property
    def is_slip(self) -> bool:
        """Whether the sensor is turned by less than a right angle."""
        return self.rotation is not None and not self.is_inversion and rotation_angle(self.rotation) < 90.0 - ZERO

    def rotations(self) -> FloatArray:
        """Return the rotation of every place [sensors, 3, 3]."""
        result = np.tile(np.eye(3), (len(self.sources), 1, 1))
        if self.rotation is not None:
            result[list(self.sensors)] = self.rotation
        return result

    def apply(self, imu: FloatArray) -> FloatArray:
        """Correct samples [samples, sensors, 6]: return those of correctly placed sensors."""
        return turn_mounts(imu[:, list(self.sources)], self.rotations())

    def quaternion(self) -> tuple[float, ...]:
        """Return the rotation as x y z w, for the parameter ``sensor_rotations``."""
        matrix = np.eye(3) if self.rotation is None else self.rotation
        return tuple(float(value) + 0.0 for value in np.round(_quaternion(matrix), 4))

    def fault(self) -> str:
        """Describe the error, to follow the sensors' names in a sentence."""
        if self.rotation is None:
            return "the sides look exchanged" if len(self.sensors) > 2 else "look exchanged"
        if self.is_inversion:
            return f"{'sends' if len(self.sensors) == 1 else 'send'} {_negated_in_words(self.rotation)} negated"
        if self.is_slip:
            return f"looks slipped by about {_turn_in_words(self.rotation.T)}"
        return f"looks turned by {_turn_in_words(self.rotation.T)}"

    def advice(self) -> str:
        """Say what to do about it, as an imperative."""
        if self.rotation is None:
            return "exchange the sensors, or their topics"
        if self.is_inversion:
            return "correct the sign in its driver: at rest, the axis that points up must show +9.8 m/s²"
        if self.is_slip:
            return "attach it as in the training data"
        rotation = " ".join(f"{value:g}" for value in self.quaternion())
        return f"attach it as in the training data, or give it the rotation {rotation} (x y z w)"

    def describe(self) -> str:
        """Describe fault and remedy, to follow the sensors' names in a sentence."""
        return f"{self.fault()}; {self.advice()}"


def remedies(rig: Rig) -> Iterator[Remedy]:
    """Yield a remedy for every placement error that is considered in a recording."""
    places = tuple(range(len(rig.sensors)))
    for rotation in (*right_angles(), -np.eye(3)):
        for sensor in places:
            yield Remedy((sensor,), places, rotation)
    yield from exchanges(rig)
    yield all_negated(rig)


def exchanges(rig: Rig) -> Iterator[Remedy]:
    """Yield the exchange of every two sensors, and that of all left with all right ones."""
    places = tuple(range(len(rig.sensors)))
    for a, b in combinations(places, 2):
        order = list(places)
        order[a], order[b] = b, a
        yield Remedy((a, b), tuple(order))
    if rig.is_mirrorable and len(places) > 2:
        twins = tuple(int(twin) for twin in rig.mirror_sensors())
        if concerned := tuple(place for place in places if twins[place] != place):
            yield Remedy(concerned, twins)


def all_negated(rig: Rig) -> Remedy:
    """Return the inversion of every sensor: a driver that shows gravity as -g at rest."""
    places = tuple(range(len(rig.sensors)))
    return Remedy(places, places, -np.eye(3))


def right_angles() -> Iterator[FloatArray]:
    """Yield the 23 rotations [3, 3] that map axes to axes, without the identity."""
    for order in permutations(range(3)):
        for signs in product((1.0, -1.0), repeat=3):
            matrix = np.zeros((3, 3))
            matrix[range(3), order] = signs
            if np.linalg.det(matrix) > 0 and not np.array_equal(matrix, np.eye(3)):
                yield matrix


def inversions() -> Iterator[FloatArray]:
    """Yield the inversions [3, 3] that a wrong sign in a driver makes: of all axes, and of one."""
    yield -np.eye(3)
    for axis in range(3):
        matrix = np.eye(3)
        matrix[axis, axis] = -1.0
        yield matrix


def slips() -> Iterator[FloatArray]:
    """Yield rotations [3, 3] by ``SLIP_DEG`` about the axes and the diagonals between them."""
    for axis in product((-1.0, 0.0, 1.0), repeat=3):
        if any(axis):
            yield rotation_about(np.array(axis), SLIP_DEG)


def rotation_about(axis: FloatArray, degrees: float) -> FloatArray:
    """Return the rotation [3, 3] about an axis of any length, by Rodrigues' formula."""
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    angle = math.radians(degrees)
    return np.asarray(np.eye(3) + math.sin(angle) * cross + (1.0 - math.cos(angle)) * cross @ cross)


def rotation_angle(rotation: FloatArray) -> float:
    """Return by how much a rotation [3, 3] turns [degrees]."""
    return math.degrees(math.acos(min(1.0, max(-1.0, (float(np.trace(rotation)) - 1.0) / 2.0))))


def _quaternion(rotation: FloatArray) -> FloatArray:
    """Convert a rotation [3, 3] to x y z w, the last that is not 0 positive (Bar-Itzhack 2000)."""
    r = rotation
    off = np.array([r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]])
    whole = np.zeros((4, 4))
    whole[:3, :3] = r + r.T - np.trace(r) * np.eye(3)
    whole[:3, 3] = whole[3, :3] = off
    whole[3, 3] = np.trace(r)
    quaternion = np.linalg.eigh(whole)[1][:, -1]
    decisive = next(value for value in quaternion[[3, 0, 1, 2]] if abs(value) > ZERO)
    return np.asarray(quaternion * math.copysign(1.0, decisive))


def _turn_in_words(rotation: FloatArray) -> str:
    vector = _quaternion(rotation)[:3]
    angle = rotation_angle(rotation)
    axis = np.round(vector / np.abs(vector).max()).astype(int)
    single = np.flatnonzero(axis)
    if len(single) == 1:
        sign = "" if axis[single[0]] > 0 or round(angle) == 180 else "-"
        return f"{sign}{angle:.0f}° about its {AXES[single[0]]} axis"
    return f"{angle:.0f}° about its direction ({', '.join(map(str, axis))})"


def _negated_in_words(inversion: FloatArray) -> str:
    axes = np.flatnonzero(np.diag(inversion) < 0)
    return "all axes" if len(axes) != 1 else f"its {AXES[axes[0]]} axis"
