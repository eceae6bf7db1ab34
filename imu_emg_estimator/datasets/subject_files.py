"""Files of a data set by subject: which to load, loading them in parallel, and what recordings must have in common."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.recording import UNLABELLED, Recording
from imu_emg_estimator.rig import LOCOMOTION, Rig
from imu_emg_estimator.signals.emg_envelope import check_one_kind, varies
from imu_emg_estimator.utils.progress import ProgressBar

Item = TypeVar("Item")
Result = TypeVar("Result")


def condition_of(name: str, rig: Rig) -> str:
    """Return the activity that a recording's name begins with, ``stairs_up`` for ``stairs_up_02``."""
    names = (*rig.movement_names, *LOCOMOTION, "standing", "sitting")
    known = [c for c in names if name.lower().startswith(c.lower())]
    return max(known, key=len, default=UNLABELLED)


@dataclass(frozen=True)
class SubjectFile:
    """A file or bag, and the subject that it is of."""

    path: Path
    subject: str


def load_all(
    folder: Path,
    sources: Sequence[SubjectFile],
    read: Callable[[SubjectFile], tuple[Recording, str]],
    only: Collection[str] | None,
    workers: int,
) -> list[Recording]:
    """Load the recordings of the chosen subjects, in order of subject and time, in one kind and unit of EMG.

    Args:
        read: reads one file, and says of which kind its EMG is; runs in another process if there are several workers.
    """
    chosen = chosen_subjects(folder, sorted(source.subject for source in sources), only)
    read_files = map_in_parallel(read, [source for source in sources if source.subject in chosen], workers)
    recordings = [recording for recording, _ in read_files]
    recordings.sort(key=lambda recording: (recording.subject, recording.start, recording.name))
    check_one_unit(recordings)
    check_one_kind([(recording.name, kind) for recording, kind in read_files])
    return with_trusted_channels(recordings)


def chosen_subjects(folder: Path, present: Sequence[str], only: Iterable[str] | None) -> set[str]:
    """Return the subjects to load of those present, in order; raises InputError that names one without files."""
    chosen = set(present if only is None else only)
    if unknown := sorted(chosen - set(present)):
        raise InputError(f"{folder} has no subject {unknown[0]}; it has {', '.join(dict.fromkeys(present))}")
    return chosen


def map_in_parallel(function: Callable[[Item], Result], items: Sequence[Item], workers: int) -> list[Result]:
    """Read all items with a function in so many processes; returns the results in order."""
    progress = ProgressBar("reading")
    processes = min(workers, len(items))
    results = []
    with ProcessPoolExecutor(processes) if processes > 1 else nullcontext() as pool:
        for result in pool.map(function, items) if pool else map(function, items):
            results.append(result)
            progress(len(results), len(items))
    return results


def with_trusted_channels(recordings: Sequence[Recording]) -> list[Recording]:
    """Mask constant EMG channels and weight each subject's channels, as training and scores expect.

    A channel that is constant in one recording becomes NaN there; one that is constant in all of them gets weight 0.
    """
    weights = {recording.subject: np.zeros(len(recording.rig.muscles)) for recording in recordings}
    masked = []
    for recording in recordings:
        alive = np.array([varies(channel) for channel in recording.envelope.T])
        np.maximum(weights[recording.subject], alive, out=weights[recording.subject])
        masked.append(replace(recording, envelope=np.where(alive, recording.envelope, np.nan).astype(np.float32)))
    return [replace(recording, muscle_weight=weights[recording.subject]) for recording in masked]


def check_one_unit(recordings: Sequence[Recording]) -> None:
    """Raise InputError if recordings have EMG in different units, which no single reference amplitude fits."""
    first = recordings[0]
    for recording in recordings:
        if recording.envelope_unit != first.envelope_unit:
            raise InputError(
                f"the EMG of {recording.name} is in '{recording.envelope_unit}', that of {first.name} in "
                f"'{first.envelope_unit}'; use one unit"
            )
