"""A folder of exported files as a data set: SUBJECT/FILE, and a ``mapping.yaml`` beside them where one is needed.

What `imu-emg import` would write is read at once: ``--dataset files``.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Collection
from pathlib import Path

from imu_emg_estimator.datasets import csv_folders
from imu_emg_estimator.datasets.subject_files import chosen_subjects
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports.import_files import read_all_takes, settle_mapping, write_tables
from imu_emg_estimator.imports.mapping_file import MAPPING_FILE, read_mapping
from imu_emg_estimator.imports.takes import TakeFiles, find_takes
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.rig import Rig

logger = logging.getLogger(__name__)


def subjects(folder: Path) -> list[str]:
    """Subjects that the folder has files of, in order."""
    return sorted({take.subject for take in _takes(folder)})


def load(folder: Path, rig: Rig, only: Collection[str] | None = None, workers: int = 1) -> list[Recording]:
    """Load the files of a folder, in order of subject and name.

    Args:
        folder: holds SUBJECT/FILE, and ``mapping.yaml`` if channels cannot be told by their names.
        rig: names the sensors and muscles; the recordings are on its grid.
        only: subjects to load; None = all.
        workers: processes that bring recordings onto the grid side by side.

    Raises:
        InputError: a folder, a subject or a file is not as it should be, or a channel or unit is open.
    """
    found = _takes(folder)
    chosen = chosen_subjects(Path(folder), sorted(take.subject for take in found), only)
    given = Path(folder) / MAPPING_FILE
    own = read_mapping(given) if given.is_file() else None
    with tempfile.TemporaryDirectory(prefix="imu-emg-") as arrays, tempfile.TemporaryDirectory() as tables:
        takes = read_all_takes([take for take in found if take.subject in chosen], Path(arrays))
        mapping = settle_mapping(takes, rig, own, f"the mapping of {folder}")
        read = (note for item in takes for note in item.take.notes)
        for note in dict.fromkeys((*read, *mapping.notes)):
            logger.warning("%s", note)
        write_tables(takes, mapping, Path(tables), "csv")
        return csv_folders.load(Path(tables), rig, workers=workers)


def _takes(folder: Path) -> list[TakeFiles]:
    if not Path(folder).is_dir():
        raise InputError(f"data folder {folder} does not exist; give the folder that holds SUBJECT/FILE")
    return find_takes([Path(folder)])[0]
