"""Scenes of the subjects that faults are tried on, and a bundle for each that knows nothing of the subject's motion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.reliability.fault_cases import FAULT_START_S, STREAM_S, Scene
from benchmarks.reliability.imu_streams import chained
from imu_emg_estimator.datasets.movement_statistics import STANDING, shipped_statistics
from imu_emg_estimator.datasets.simulated_subject import simulate
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.subject_data import by_subject
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.signals.masked_imu_features import fit_ranges
from imu_emg_estimator.signals.signal_quality import true_runs
from imu_emg_estimator.training.fit_motion_distribution import distribution_of, motion_of

WALKING = "walking"
AT_REST = (STANDING, "sitting")
MIN_BOUT_S = 5.0
REST_S = FAULT_START_S + 3.0  # of the scene that begins at rest
SIMULATED_SCENES = {
    Scene.WALKING: ((WALKING, STREAM_S),),
    Scene.WALKING_OFF: ((STANDING, REST_S), (WALKING, STREAM_S - REST_S)),
}


@dataclass(frozen=True)
class Subject:
    """A subject with whom faults are tried.

    Attributes:
        scenes: a recording of each; of ``STREAM_S``, or shorter where the subject did not do it for longer.
        everything: all that the subject did.
        bundle: file of the bundle that estimates.
    """

    name: str
    scenes: Mapping[Scene, Recording]
    everything: Sequence[Recording]
    bundle: Path


def simulated_subjects(count: int, bundle: Path) -> Iterator[Subject]:
    """Simulate subjects."""
    for seed in range(count):
        scenes = {
            scene: simulate(shipped_statistics(), STREAM_S, seed, todo) for scene, todo in SIMULATED_SCENES.items()
        }
        yield Subject(f"simulated-{seed}", scenes, [simulate(shipped_statistics(), 2 * STREAM_S, seed)], bundle)


def recorded_subjects(recordings: Sequence[Recording], bundle: Path, folder: Path) -> Iterator[Subject]:
    """Cut the scenes of recorded subjects; each gets a bundle whose motion distribution is that of the others."""
    groups = by_subject(recordings)
    motions = {subject: motion_of(group) for subject, group in groups.items()}
    for subject, group in groups.items():
        path = folder / f"without_{subject}.safetensors"
        if not path.is_file():
            others = {name: motion for name, motion in motions.items() if name != subject}
            ranges = fit_ranges([recording.imu for recording in recordings if recording.subject != subject])
            replace(Bundle.load(bundle), distribution=distribution_of(others), ranges=ranges).save(path)
        walking = _joined(group, (WALKING,), STREAM_S)
        if walking is None:
            continue
        scenes = {Scene.WALKING: walking}
        rest, walk = _joined(group, AT_REST, REST_S), _joined(group, (WALKING,), STREAM_S - REST_S)
        if rest is not None and walk is not None:
            scenes[Scene.WALKING_OFF] = chained([rest, walk])
        yield Subject(subject, scenes, group, path)


def _joined(recordings: Sequence[Recording], activities: Sequence[str], seconds: float) -> Recording | None:
    """Join the longest bouts of some activities to this duration; None where there are too few."""
    rate = recordings[0].rig.rate
    bouts = [
        recording.slice(start, stop)
        for recording in recordings
        for start, stop in true_runs(np.isin(recording.condition, activities), round(MIN_BOUT_S * rate))
    ]
    missing, chosen = round(seconds * rate), []
    for bout in sorted(bouts, key=len, reverse=True):
        if missing > 0:
            chosen.append(bout.slice(0, min(len(bout), missing)))
            missing -= len(chosen[-1])
    return chained(chosen) if missing <= 0 else None
