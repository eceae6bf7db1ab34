"""The rig of a lab, by questions."""

from __future__ import annotations

from collections.abc import Sequence

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.guide.console import Console
from imu_emg_estimator.rig_files.rig_proposal import MAX_PROPOSED_RATE_HZ, FoundParts
from imu_emg_estimator.rig_schema import MAX_RATE_HZ, MIN_RATE_HZ

YES, NO = "", "n"


def ask_for_parts(console: Console) -> FoundParts:
    """Ask for sensors, muscles, rate and movements; Enter takes what stands in brackets.

    Raises:
        Quit: the user quits.
    """
    console.say("A name tells place and side: right_wrist, left_thigh, biceps_right. Separate names with commas.")
    sensors = _ask_names(console, "The IMUs", "right_wrist")
    muscles = _ask_names(console, "The muscles with EMG", "biceps_right")
    rate = float(console.ask_text("Rate of the slowest IMU [Hz]", f"{MAX_PROPOSED_RATE_HZ:g}", check_rate))
    gyroscopes = console.ask([(YES, "the IMUs have gyroscopes"), (NO, "accelerometers only")]) == YES
    movements = _ask_names(console, "What is calibrated on and scored, as your recordings are labelled", "walking")
    return FoundParts(dict.fromkeys(sensors, rate), muscles, gyroscopes, movements)


def check_rate(text: str) -> None:
    """Raise InputError unless the text is a rate that a rig may have."""
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not MIN_RATE_HZ <= rate <= MAX_RATE_HZ:
        raise InputError(f"'{text}' is not a rate from {MIN_RATE_HZ:g} to {MAX_RATE_HZ:g} Hz")


def check_names(text: str) -> None:
    """Raise InputError unless the text holds names, each once."""
    names = _names(text)
    if not names or len(set(names)) < len(names) or any(len(name.split()) > 1 for name in names):
        raise InputError(f"'{text}' does not hold different names without blanks; separate them with commas")


def _ask_names(console: Console, question: str, default: str) -> Sequence[str]:
    return _names(console.ask_text(question, default, check_names))


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
