"""What can be wrong with sensors, in words for somebody who puts them on; and what shows whatever the subject does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imu_emg_estimator.guide.live_samples import Heard, SensorHeard
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.signal_quality import Limits

LIMITS = Limits()
MISSING = 0.25  # share of samples without acceleration


@dataclass(frozen=True)
class Problem:
    """Something to put right.

    Attributes:
        kind: what it is, in one word, for programs.
        sensors: names that it concerns.
        text: the same for people: what is wrong and what to do.
    """

    kind: str
    sensors: tuple[str, ...]
    text: str


def spoken(name: str) -> str:
    """``right_foot`` as people say it: right foot."""
    return name.replace("_", " ")


def connection_problems(heard: Heard, rig: Rig, emg: bool = True) -> list[Problem]:
    """Sensors that are silent, too slow or send nothing of use; and EMG that does not come.

    Args:
        emg: whether it is needed.
    """
    found = [problem for index in range(len(rig.sensors)) if (problem := _connection_problem(heard, index, rig))]
    if len(found) == len(rig.sensors) and {problem.kind for problem in found} <= {"silent", "no_topic"}:
        text = "Not one sensor sends anything. Are they switched on, and is their driver running?"
        found = [Problem("silent", rig.sensor_names, text + _others(heard))]
    if emg and not heard.emg_messages:
        where = f"on {heard.emg_topic}" if heard.emg_topic else "anywhere: there is no EMG topic"
        text = f"No EMG arrives {where}. Switch the EMG amplifier and its driver on: calibration needs it."
        found.append(Problem("no_emg", (), text))
    return found


def working(problems: list[Problem], rig: Rig) -> list[int]:
    """Indices of the sensors that nothing is wrong with."""
    bad = {name for problem in problems for name in problem.sensors}
    return [index for index, name in enumerate(rig.sensor_names) if name not in bad]


def _connection_problem(heard: Heard, index: int, rig: Rig) -> Problem | None:
    sensor, name = heard.sensors[index], rig.sensor_names[index]
    who = f"The {spoken(name)} sensor"
    if sensor.topic is None:
        text = f"{who} is not there at all: no topic bears its name. Switch it on, and its driver."
        return Problem("no_topic", (name,), text + _others(heard))
    if not len(sensor.receipts):
        return Problem("silent", (name,), f"{who} is silent ({sensor.topic}). Is it switched on, charged and in reach?")
    if len(sensor.acceleration) < (1 - MISSING) * len(sensor.imu):
        text = f"{who} sends no acceleration ({sensor.topic}). Switch its accelerometer on."
        return Problem("no_acceleration", (name,), text)
    if sensor.rate < LIMITS.rate:
        text = (
            f"{who} is too slow: {sensor.rate:.0f} samples a second, at least {LIMITS.rate:.0f} are needed. "
            "Set a higher rate, or bring it nearer to its receiver."
        )
        return Problem("slow", (name,), text)
    if heard.gap(index) > LIMITS.gap:
        text = f"{who} drops out, for {heard.gap(index):.1f} s in a row. Charge it, or bring it nearer to its receiver."
        return Problem("gaps", (name,), text)
    if is_stuck(sensor):
        text = f"{who} sends the same values over and over. Switch it off and on again."
        return Problem("stuck", (name,), text)
    return None


def is_stuck(sensor: SensorHeard) -> bool:
    """Whether nothing ever changes: real accelerometers have noise."""
    return len(sensor.acceleration) > 1 and not np.ptp(sensor.acceleration, axis=0).any()


def _others(heard: Heard) -> str:
    if not heard.other_topics:
        return ""
    return f" These sensor topics are there and not used: {', '.join(heard.other_topics)} (option --imu-topics)."
