"""Whether a subject's recordings are fit to calibrate on: a verdict on every sensor and every muscle.

The samples are judged as they are live (``signals.recording_checks``), the signals by ``signals.signal_quality``, how
the sensors are worn by ``model.sensor_placement``, and the EMG against the movement by ``electrode_check``. Bad
channels are left out and named; where too little is left, the recordings are refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.calibration.electrode_check import MIN_MOVEMENT_R, ElectrodeCheck, check_electrodes
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.offline_estimate import estimator_of
from imu_emg_estimator.model.sensor_placement import Mounting, mounting_of
from imu_emg_estimator.model.worn_ways import signs_of, turned_sensors
from imu_emg_estimator.recording import FloatArray, Recording
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.masked_imu_features import Normalisation
from imu_emg_estimator.signals.recording_checks import CheckedRecording, check_recording, join_states
from imu_emg_estimator.signals.signal_quality import (
    Finding,
    Limits,
    MuscleFigures,
    SensorFigures,
    Stream,
    judge_muscle,
    judge_sensor,
    judge_states,
    muscle_figures,
    sensor_figures,
    verdict_in_words,
)
from imu_emg_estimator.utils.json_values import json_compatible

MIN_SENSOR_SHARE = 0.5  # of the sensors must be good: the network was trained with few missing
SAME_PHASE_R, SAME_PHASE_EXCESS_R = 0.5, 0.4  # of left and right EMG, and by how much above that of the estimates
SAME_SIGNAL_R = 0.95  # of left and right EMG; no two muscles that take turns have it
MANY_SUBJECTS = 8  # of the training: fewer do not show how differently people wear a sensor
MIN_EVIDENCE_OF_FEW = 50.0  # as live; people on whom nothing was wrong reached 22 with three training subjects
OF_ACCELERATION = ("still", "clipping", "gravity")  # findings that wrong accelerations have another reason for


@dataclass(frozen=True)
class Quality:
    """Verdicts on a subject's recordings.

    Attributes:
        sensors, muscles: figures by name; muscles that were not measured are left out.
        mounting: how the sensors are worn; None = not known, for want of movement or of training data.
        follows: by muscle: r of quickly fitted heads on data that they were not fitted to; how well EMG and
            movement go together.
        findings: what is wrong, the sensors first.
        refusal: why nothing should be adapted to these recordings; empty = it may be.
        masked: of every recording [samples, sensors, 6], which samples cannot be vouched for; empty = none.
        signs: of every recording, those [sensors, 6] that turn back the sensors worn the other way round; empty = none.
    """

    sensors: Mapping[str, SensorFigures]
    muscles: Mapping[str, MuscleFigures]
    mounting: Mounting | None
    follows: Mapping[str, float]
    findings: tuple[Finding, ...]
    refusal: str
    masked: tuple[NDArray[np.bool_], ...] = ()
    signs: tuple[FloatArray, ...] = ()

    @property
    def left_out(self) -> tuple[str, ...]:
        """Names of bad sensors and muscles."""
        bad = [name for finding in self.findings if finding.bad for name in finding.channels]
        return tuple(dict.fromkeys(bad))

    @property
    def exchanged(self) -> tuple[str, ...]:
        """Muscles whose EMG goes with the movement of the other side."""
        return tuple(name for finding in self.findings if finding.kind == "exchanged" for name in finding.channels)

    @property
    def sentences(self) -> tuple[str, ...]:
        """A sentence for every finding."""
        return tuple(str(finding) for finding in self.findings)

    def normalisation(self, given: Normalisation) -> Normalisation:
        """Mask the sensors that were left out, for good."""
        out = np.array([name in self.left_out for name in self.sensors])[:, None]
        return Normalisation(np.where(out, np.nan, given.mean), np.where(out, np.nan, given.std))

    def turned_back(self, recordings: Sequence[Recording]) -> list[Recording]:
        """Turn back the sensors that are worn the other way round."""
        signs = self.signs or (np.ones(1, np.float32),) * len(recordings)
        return [replace(recording, imu=recording.imu * own) for recording, own in zip(recordings, signs, strict=True)]

    def usable(self, recordings: Sequence[Recording]) -> list[Recording]:
        """Leave out what is bad: such samples, and all of such sensors, become NaN, such muscles get weight 0."""
        rig = recordings[0].rig
        sensors = np.array([name in self.left_out for name in rig.sensor_names])[:, None]
        muscles = np.array([name in self.left_out for name in rig.muscle_names])
        masked = self.masked or (np.zeros(1, dtype=bool),) * len(recordings)
        return [
            replace(
                recording,
                imu=np.where(sensors | own, np.nan, recording.imu),
                muscle_weight=np.where(muscles, 0.0, recording.muscle_weight),
            )
            for recording, own in zip(self.turned_back(recordings), masked, strict=True)
        ]

    def verdicts(self) -> dict[str, str]:
        """Return a verdict in words on every sensor and muscle."""
        by_name: dict[str, list[Finding]] = {name: [] for name in (*self.sensors, *self.muscles)}
        for finding in self.findings:
            for name in finding.channels:
                by_name.setdefault(name, []).append(finding)
        return {name: verdict_in_words(findings) for name, findings in by_name.items()}

    def to_dict(self) -> dict[str, Any]:
        """Return figures and words for JSON."""
        mounting = self.mounting
        figures: dict[str, Any] = json_compatible(
            {
                "refusal": self.refusal,
                "left_out": self.left_out,
                "findings": self.findings,
                "verdicts": self.verdicts(),
                "sensors": self.sensors,
                "muscles": self.muscles,
                "follows_movement": self.follows,
                "mounting": None
                if mounting is None
                else {"score": mounting.score, "mended": mounting.mended, "strangeness": mounting.strangeness}
                | {"evidence": [found.evidence for found in mounting.found]},
            }
        )
        return figures


def assess(
    bundle: Bundle, recordings: Sequence[Recording], stream: Stream = Stream(), accept_exchanged: bool = False
) -> Quality:
    """Judge a subject's recordings, before anything is adapted to them.

    Args:
        bundle: that is to be adapted.
        recordings: of one subject, of the bundle's rig.
        stream: what the reader of the bag knows besides.
        accept_exchanged: use the EMG of two muscles of which each goes with the movement of the other, and let the
            estimates follow it.
    """
    rig, unit, limits = bundle.rig, recordings[0].envelope_unit, Limits()
    used = bundle.normalisation.used  # a gyroscope that the network does not use may be missing or damaged
    recordings = [replace(recording, imu=np.where(used, recording.imu, np.nan)) for recording in recordings]
    turned = [_turned_sensors(bundle, recording) for recording in recordings]
    signs = tuple(signs_of(own, rig) for own in turned)
    recordings = [replace(recording, imu=recording.imu * own) for recording, own in zip(recordings, signs, strict=True)]
    sensors = {name: sensor_figures(recordings, index, stream) for index, name in enumerate(rig.sensor_names)}
    checked = [_checked(bundle, recording) for recording in recordings]
    findings = _judge_samples(checked, rig.sensor_names, sum(recording.duration for recording in recordings))
    findings += _judge_ways(turned, rig)
    usable = [replace(recording, imu=own.imu) for recording, own in zip(recordings, checked, strict=True)]
    bad = set(rig.sensor_names).difference(_left(findings, rig.sensor_names))
    for index, name in enumerate(rig.sensor_names):
        figures = _without_gaps(sensor_figures(usable, index, stream), sensors[name])
        own = judge_sensor(name, sensors[name] if name in bad else figures, limits)
        findings += [finding for finding in own if name not in bad or finding.kind not in OF_ACCELERATION]
    good = _left(findings, rig.sensor_names)
    moving = any(sensors[name].movement >= limits.still for name in good)
    imu = np.concatenate([recording.imu for recording in usable])
    mounting = _mounting(bundle, _without_bad(imu, rig, findings)) if moving else None
    if mounting is not None:
        findings += _judge_mounting(mounting, rig.sensor_names, len(bundle.training.get("subjects", ())))
    muscles = {
        name: muscle_figures(recordings, index, _amplitude(bundle, index, unit), stream)
        for index, name in enumerate(rig.muscle_names)
        if any(recording.muscle_weight[index] > 0 for recording in recordings)
    }
    for name, muscle in muscles.items():
        findings += judge_muscle(name, muscle, moving, limits)
    if stream.late:
        findings.append(Finding(tuple(muscles), "late", stream.late, True))
    follows: dict[str, float] = {}
    if moving and _left(findings, rig.sensor_names) and _left(findings, muscles):
        so_far = Quality(sensors, muscles, mounting, {}, tuple(findings), "")
        electrodes = check_electrodes(estimator_of(bundle), so_far.usable(usable))
        follows = {rig.muscle_names[muscle]: r for muscle, r in electrodes.movement_r.items()}
        findings += _judge_electrodes(electrodes, rig, accept_exchanged)
    refusal = _refusal(findings, rig, tuple(muscles), moving)
    masked = tuple(
        np.isnan(own.imu) & np.isfinite(recording.imu) for recording, own in zip(recordings, checked, strict=True)
    )
    return Quality(sensors, muscles, mounting, follows, tuple(findings), refusal, masked, signs)


def _checked(bundle: Bundle, recording: Recording) -> CheckedRecording:
    rig, instants = bundle.rig, np.arange(len(recording)) * round(SECOND / bundle.rig.rate)
    return check_recording(recording.imu, instants, rig.rate, bundle.normalisation.used, bundle.ranges)


def _turned_sensors(bundle: Bundle, recording: Recording) -> list[int]:
    return turned_sensors(recording.imu, bundle.rig, bundle.distribution) if bundle.distribution else []


def _judge_ways(turned: Sequence[list[int]], rig: Rig) -> list[Finding]:
    counts = {sensor: sum(sensor in own for own in turned) for own in turned for sensor in own}
    several = len(turned) > 1
    return [
        Finding(
            (rig.sensor_names[sensor],), "other_way",
            f"worn the other way round{f' in {count} of {len(turned)} recordings' if several else ''}, and turned back",
            False,
        )
        for sensor, count in counts.items()
    ]  # fmt: skip


def _judge_samples(checked: Sequence[CheckedRecording], names: Sequence[str], seconds: float) -> list[Finding]:
    findings = []
    for index, name in enumerate(names):
        met = join_states(one for recording in checked for one in recording.states[index])
        findings += judge_states(name, met, seconds)
    return findings


def _without_gaps(usable: SensorFigures, recorded: SensorFigures) -> SensorFigures:
    """Return figures of the samples that can be used, with the gaps of the recording: what is masked is no gap."""
    gaps = {name: getattr(recorded, name) for name in ("rate", "missing", "longest_gap", "gyroscope_missing")}
    return replace(usable, **gaps)


def _mounting(bundle: Bundle, imu: FloatArray) -> Mounting | None:
    if bundle.distribution is None:
        return None
    return mounting_of(imu, bundle.rig, bundle.distribution, bundle.normalisation)


def _judge_mounting(mounting: Mounting, names: Sequence[str], subjects: int) -> list[Finding]:
    findings = []
    for found in mounting.found:
        sure = subjects >= MANY_SUBJECTS or found.evidence >= MIN_EVIDENCE_OF_FEW
        doubt = "" if sure else f"; or is it worn otherwise than on the {subjects} subjects of the training?"
        channels = tuple(names[sensor] for sensor in found.remedy.sensors)
        findings.append(Finding(channels, "mounting", found.remedy.describe() + doubt, sure))
    for sensor in mounting.unusual:
        deviation = f"{mounting.strangeness[sensor] ** 0.5:.1f} times what is usual"
        strange, many = sensor in mounting.strange, subjects >= MANY_SUBJECTS
        what = "moves like no subject of the training" if strange else "moves unlike most subjects of the training"
        doubt = "" if many else f" Or do people differ more than the {subjects} subjects of the training?"
        text = f"{what} ({deviation}): is it loose, in another place, or damaged?{doubt}"
        findings.append(Finding((names[sensor],), "strange", text, strange and many))
    return findings


def _judge_electrodes(electrodes: ElectrodeCheck, rig: Rig, accept_exchanged: bool) -> list[Finding]:
    findings = []
    names, measured_muscles = rig.muscle_names, np.isfinite(electrodes.data.amplitude)
    for muscle, r in electrodes.movement_r.items():
        if r < MIN_MOVEMENT_R:
            text = f"its EMG is not locked to the movement (r {r:.2f}): is the electrode off, or the clock another?"
            findings.append(Finding((names[muscle],), "not_locked", text, True))
    for muscle, source in enumerate(electrodes.sources):
        if source != muscle and measured_muscles[muscle] and muscle not in electrodes.unrelated:
            text = f"its EMG goes with the movement of {names[source]}; check the leads"
            mutual = electrodes.sources[source] == muscle  # else it may be how the subject moves
            if mutual and not accept_exchanged:
                text += ", and exchange the channels (--emg-channels), or use them as they are (--accept-exchanged)"
            findings.append(Finding((names[muscle],), "exchanged", text, mutual and not accept_exchanged))
    for (muscle, twin), (measured, estimated) in electrodes.twin_correlations(rig).items():
        pair = (names[muscle], names[twin])
        if measured <= SAME_PHASE_R or measured - estimated <= SAME_PHASE_EXCESS_R:  # squats move both legs alike
            continue
        if measured > SAME_SIGNAL_R:
            text = f"carry the same signal (r {measured:.2f}, expected {estimated:.2f}); check the leads"
            findings.append(Finding(pair, "same_signal", text, True))
        else:
            text = f"work in the same phase (r {measured:.2f}, expected {estimated:.2f}); are both on one leg?"
            findings.append(Finding(pair, "same_phase", text, False))
    return findings


def _amplitude(bundle: Bundle, muscle: int, unit: str) -> float:
    """Return the amplitude that the model expects; NaN where the recordings are in another unit."""
    known = bundle.reference.unit_of(muscle) == unit
    return bundle.reference.amplitude[muscle] if known else float("nan")


def _without_bad(imu: FloatArray, rig: Rig, findings: Sequence[Finding]) -> FloatArray:
    """Set the samples [samples, sensors, 6] of bad sensors to NaN."""
    good = _left(findings, rig.sensor_names)
    return np.where(np.array([name not in good for name in rig.sensor_names])[:, None], np.nan, imu)


def _left(findings: Sequence[Finding], names: Sequence[str] | Mapping[str, Any]) -> list[str]:
    """Return those of the channels that are not bad."""
    bad = {name for finding in findings if finding.bad for name in finding.channels}
    return [name for name in names if name not in bad]


def _refusal(findings: Sequence[Finding], rig: Rig, muscles: Sequence[str], moving: bool) -> str:
    """Say why nothing can be made of the recordings; empty = something can."""
    sensors = rig.sensor_names
    if len(_left(findings, sensors)) < MIN_SENSOR_SHARE * len(sensors):
        return f"too few sensors are good ({_all_of(findings, sensors)}); put that right and record again"
    if not moving:
        return f"the subject did not move: record {rig.movement_names[0]}, and what else the device is for"
    if not muscles:
        return "no muscle has EMG; check the topics and the electrodes"
    if not _left(findings, muscles):
        return f"no muscle has usable EMG ({_all_of(findings, muscles)}); put that right and record again"
    return ""


def _all_of(findings: Sequence[Finding], names: Sequence[str]) -> str:
    return "; ".join(str(finding) for finding in findings if finding.bad and set(finding.channels) & set(names))
