"""The command that undoes a calibration; it works as it is printed."""

from __future__ import annotations

import shlex
from pathlib import Path

from imu_emg_estimator.utils.shipped_files import calibration_directory, shipped_bundle


def undo_command(subject: str, directory: Path, bundle: Path) -> str:
    """Return the command that goes back to what a subject had in use before.

    Args:
        directory: of the calibrations.
        bundle: file of the base model.
    """
    words = ["imu-emg", "calibrations", "use", "--previous", "--subject", subject]
    if directory.absolute() != calibration_directory().absolute():
        words += ["--directory", str(directory.absolute())]
    if bundle.absolute() != shipped_bundle():
        words += ["--bundle", str(bundle.absolute())]
    return shlex.join(words)
