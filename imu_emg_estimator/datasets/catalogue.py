"""The data sets that commands know by name. Nothing is imported before it is asked for."""

from __future__ import annotations

from collections.abc import Collection
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imu_emg_estimator.errors import InputError

if TYPE_CHECKING:
    from imu_emg_estimator.recording import Recording
    from imu_emg_estimator.rig import Rig

DATASETS = ("hugadb", "camargo", "csv", "bags", "files")
DEFAULT_DATASET = "hugadb"
WITHOUT_RIG = ("csv", "bags", "files")  # a lab's own data, whose rig only the lab knows
# All others are in this folder and named after their data set. Those of files build on the loader of tables.
MODULES = {"csv": "datasets.csv_folders", "bags": "datasets.bag_folders", "files": "imports.file_folders"}


def load_dataset(
    name: str,
    directory: Path,
    subjects: Collection[str] | None = None,
    rig_file: Path | None = None,
    workers: int = 1,
) -> list[Recording]:
    """Recordings of a data set, in order of subject and time.

    Args:
        name: one of ``DATASETS``.
        directory: folder that holds the data set.
        subjects: subjects to load; None = all.
        rig_file: rig YAML; needed for data sets in ``WITHOUT_RIG``, refused for the others.
        workers: processes that read files side by side.

    Raises:
        InputError: one sentence that names the fault.
    """
    rig = dataset_rig(name, rig_file)
    wanted = [rig] if name in WITHOUT_RIG else []
    recordings: list[Recording] = _module(name).load(directory, *wanted, only=subjects, workers=workers)
    return recordings


def list_subjects(name: str, directory: Path, rig_file: Path | None = None) -> list[str]:
    """Subjects that a data set has recordings of, without reading the recordings; raises InputError as loading does."""
    dataset_rig(name, rig_file)
    found: list[str] = _module(name).subjects(directory)
    return found


def dataset_rig(name: str, rig_file: Path | None = None) -> Rig:
    """The rig of a data set's recordings; raises InputError where the file is missing, wrong or too much."""
    if name not in DATASETS:
        raise InputError(f"data set '{name}' is not known; choose one of {', '.join(DATASETS)}")
    if name not in WITHOUT_RIG:
        if rig_file is not None:
            raise InputError(f"data set {name} has a rig of its own; leave --rig {rig_file} out")
        own: Rig = _module(name).RIG
        return own
    if rig_file is None:
        raise InputError(f"data set {name} needs a rig that names its sensors and muscles; give --rig FILE (YAML)")
    from imu_emg_estimator.rig import Rig

    return Rig.from_yaml(rig_file)


def _module(name: str) -> Any:
    return import_module(f"imu_emg_estimator.{MODULES.get(name, f'datasets.{name}')}")
