"""Accuracy of a calibration's verdicts on unseen subjects; part of protocol `calibration`.

Sensors are turned and exchanged, and the EMG is shifted, in real recordings of subjects who wore all as they should.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from benchmarks.accuracy.calibration_protocol import MAIN, RUNNING, STAIRS, WALKING, Bag, base_and_left_out, cut_bag
from benchmarks.accuracy.jobs import Job
from benchmarks.run_folder import RunFolder
from imu_emg_estimator.calibration.calibrate_bags import delay_evidence
from imu_emg_estimator.calibration.recording_quality import assess
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.sensor_drift import (
    MAX_TURN_DEG,
    ROW_PERIOD_S,
    Drift,
    MotionProfile,
    RunningProfile,
    drift_between,
)
from imu_emg_estimator.model.sensor_drift import motion_profile as profile_of_motion
from imu_emg_estimator.model.sensor_placement import Mounting, mounting_of
from imu_emg_estimator.recording import FloatArray, Recording
from imu_emg_estimator.signals.emg_delay import shift_emg
from imu_emg_estimator.signals.motion_statistics import WINDOW_S, motion_statistics
from imu_emg_estimator.signals.mounting_rotation import turn_mounts
from imu_emg_estimator.signals.signal_quality import true_runs

VERDICTS = "verdicts"
ACTIVITIES = {"walking": WALKING, "stairs": STAIRS, "running": RUNNING}
SKIPS_S = (0.0, 30.0, 60.0, 90.0)  # of an activity before each judged window
HALF_MINUTE_S, MINUTE_S = 30.0, 60.0
TURNS_DEG, SLIPS_DEG = (90.0, 180.0), (20.0, 30.0, 45.0)
SHIFTS_S = (0.0, -0.1, 0.1, -0.2, 0.2)  # by which the EMG is delayed
SLIPPED_S = 240.0  # of movement after a sensor slipped
JUDGED_EVERY_S = 10.0


def run_fold(recordings: Sequence[Recording], job: Job, folder: RunFolder) -> dict[str, Any]:
    """Judge every subject who was not trained on by the source job's network."""
    base, left_out = base_and_left_out(recordings, job, folder)
    return {"subjects": {subject: verdicts_on(base, group) for subject, group in left_out.items()}}


def verdicts_on(base: Bundle, recordings: Sequence[Recording]) -> dict[str, Any]:
    """Judge one subject: ``left_out`` as worn, ``worn_wrongly``, ``delays``, and ``drift``."""
    cut = cut_bag(recordings, MAIN)
    imu = None if cut is None else np.concatenate([recording.imu for recording in cut.recordings])
    return {
        "left_out": left_out_as_worn(base, recordings),
        "worn_wrongly": {} if imu is None else worn_wrongly(base, imu),
        "delays": delays(base, recordings),
        "drift": {} if imu is None else drift(base, imu, recordings),
    }


def left_out_as_worn(base: Bundle, recordings: Sequence[Recording]) -> dict[str, Any]:
    """Judge half minutes by activity; list the sensors left out in each."""
    found: dict[str, Any] = {}
    for activity, labels in ACTIVITIES.items():
        cuts = [cut_bag(recordings, Bag(activity, (labels,), HALF_MINUTE_S), skip) for skip in SKIPS_S]
        parts = [_unmeasured(cut.recordings) for cut in cuts if cut is not None]
        found[activity] = [assess(base, part).left_out for part in parts]
    return found


def worn_wrongly(base: Bundle, imu: FloatArray) -> dict[str, tuple[int, int]]:
    """Count by placement error how often the sensors were named, and of how many."""
    count: Counter[str] = Counter()
    named: Counter[str] = Counter()
    sensors = len(base.rig.sensors)
    for sensor in range(sensors):
        for angle in TURNS_DEG:
            for axis in "xyz":
                found = _mounting(base, _turned(imu, sensor, axis, angle))
                count[what := f"turned by {angle:g}°"] += 1
                named[what] += any(sensor in entry.remedy.sensors for entry in found.found)
    twins = base.rig.mirror_sensors().tolist() if base.rig.is_mirrorable else list(range(sensors))
    for a in range(sensors):
        for b in range(a + 1, sensors):
            order = list(range(sensors))
            order[a], order[b] = b, a
            count[what := "left for right" if twins[a] == b else "exchanged with another"] += 1
            named[what] += _names(_mounting(base, imu[:, order]), {a, b})
    if twins != list(range(sensors)):
        count["all left for all right"] += 1
        named["all left for all right"] += _names(_mounting(base, imu[:, twins]), set(range(sensors)))
    return {what: (named[what], count[what]) for what in count}


def delays(base: Bundle, recordings: Sequence[Recording]) -> dict[str, Any]:
    """Judge the longest minute of locomotion by shift of the EMG [s]: delay found, and whether it was corrected."""
    found = [
        (stop - start, recording, start)
        for recording in recordings
        for start, stop in true_runs(recording.is_movement(), round(HALF_MINUTE_S * recording.rig.rate))
    ]
    if not found or not (recordings[0].muscle_weight > 0).any():
        return {}
    length, recording, start = max(found, key=lambda entry: entry[0])
    minute = recording.slice(start, start + min(length, round(MINUTE_S * recording.rig.rate)))
    by_shift = {shift: delay_evidence(base, shift_emg(replace(minute, emg=None), -shift)).delay() for shift in SHIFTS_S}
    return {f"{shift:g}": {"seconds": one.seconds, "corrected": one.corrected} for shift, one in by_shift.items()}


def drift(base: Bundle, imu: FloatArray, recordings: Sequence[Recording]) -> dict[str, Any]:
    """Compare the day with half a minute of walking: drift judgements, alarms, and slipped sensors noticed."""
    assert base.distribution is not None
    then = profile_of_motion(imu, base.rig.rate, base.distribution)
    later = np.concatenate([recording.imu for recording in recordings])
    judgements = _watched(base, then, later)
    moving = np.concatenate([recording.is_movement() for recording in recordings])
    slipped = later[moving][: round(SLIPPED_S * base.rig.rate)]
    noticed: dict[str, tuple[int, int]] = {}
    for angle in SLIPS_DEG:
        known = 0
        for sensor in range(len(base.rig.sensors)):
            news = _watched(base, then, _slipped(slipped, sensor, angle))
            known += bool(news) and bool(np.mean([one.turned[sensor] > MAX_TURN_DEG for one in news]) > 0.5)
        noticed[f"{angle:g}"] = known, len(base.rig.sensors)
    return {"judgements": len(judgements), "alarms": sum(one.recalibrate for one in judgements), "slipped": noticed}


def summarise(outcomes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Pool all subjects, and name those with a false verdict."""
    subjects = {name: found for outcome in outcomes for name, found in outcome["subjects"].items()}
    worn: dict[str, list[int]] = {}
    slipped: dict[str, list[int]] = {}
    for found in subjects.values():
        for total, own in ((worn, found["worn_wrongly"]), (slipped, found["drift"].get("slipped", {}))):
            for what, counts in own.items():
                total[what] = [a + b for a, b in zip(total.get(what, [0, 0]), counts, strict=True)]
    return {
        "as_worn": {activity: _as_worn(subjects, activity) for activity in ACTIVITIES},
        "worn_wrongly": worn,
        "delays": {f"{shift:g}": _delays(subjects, shift) for shift in SHIFTS_S},
        "slipped": slipped,
        "drift_alarms": {name: found["drift"]["alarms"] for name, found in subjects.items() if found["drift"]},
    }


def _as_worn(subjects: Mapping[str, Any], activity: str) -> dict[str, Any]:
    windows = {name: found["left_out"][activity] for name, found in subjects.items()}
    left_out = {name: sorted({sensor for part in parts for sensor in part}) for name, parts in windows.items()}
    return {
        "windows": sum(map(len, windows.values())),
        "with_left_out": sum(bool(part) for parts in windows.values() for part in parts),
        "left_out": {name: sensors for name, sensors in left_out.items() if sensors},
    }


def _delays(subjects: Mapping[str, Any], shift: float) -> dict[str, Any]:
    found = [one["delays"][f"{shift:g}"] for one in subjects.values() if one["delays"]]
    known = [entry["seconds"] for entry in found if entry["seconds"] is not None]
    off = [abs(entry["seconds"] - shift) for entry in found if entry["corrected"]]
    return {
        "subjects": len(found),
        "corrected": len(off),
        "found": [min(known, default=float("nan")), max(known, default=float("nan"))],
        "mean_error": float(np.mean(off)) if off else float("nan"),
        "largest_error": max(off, default=float("nan")),
    }


def _unmeasured(recordings: Sequence[Recording]) -> list[Recording]:
    """Assess sensors alone, without EMG."""
    nothing = np.zeros(len(recordings[0].rig.muscles))
    return [replace(recording, muscle_weight=nothing) for recording in recordings]


def _turned(imu: FloatArray, sensor: int, axis: str, angle: float) -> FloatArray:
    return _rotated(imu, sensor, Rotation.from_euler(axis, angle, degrees=True))


def _slipped(imu: FloatArray, sensor: int, angle: float) -> FloatArray:
    """Turn a sensor about a level axis: it slips along a limb, not about it."""
    gravity = np.nanmean(imu[:, sensor, :3], axis=0)
    axis = np.cross(gravity, np.eye(3)[np.abs(gravity).argmin()])
    return _rotated(imu, sensor, Rotation.from_rotvec(angle * axis / np.linalg.norm(axis), degrees=True))


def _rotated(imu: FloatArray, sensor: int, rotation: Rotation) -> FloatArray:
    rotations = np.tile(np.eye(3), (imu.shape[1], 1, 1))
    rotations[sensor] = rotation.as_matrix()
    return turn_mounts(imu, rotations)


def _mounting(base: Bundle, imu: FloatArray) -> Mounting:
    assert base.distribution is not None
    mounting = mounting_of(imu, base.rig, base.distribution, base.normalisation)
    assert mounting is not None  # half a minute of walking suffices
    return mounting


def _names(mounting: Mounting, sensors: set[int]) -> bool:
    """Return whether an exchange of all these sensors was found."""
    return any(sensors <= set(entry.remedy.sensors) for entry in mounting.found if entry.remedy.rotation is None)


def _watched(base: Bundle, then: MotionProfile, imu: FloatArray) -> list[Drift]:
    """Judge drift every ten seconds."""
    assert base.distribution is not None
    sensors, rate = imu.shape[1], base.rig.rate
    running = RunningProfile(base.distribution, sensors)
    statistics, available = motion_statistics(imu, rate, max(1, round(ROW_PERIOD_S * rate)))
    judgements = []
    for row in range(round(WINDOW_S / ROW_PERIOD_S), len(statistics)):
        running.step(statistics[row], available[row])
        if row % round(JUDGED_EVERY_S / ROW_PERIOD_S) == 0:
            found = drift_between(then, running.profile(), base.distribution, sensors)
            judgements += [found] if found else []
    return judgements
