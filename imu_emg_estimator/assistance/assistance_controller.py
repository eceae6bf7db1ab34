"""AssistanceController: muscle activation, dead man's switch and joint angles in, joint torques out."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from difflib import get_close_matches
from types import SimpleNamespace
from typing import Any

from imu_emg_estimator.activation_gate import ActivationGate, counted_period
from imu_emg_estimator.assistance.assistance_settings import AssistanceSettings
from imu_emg_estimator.assistance.joint_angles import JointAngles
from imu_emg_estimator.assistance.joint_torque import JointTorque
from imu_emg_estimator.streaming.activation_status import STALE

# What the gate is told while something other than the estimates is missing, so that torque fades as it does for them.
NOTHING_TO_TRUST: Any = SimpleNamespace(status=STALE, header=SimpleNamespace(stamp=SimpleNamespace(sec=0, nanosec=0)))

STOPPED = "stopped"
RELEASED = "dead man's switch released"
NO_DEADMAN = "nothing from the dead man's switch"
RIVAL = "two publishers of "
NO_ANGLE = "no usable angle of joint "


class AssistanceController:
    """Turns what the robot knows into the torque of every joint, within the limits of the settings.

    Torque rises only while all is trusted, and is zero within ``ZERO_WITHIN_S`` of the loss of any of it. It begins
    stopped. Not thread-safe.

    Attributes:
        settings: in use.
        joints: their names, in order.
        rival: topic on which another node publishes too, where there may be only one; empty = none. Two of them
            alternate, and keep no limit together.
    """

    def __init__(self, settings: AssistanceSettings) -> None:
        self.settings = settings
        self.joints = [joint.name for joint in settings.joints]
        self._gate = ActivationGate(settings.muscles, settings.trust)
        self._torques = [JointTorque(joint, settings.muscles, settings.trust.fade_out) for joint in settings.joints]
        ranges = {joint.name: joint.angle_range for joint in settings.joints if joint.angle_range}
        self._angles = JointAngles(ranges, settings.angle_timeout, settings.trust.max_ahead)
        self.rival = self._misnamed = ""
        self._is_running = False
        self._is_held, self._deadman_silence = False, math.inf
        self._missing_angle = self._angles.advance(0.0)

    @property
    def obstacle(self) -> str:
        """What is missing beside the estimates; empty = nothing."""
        if not self._is_running:
            return STOPPED
        if self.rival:
            return f"{RIVAL}{self.rival}"
        if self._misnamed:
            return self._misnamed
        if self.settings.deadman:
            if not self._deadman_silence <= self.settings.deadman_timeout:
                return NO_DEADMAN
            if not self._is_held:
                return RELEASED
        return f"{NO_ANGLE}'{self._missing_angle}'" if self._missing_angle else ""

    @property
    def reason(self) -> str:
        """Say why there is no full trust; empty = there is."""
        return self.obstacle or self._gate.reason

    @property
    def torques(self) -> list[float]:
        """Torque of every joint [Nm], of the newest step."""
        return [joint.torque for joint in self._torques]

    @property
    def share(self) -> float:
        """Share of the activation that is granted, 0 to 1."""
        return self._gate.share

    def start(self) -> None:
        """Assist from now on, once everything has been right for ``trust.recovery`` s."""
        self._is_running = True

    def stop(self) -> None:
        """Let torque fade out, as ``update`` is called, and then stay zero."""
        self._is_running = False

    def receive_activation(self, message: Any, now: float) -> None:
        """Take a MuscleActivation, or whatever has its fields.

        Args:
            now: on the clock that stamps the messages [s].
        """
        self._gate.receive(NOTHING_TO_TRUST if self.obstacle else message, now)

    def receive_sensors(self, names: Collection[str]) -> None:
        """Take the names of all sensors of the estimator's rig; one that is required and none of them is misspelt."""
        unknown = next((name for name in self.settings.trust.required_sensors if name not in names), None)
        self._misnamed = ""
        if unknown is not None:
            near = get_close_matches(unknown, names, 1)
            question = f"did you mean '{near[0]}'?" if near else f"its sensors are {', '.join(names)}"
            self._misnamed = f"required_sensors names '{unknown}', which is no sensor of the estimator; {question}"

    def receive_deadman(self, is_held: bool, now: float) -> None:
        """Take a message of the dead man's switch, at a time on the clock of the messages [s]."""
        self._is_held, self._deadman_silence = is_held, 0.0
        if self.obstacle:  # at once: it may be held again by the next step
            self._gate.receive(NOTHING_TO_TRUST, now)

    def receive_angles(self, names: Sequence[str], positions: Sequence[float], timestamp: float, now: float) -> None:
        """Take a JointState: positions [rad], its timestamp and the time [s], both on the clock of the messages."""
        self._angles.receive(names, positions, timestamp, now)

    def update(self, now: float, period: float) -> list[float]:
        """Make one control step; return the torque of every joint [Nm].

        Args:
            now: on the clock that stamps the messages [s].
            period: since the last step [s], on a clock that neither stops nor jumps.
        """
        elapsed, growth = counted_period(period)
        self._deadman_silence += elapsed
        self._missing_angle = self._angles.advance(elapsed)
        if self.obstacle:
            self._gate.receive(NOTHING_TO_TRUST, now)
        assistance = self._gate.update(now, period)
        gain, is_trusted = self._gate.gain, self._gate.share > 0.0
        return [
            torque.step(assistance, self._angles.angle(name), gain, is_trusted, elapsed, growth)
            for name, torque in zip(self.joints, self._torques, strict=True)
        ]
