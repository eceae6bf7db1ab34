"""Files that commands write: refused early where they cannot be written."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imu_emg_estimator.errors import InputError

FILE_OPTIONS = ("out", "json", "picture", "card")
FOLDER_OPTIONS = ("store", "keep")


def check_output_paths(arguments: argparse.Namespace) -> None:
    """Refuse outputs that cannot be written before hours of work, not after.

    Raises:
        InputError: a file is a folder, or its folder is not writable.
    """
    for name in (*FILE_OPTIONS, *FOLDER_OPTIONS):
        if (path := getattr(arguments, name, None)) is not None:
            _check(path, is_folder=name in FOLDER_OPTIONS)


def _check(path: Path, is_folder: bool) -> None:
    if path.is_dir() and not is_folder:
        raise InputError(f"{path} is a folder that exists already; give another name")
    absolute = path.absolute()
    candidates = (absolute, *absolute.parents) if is_folder else absolute.parents
    nearest = next(candidate for candidate in candidates if candidate.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise InputError(f"{path} cannot be written: {nearest} is not a writable folder; give another place")


def write_json(path: Path | None, content: Mapping[str, Any]) -> None:
    """Write figures to the file of ``--json``, if one was given."""
    if path is None:
        return
    from imu_emg_estimator.utils.atomic_files import write_atomically
    from imu_emg_estimator.utils.json_values import to_json

    write_atomically(path, to_json(content))
