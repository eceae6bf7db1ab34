"""Calibration store: every wearer's own bundles in a directory, the newest one in use."""

from __future__ import annotations

import re
from pathlib import Path

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle

SUFFIX = ".safetensors"
SUBJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
CALIBRATION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")


def check_subject(subject: str) -> str:
    """The subject's name if it can be part of a file name; else InputError."""
    if not SUBJECT.fullmatch(subject):
        raise InputError(f"subject {subject[:80]!r} is not a valid name; use 1 to 64 letters, digits, '-' and '_'")
    return subject


def calibration_path(directory: Path, bundle: Bundle) -> Path:
    """Where a calibrated bundle is kept: ``<directory>/<subject>/<id>.safetensors``."""
    if bundle.calibration is None:
        raise ValueError("only calibrated bundles are stored")
    folder = Path(directory) / check_subject(bundle.calibration.subject)
    if not CALIBRATION_ID.fullmatch(bundle.calibration.id):
        raise InputError(f"calibration {bundle.calibration.id[:80]!r} has an id that is no file name; calibrate again")
    return folder / f"{bundle.calibration.id}{SUFFIX}"


def store_calibration(directory: Path, bundle: Bundle) -> Path:
    """Write a calibrated bundle to its place, whole or not at all; returns the place."""
    path = calibration_path(directory, bundle)
    bundle.save(path)
    return path


def latest_calibration(directory: Path, subject: str, base: Bundle) -> tuple[Bundle | None, list[str]]:
    """The wearer's newest calibration that was made from the base bundle.

    Returns:
        The bundle, or None if there is none; and a sentence for every file that was passed over.
    """
    remarks = []
    folder = Path(directory) / check_subject(subject)
    for path in sorted(folder.glob(f"*{SUFFIX}"), reverse=True):
        try:
            bundle = Bundle.load(path)
        except InputError as error:
            remarks.append(str(error))
            continue
        if bundle.calibration is None:
            remarks.append(f"bundle {path} is no calibration; remove it")
        elif bundle.parent_id != base.model_id or bundle.rig != base.rig:
            remarks.append(
                f"calibration {path} was made for model {bundle.parent_id}, not {base.model_id}; calibrate again"
            )
        else:
            return bundle, remarks
    return None, remarks
