"""Inputs of a run: bundles, motions and bags, made once in its folder."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.latency.live_sessions import Load
from benchmarks.latency.random_bundles import Shape, at_rate, made_up_motion, random_bundle, recording_at_rate
from imu_emg_estimator.bags import write_bag
from imu_emg_estimator.datasets.catalogue import list_subjects, load_dataset
from imu_emg_estimator.datasets.movement_statistics import shipped_statistics
from imu_emg_estimator.datasets.simulated_subject import simulate
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.recording import FloatArray, Recording

MOTION_ROWS = 5000  # of a load, which repeats them: at 400 Hz only after the 10 s in which the node sees a loop
SIMULATED_SUBJECTS = 5  # calibrated where there is no data set


@dataclass(frozen=True)
class Data:
    """A data set of subjects for calibrations.

    Attributes:
        name, folder: as ``--dataset`` and ``--data`` take them.
        subjects: only these; None = all.
        rig: file of a rig, for data sets without one.
    """

    name: str
    folder: Path
    subjects: tuple[str, ...] | None = None
    rig: Path | None = None


@dataclass(frozen=True)
class Material:
    """Input files in a folder.

    Attributes:
        bundle: the network that is measured.
        data: subjects; None = simulated ones.
        seconds: data in a bag that calibrates.
    """

    folder: Path
    bundle: Bundle
    data: Data | None = None
    seconds: float = 30.0

    @property
    def source(self) -> str:
        """Origin of the subjects."""
        return self.data.name if self.data else "simulated"

    def shaped(self, shape: Shape) -> Path:
        """Make a bundle with random weights."""
        name = "-".join(f"{value:g}" for value in vars(shape).values())
        return self._bundle(f"random-{name}", random_bundle(shape))

    def own(self, rate: float | None = None) -> Path:
        """Return the measured bundle, on a grid of another rate if given."""
        rate = rate or self.bundle.rig.rate
        return self._bundle(f"own-{rate:g}", at_rate(self.bundle, rate))

    def load(self, rate: float | None = None) -> Load:
        """Make the measured bundle's load at a rate: a simulated subject on its rig, else random motion."""
        bundle = self.own(rate)
        if self._is_simulated_rig():
            motion = self._simulated(0, MOTION_ROWS / (self.seconds * self.bundle.rig.rate)).imu
        else:
            motion = made_up_motion(self.bundle, MOTION_ROWS)
        return Load(bundle, self._motion("own", motion), rate or self.bundle.rig.rate)

    def shaped_load(self, shape: Shape) -> Load:
        """Make random motion for a bundle with random weights."""
        path = self.shaped(shape)
        return Load(path, self._motion(path.stem, made_up_motion(Bundle.load(path), MOTION_ROWS)), shape.rate)

    def subjects(self, most: int | None) -> list[str]:
        """Return subjects for calibrations, at most so many.

        Raises:
            InputError: there is no data set, and the bundle's rig is not the one of simulated subjects.
        """
        if self.data is None:
            if not self._is_simulated_rig():
                raise InputError("no --data was given, and simulated subjects have another rig than the bundle")
            return [f"simulated-{seed}" for seed in range(SIMULATED_SUBJECTS)][:most]
        return list(self.data.subjects or list_subjects(self.data.name, self.data.folder, self.data.rig))[:most]

    def subject(self, subject: str) -> tuple[Load, Path]:
        """Make a subject's load at the rig's own rate, and a bag of it for the calibration."""
        recording = self._recording(subject)
        load = Load(self.own(), self._motion(subject, recording.imu), self.bundle.rig.rate)
        return load, self._bag(subject, recording)

    def simulated_at_rate(self, rate: float) -> tuple[Load, Path]:
        """Make the load of ``load`` and a bag of the same simulated subject at that rate."""
        if not self._is_simulated_rig():
            raise InputError("simulated subjects have another rig than the bundle, so none can calibrate it")
        recording = recording_at_rate(self._simulated(0, rate / self.bundle.rig.rate), rate)
        return self.load(rate), self._bag(f"simulated-at-{rate:g}", recording)

    def _recording(self, subject: str) -> Recording:
        if self.data is None:
            return self._simulated(int(subject.rpartition("-")[2]))
        recordings = load_dataset(self.data.name, self.data.folder, [subject], self.data.rig)
        return _most_locomotion(recordings, self.seconds)

    def _simulated(self, seed: int, stretch: float = 1.0) -> Recording:
        """Simulate a subject; ``stretch`` is the ratio of its duration to that of a bag."""
        return simulate(shipped_statistics(), stretch * self.seconds + 1.0, seed)

    def _is_simulated_rig(self) -> bool:
        return shipped_statistics().rig.sensor_names == self.bundle.rig.sensor_names

    def _bundle(self, name: str, bundle: Bundle) -> Path:
        path = self.folder / "bundles" / f"{name}.safetensors"
        bundle.save(path)
        return path

    def _motion(self, name: str, motion: FloatArray) -> Path:
        path = self.folder / "motions" / f"{name}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        # What is not available would be masked and cost less.
        np.save(path, np.nan_to_num(motion[:MOTION_ROWS].astype(np.float64)))
        return path

    def _bag(self, name: str, recording: Recording) -> Path:
        path = self.folder / "bags" / f"{name}-{self.seconds:g}s"
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(path, ignore_errors=True)
        write_bag(recording.slice(0, round(self.seconds * recording.rig.rate)), path)
        return path


def _most_locomotion(recordings: Sequence[Recording], seconds: float) -> Recording:
    """Find the stretch of so many seconds with the most locomotion in a recording; the first of equals."""
    best: tuple[int, Recording] | None = None
    for recording in recordings:
        length = round(seconds * recording.rig.rate)
        moving = np.concatenate([[0], np.cumsum(recording.is_movement())])
        shares = moving[length:] - moving[:-length]
        if len(shares) and (best is None or shares.max() > best[0]):
            start = int(shares.argmax())
            best = int(shares.max()), recording.slice(start, start + length)
    if best is None:
        raise InputError(f"subject {recordings[0].subject} has no recording of {seconds:g} s to calibrate with")
    return best[1]
