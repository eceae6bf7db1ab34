"""Which of a subject's calibrations is in use: the file ``current`` in the subject's folder of the store.

It is JSON. By base model it holds the calibrations that were chosen, in order of time, null standing for the base model
itself. The last one is in use; those before it are what "undo" goes back to.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from imu_emg_estimator.errors import InputError

CURRENT = "current"
CALIBRATION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
MAX_FILE_BYTES = 1 << 20
MAX_REMEMBERED = 20  # choices of one base model

Choices = dict[str, list[str | None]]


def read_choices(folder: Path) -> Choices:
    """Read the choices by base model, none of them empty; nothing where no choice was made yet.

    Raises:
        InputError: the file is damaged or cannot be read.
    """
    path = folder / CURRENT
    try:
        if not path.exists():
            return {}
        if not path.is_file() or path.stat().st_size > MAX_FILE_BYTES:
            raise ValueError
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); choose with `imu-emg calibrations use`") from None
    except (ValueError, RecursionError):
        content = None
    if not _are_choices(content):
        raise InputError(f"{path} is damaged; choose anew with `imu-emg calibrations use`")
    return {model: list(chosen) for model, chosen in content.items()}


def choices_to_bytes(choices: Choices) -> bytes:
    """Return the content of the file."""
    return (json.dumps(choices, indent=2) + "\n").encode()


def with_choice(choices: Choices, model_id: str, chosen: Iterable[str | None]) -> Choices:
    """Return the choices with more of them for one base model, the last being in use."""
    return choices | {model_id: _without_repetition([*choices.get(model_id, []), *chosen])[-MAX_REMEMBERED:]}


def without_calibration(choices: Choices, calibration_id: str) -> Choices:
    """Return the choices as if a calibration had never been chosen."""
    kept = {
        model: _without_repetition([choice for choice in chosen if choice != calibration_id])
        for model, chosen in choices.items()
    }
    return {model: chosen for model, chosen in kept.items() if chosen}


def _without_repetition(chosen: list[str | None]) -> list[str | None]:
    return [choice for index, choice in enumerate(chosen) if index == 0 or choice != chosen[index - 1]]


def _are_choices(content: object) -> bool:
    return isinstance(content, Mapping) and all(
        isinstance(chosen, list) and chosen and all(_is_choice(choice) for choice in chosen)
        for chosen in content.values()
    )


def _is_choice(choice: object) -> bool:
    return choice is None or (isinstance(choice, str) and CALIBRATION_ID.fullmatch(choice) is not None)
