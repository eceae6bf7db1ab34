"""A lab's own bags: SUBJECT/BAG, where BAG is a rosbag2 folder, an .mcap or a .db3 file, compressed or not."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from imu_emg_estimator.bags import read_bag_with_report
from imu_emg_estimator.bags.bag_files import is_storage
from imu_emg_estimator.datasets.subject_files import SubjectFile, condition_of, load_all
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.rig import Rig


def subjects(folder: Path) -> list[str]:
    """Subjects that the folder has bags of, in order."""
    return sorted({bag.subject for bag in _bags(folder)})


def load(
    folder: Path,
    rig: Rig,
    only: Collection[str] | None = None,
    workers: int = 1,
) -> list[Recording]:
    """Load the bags of a folder, in order of subject and time.

    Topics are found as ``read_bag`` finds them by itself: ``/imu/<sensor>``, or the one Imu topic whose last part
    is the sensor's name, and ``/emg`` or the only Emg topic. A bag named after an activity, such as
    ``stairs_up_02``, is labelled with it. The first bag that cannot be read ends it: a subject with half of the
    data would be a silent fault.

    Args:
        folder: holds SUBJECT/BAG.
        rig: names the sensors and muscles; the recordings are on its grid.
        only: subjects to load; None = all.
        workers: processes that read bags side by side.

    Raises:
        InputError: a folder or a subject is not there, or a bag cannot be read, which it names.
    """
    return load_all(folder, _bags(folder), partial(_read, rig=rig), only, workers)


def _bags(folder: Path) -> list[SubjectFile]:
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"data folder {folder} does not exist; give the folder that holds SUBJECT/BAG")
    if (folder / "metadata.yaml").is_file():
        raise InputError(f"{folder} is itself a bag; give the folder that holds SUBJECT/BAG")
    subjects = sorted(path for path in folder.iterdir() if path.is_dir())
    for subject in subjects:
        if (subject / "metadata.yaml").is_file():
            raise InputError(
                f"bag {subject} lies in no subject's folder; move it to {folder / 'SUBJECT' / subject.name}"
            )
    bags = [
        SubjectFile(path, subject.name)
        for subject in subjects
        for path in sorted(subject.iterdir())
        if path.is_dir() or is_storage(path.name)
    ]
    if not bags:
        raise InputError(f"data folder {folder} holds no SUBJECT/BAG; see docs/datasets.md")
    return bags


def _read(bag: SubjectFile, rig: Rig) -> tuple[Recording, str]:
    """Return the recording of a bag, and the kind of its EMG."""
    recording, report = read_bag_with_report(bag.path, rig, subject=bag.subject)
    condition = np.full(len(recording), condition_of(recording.name, rig))
    named = replace(recording, name=f"{bag.subject}/{recording.name}", condition=condition)
    return named, report.emg.kind if report.emg else "raw"
