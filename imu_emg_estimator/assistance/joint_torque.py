"""The torque of one joint: what the assistance of its muscles asks for, within the joint's limits."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from imu_emg_estimator.assistance.assistance_settings import JointSettings, MusclePull


class JointTorque:
    """Turns the assistance of the muscles into the torque of one joint.

    Attributes:
        torque: of the newest step [Nm].
    """

    def __init__(self, settings: JointSettings, muscles: Sequence[str], fade_out: float) -> None:
        """Start without torque.

        Args:
            muscles: names, in the order of the assistance.
            fade_out: s from full trust to none.
        """
        self.torque = 0.0
        self._pulls = [(muscles.index(pull.name), pull) for pull in settings.muscles]
        self._highest = settings.max_torque
        self._rise = settings.max_torque_rate
        self._fall = max(settings.max_torque_rate, settings.max_torque / fade_out)

    def step(
        self, assistance: Sequence[float], angle: float, gain: float, is_trusted: bool, elapsed: float, growth: float
    ) -> float:
        """Make one control step; return the torque.

        Args:
            assistance: of every muscle, 0 or more.
            angle: of the joint [rad]; any where no muscle needs it.
            gain: share of the highest torque that is granted, 0 to 1; falls from 1 to 0 in no less than ``fade_out``.
            is_trusted: torque may rise.
            elapsed: s for which it may fall.
            growth: s for which it may rise.
        """
        wanted = sum(assistance[muscle] * pull.gain * moment_arm(pull, angle) for muscle, pull in self._pulls)
        last, rise, fall = self.torque, self._rise * growth if is_trusted else 0.0, self._fall * elapsed
        if last >= 0.0:
            lowest, highest = max(last - fall, -rise), last + rise
        else:
            lowest, highest = last - rise, min(last + fall, rise)
        limit = gain * self._highest
        self.torque = min(max(min(max(wanted, lowest), highest), -limit), limit)
        return self.torque


def moment_arm(pull: MusclePull, angle: float) -> float:
    """Return the moment arm of a muscle [m] at an angle of its joint [rad]; beyond its table that of its end."""
    if pull.moment_arm is not None:
        return pull.moment_arm
    angles, arms = pull.angles, pull.moment_arms
    at = min(max(bisect_right(angles, angle), 1), len(angles) - 1)
    share = min(max((angle - angles[at - 1]) / (angles[at] - angles[at - 1]), 0.0), 1.0)
    return arms[at - 1] + share * (arms[at] - arms[at - 1])
