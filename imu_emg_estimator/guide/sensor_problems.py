"""Problems with sensors, in words for whoever attaches them; and those that show whatever the subject does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imu_emg_estimator.guide.live_samples import LiveSamples, SensorSamples
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.recording_checks import StateTime, check_recording
from imu_emg_estimator.signals.sample_delivery import lowest_rate
from imu_emg_estimator.signals.sensor_verdict import SensorState, Verdict
from imu_emg_estimator.signals.signal_quality import Limits

LIMITS = Limits()
MAX_MISSING_SHARE = 0.25  # of samples without acceleration, or of time with samples that cannot be vouched for
OF_SAMPLES = (Verdict.FROZEN, Verdict.TWO_PUBLISHERS, Verdict.CLIPPED)  # told whatever the subject does
ACCELERATION_ALONE = np.array([[True, True, True, False, False, False]])


@dataclass(frozen=True)
class Problem:
    """Something to correct.

    Attributes:
        kind: identifier of the problem, for software.
        sensors: names of the affected sensors.
        text: what is wrong and what to do, for people.
    """

    kind: str
    sensors: tuple[str, ...]
    text: str


def display_name(name: str) -> str:
    """Return a name for people: ``right_foot`` as right foot."""
    return name.replace("_", " ")


def connection_problems(samples: LiveSamples, rig: Rig) -> list[Problem]:
    """Find sensors that are silent, too slow or send nothing useful, and EMG that does not arrive."""
    found = [problem for index in range(len(rig.sensors)) if (problem := _connection_problem(samples, index, rig))]
    if len(found) == len(rig.sensors) and {problem.kind for problem in found} <= {"silent", "no_topic"}:
        text = "No sensor sends anything. Are the sensors switched on, and is their driver running?"
        found = [Problem("silent", rig.sensor_names, text + _unused_topics(samples))]
    if not samples.emg_messages:
        where = f" on {samples.emg_topic}" if samples.emg_topic else ": there is no EMG topic"
        text = f"No EMG arrives{where}. Switch on the EMG amplifier and its driver: calibration needs EMG."
        found.append(Problem("no_emg", (), text))
    return found


def working(problems: list[Problem], rig: Rig) -> list[int]:
    """Return the indices of the sensors without a problem."""
    bad = {name for problem in problems for name in problem.sensors}
    return [index for index, name in enumerate(rig.sensor_names) if name not in bad]


def _connection_problem(samples: LiveSamples, index: int, rig: Rig) -> Problem | None:
    sensor, name = samples.sensors[index], rig.sensor_names[index]
    who = f"The {display_name(name)} sensor"
    if sensor.topic is None:
        text = f"{who} is missing: no topic has its name. Switch on the sensor and its driver."
        return Problem("no_topic", (name,), text + _unused_topics(samples))
    if not len(sensor.receipts):
        return Problem("silent", (name,), f"{who} is silent ({sensor.topic}). Is it switched on, charged and in range?")
    if len(sensor.acceleration) < (1 - MAX_MISSING_SHARE) * len(sensor.imu):
        text = f"{who} sends no acceleration ({sensor.topic}). Enable its accelerometer."
        return Problem("no_acceleration", (name,), text)
    if sensor.rate < (needed := lowest_rate(rig.rate)):
        text = (
            f"{who} is too slow: it sends at {sensor.rate:.3g} Hz, and at least {needed:.3g} Hz is needed. "
            "Set a higher rate, or move it closer to its receiver."
        )
        return Problem("slow", (name,), text)
    if samples.gap(index) > LIMITS.gap:
        text = f"{who} drops out for up to {samples.gap(index):.1f} s. Charge it, or move it closer to its receiver."
        return Problem("gaps", (name,), text)
    for state, seconds in _states(sensor):
        if state.verdict in OF_SAMPLES and seconds > MAX_MISSING_SHARE * samples.seconds:
            return Problem(
                "stuck" if state.verdict is Verdict.FROZEN else state.verdict.value, (name,), _text(who, state)
            )
    return None


def _states(sensor: SensorSamples) -> tuple[StateTime, ...]:
    """Return the states of a sensor's accelerations, as the live node would judge them."""
    instants = np.round(sensor.receipts * SECOND).astype(np.int64)
    return check_recording(sensor.imu[:, None], instants, sensor.rate, ACCELERATION_ALONE).states[0]


def _text(who: str, state: SensorState) -> str:
    if state.verdict is Verdict.FROZEN:
        return f"{who} sends the same values over and over. Switch it off and on again."
    return f"{who} {state.reason}. {state.remedy[0].upper()}{state.remedy[1:]}."


def _unused_topics(samples: LiveSamples) -> str:
    if not samples.other_topics:
        return ""
    return f" Imu topics that are not used: {', '.join(samples.other_topics)} (see option --imu-topics)."
