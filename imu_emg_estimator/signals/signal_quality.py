"""Quality of the channels of recordings in figures and findings, judged from the signals alone, without a model.

Limits were set beyond what any half minute of walking, running, stairs, sitting or standing
of HuGaDB's development subjects held, its damaged channels aside; see docs/calibration.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.recording import FloatArray, Recording
from imu_emg_estimator.signals.gravity import gravity_of
from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.powerline import find_powerline
from imu_emg_estimator.signals.recording_checks import StateTime, check_recording
from imu_emg_estimator.signals.sample_delivery import lowest_rate
from imu_emg_estimator.signals.sensor_verdict import Verdict

CLIPPED_SHARE = 0.9995  # of a sensor's highest acceleration: there it is at the end of its range
MIN_STUCK_SAMPLES = 3  # in a row at the end of the range: only an amplifier at its limit gives them
MIN_LEVELS = 16  # values that a channel must take before its highest and lowest count as ends of the range
MOSTLY_MISSING = 0.9  # share of the time without samples
DEGREES = np.degrees(1.0)
LEFT_OUT, TO_CHECK = "left out", "used, but check it"  # beginnings of a verdict in words


@dataclass(frozen=True)
class Limits:
    """Limits beyond which a channel is reported, and beyond which it is left out.

    Attributes:
        missing: share of the time without samples: reported, left out.
        masked: share of the time in which samples cannot be vouched for (``sample_checks``): reported, left out.
        gap: longest time without samples [s]: reported.
        clipped: share of samples at the end of the accelerometer's range: reported, left out.
        gravity: acceleration at rest [m/s²]: lowest, highest.
        gravity_moving: length of the mean acceleration where the subject never rested [m/s²]: lowest, highest. A limb
            that turns has a short one.
        level_moving: lowest mean length of the acceleration there [m/s²]: however a limb turns, it is gravity or more.
        turning: root mean square of the angular rate [rad/s] beyond any gait.
        still: standard deviation of the acceleration [m/s²] below which a sensor did not move.
        seconds: of EMG that a muscle needs.
        level: share of the usual amplitude [reference] that the EMG's peaks (its 95th percentile) must have: left
            out, reported.
        unit: the same, beyond which EMG that moves as it should is in another unit, not weak: below, above.
        modulation: of the envelope: its 95th over its 5th percentile in movement.
        saturated: share of raw EMG at the amplifier's limit: reported, left out.
        powerline: share of powerline interference in the power of raw EMG: reported, left out.
    """

    missing: tuple[float, float] = (0.02, 0.25)
    masked: tuple[float, float] = (0.02, 0.25)
    gap: float = 0.5
    clipped: tuple[float, float] = (0.35, 0.8)
    gravity: tuple[float, float] = (9.0, 10.6)
    gravity_moving: tuple[float, float] = (3.5, 16.0)
    level_moving: float = 8.0
    turning: float = 6.0
    still: float = 0.5
    seconds: float = 5.0
    level: tuple[float, float] = (0.1, 0.25)
    unit: tuple[float, float] = (0.01, 100.0)
    modulation: float = 3.0
    saturated: tuple[float, float] = (0.03, 0.25)
    powerline: tuple[float, float] = (0.2, 0.6)


@dataclass(frozen=True)
class SensorFigures:
    """Figures of one IMU.

    Attributes:
        rate: samples a second.
        rig_rate: of the rig [Hz], which tells how many are needed.
        missing: share of the time without acceleration.
        longest_gap: without acceleration [s].
        gyroscope_missing: share of the time without angular rate.
        clipped: share of samples in which an axis is at the end of the range.
        gravity, quiet, level: see ``Gravity``.
        movement: standard deviation of the acceleration, mean over axes [m/s²].
        turning: root mean square of the angular rate [rad/s].
    """

    rate: float
    rig_rate: float
    missing: float
    longest_gap: float
    gyroscope_missing: float
    clipped: float
    gravity: float
    quiet: bool
    level: float
    movement: float
    turning: float


@dataclass(frozen=True)
class MuscleFigures:
    """Figures of one EMG channel.

    Attributes:
        seconds: of EMG.
        missing: share of the time without.
        peaks: 95th percentile of the envelope, in its unit.
        level: the same over the amplitude that the model expects; NaN = not in the same unit.
        modulation: 95th over 5th percentile of the envelope.
        saturated: share of raw samples at the amplifier's limit; NaN = not known.
        powerline: share of powerline interference in the power of the raw EMG; NaN = not known.
        powerline_frequency: of the powerline [Hz]; NaN = no powerline.
    """

    seconds: float
    missing: float
    peaks: float
    level: float
    modulation: float
    saturated: float
    powerline: float
    powerline_frequency: float


@dataclass(frozen=True)
class Stream:
    """What only the reader of a bag knows of channels, by the name of the sensor or muscle.

    Attributes:
        rate: samples a second of an IMU.
        saturated: share of raw EMG at the amplifier's limit.
        powerline: share of powerline interference in the raw EMG.
        powerline_frequency: of the powerline [Hz].
        late: by how much the EMG clearly is, in words, if nobody has said that it is to be corrected or left.
    """

    rate: Mapping[str, float] = field(default_factory=dict)
    saturated: Mapping[str, float] = field(default_factory=dict)
    powerline: Mapping[str, float] = field(default_factory=dict)
    powerline_frequency: Mapping[str, float] = field(default_factory=dict)
    late: str = ""


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with channels.

    Attributes:
        channels: names of the sensors or muscles that it concerns.
        kind: what it is, in one word, for software.
        text: the same with figures, for people, after the names.
        bad: whether the channels must be left out, not only reported.
    """

    channels: tuple[str, ...]
    kind: str
    text: str
    bad: bool

    def __str__(self) -> str:
        return f"{' and '.join(self.channels)}: {self.text}"


def sensor_figures(recordings: Sequence[Recording], sensor: int, stream: Stream = Stream()) -> SensorFigures:
    """Compute the figures of one IMU over all recordings of a subject."""
    rate, name = recordings[0].rig.rate, recordings[0].rig.sensor_names[sensor]
    acceleration = [recording.imu[:, sensor, :3] for recording in recordings]
    angular = np.concatenate([recording.imu[:, sensor, 3:] for recording in recordings])
    joined = np.concatenate(acceleration)
    present = np.isfinite(joined).all(axis=1)
    turns = angular[np.isfinite(angular).all(axis=1)]
    known = joined[present]
    gravity = gravity_of(acceleration, rate)
    highest = np.abs(known).max(initial=0.0)
    return SensorFigures(
        rate=stream.rate.get(name, rate * float(present.mean())),
        rig_rate=rate,
        missing=1.0 - float(present.mean()),
        longest_gap=max(map(_longest_gap, acceleration)) / rate,
        gyroscope_missing=1.0 - len(turns) / len(angular),
        clipped=float((np.abs(known) >= CLIPPED_SHARE * highest).any(axis=1).mean()) if len(known) else np.nan,
        gravity=gravity.length,
        quiet=gravity.quiet,
        level=gravity.level,
        movement=float(known.std(axis=0).mean()) if len(known) else np.nan,
        turning=float(np.sqrt((turns**2).sum(axis=1).mean() / 3)) if len(turns) else np.nan,
    )


def muscle_figures(
    recordings: Sequence[Recording], muscle: int, amplitude: float = float("nan"), stream: Stream = Stream()
) -> MuscleFigures:
    """Compute the figures of one EMG channel over all recordings of a subject.

    Args:
        amplitude: that the model expects, in the unit of the recordings; NaN = not known in it.
    """
    name = recordings[0].rig.muscle_names[muscle]
    envelope = np.concatenate([recording.envelope[:, muscle] for recording in recordings])
    known = envelope[np.isfinite(envelope)]
    low, peaks = np.percentile(known, (5, 95)) if len(known) else (np.nan, np.nan)
    limit, powerline, frequency = _raw_figures(recordings, muscle)
    return MuscleFigures(
        seconds=len(known) / recordings[0].rig.rate,
        missing=1.0 - len(known) / len(envelope),
        peaks=float(peaks),
        level=float(peaks) / amplitude,
        modulation=float(peaks / low) if low > 0 else float(np.inf if peaks > 0 else 1.0),
        saturated=stream.saturated.get(name, limit),
        powerline=stream.powerline.get(name, powerline),
        powerline_frequency=stream.powerline_frequency.get(name, frequency),
    )


def judge_states(name: str, met: Sequence[StateTime], seconds: float, limits: Limits = Limits()) -> list[Finding]:
    """Return what the samples of an IMU themselves tell; an empty list = nothing of note.

    Args:
        met: the states that it was in.
        seconds: that were recorded.
    """
    found: list[Finding] = []
    for state, time in met:
        share = time / seconds
        if state.masked and state.verdict is not Verdict.ABSENT and share > limits.masked[0]:  # absence is a gap
            text = f"{state.reason}, in {time:.1f} of {seconds:.1f} s; {state.remedy}"
            found.append(Finding((name,), str(state.verdict.value), text, share > limits.masked[1]))
    return found


def judge_sensor(name: str, figures: SensorFigures, limits: Limits = Limits()) -> list[Finding]:
    """Return what is wrong with an IMU; an empty list = nothing."""
    found: list[Finding] = []

    def note(kind: str, bad: bool, text: str) -> None:
        found.append(Finding((name,), kind, text, bad))

    if figures.missing == 1.0:
        note("missing", True, "no samples")
        return found
    if figures.rate < (needed := lowest_rate(figures.rig_rate)):
        text = f"{figures.rate:.3g} samples a second, at least {needed:.3g} are needed; raise its rate"
        note("rate", True, text)
    if figures.missing > limits.missing[0] or figures.longest_gap > limits.gap:
        text = f"{figures.missing:.0%} of the time without samples, up to {figures.longest_gap:.1f} s in a row"
        note("gaps", figures.missing > limits.missing[1], text)
    if figures.missing > MOSTLY_MISSING:  # what is left says nothing of range and gravity
        return found
    if figures.movement < limits.still:
        note("still", False, "did not move")
    if figures.clipped > limits.clipped[0]:
        text = f"{figures.clipped:.0%} of the samples at the end of its range; set a wider one"
        note("clipping", figures.clipped > limits.clipped[1], text)
    lowest, highest = limits.gravity if figures.quiet else limits.gravity_moving
    if not lowest <= figures.gravity <= highest:
        text = f"gravity is {figures.gravity:.4g} instead of 9.81 m/s²"
        note("gravity", True, text + _remedy_of_gravity(figures))
    elif not figures.quiet and figures.level < limits.level_moving:
        text = f"the acceleration is {figures.level:.3g} m/s² on average, less than gravity"
        note("gravity", True, text + _remedy_of_gravity(figures))
    if figures.turning > limits.turning:
        text = f"turns at {figures.turning:.0f} rad/s, more than a limb can"
        likely = figures.turning / DEGREES < limits.turning
        note("angular_rate", True, text + ("; is it in degrees a second?" if likely else "; the gyroscope is damaged"))
    return found


def judge_muscle(name: str, figures: MuscleFigures, moving: bool, limits: Limits = Limits()) -> list[Finding]:
    """Return what is wrong with an EMG channel by itself; an empty list = nothing.

    Args:
        moving: whether the subject moved: at rest an attached electrode looks like one that is off.
    """
    found: list[Finding] = []

    def note(kind: str, bad: bool, text: str) -> None:
        found.append(Finding((name,), kind, text, bad))

    if figures.seconds < limits.seconds:
        note("too_little", True, f"{figures.seconds:.1f} s of EMG, at least {limits.seconds:g} s are needed")
        return found
    if not figures.peaks > 0:
        note("electrode_off", True, "no signal at all: the electrode or its lead is off")
        return found
    lowest, highest = limits.unit
    if moving and figures.modulation >= limits.modulation and (figures.level < lowest or figures.level > highest):
        text = f"its peaks are {figures.level:.3g} times what the muscle usually gives: is it in another unit?"
        note("unit", True, text)
    elif moving and figures.level < limits.level[1]:
        text = (
            f"its peaks are {figures.level:.0%} of what the muscle usually gives: is the electrode off or badly placed?"
        )
        note("weak", figures.level < limits.level[0], text)
    if moving and figures.modulation < limits.modulation:
        text = f"its peaks are only {figures.modulation:.1f} times its rest: the electrode looks off"
        note("electrode_off", True, text)
    if figures.saturated > limits.saturated[0]:
        text = f"{figures.saturated:.0%} of the samples at the amplifier's limit; lower its gain"
        note("saturated", figures.saturated > limits.saturated[1], text)
    if figures.powerline > limits.powerline[0]:
        frequency = f"{figures.powerline_frequency:.0f} Hz"
        text = f"{figures.powerline:.0%} of its power is powerline at {frequency}; check the reference electrode"
        note("powerline", figures.powerline > limits.powerline[1], text)
    return found


def verdict_in_words(findings: Sequence[Finding]) -> str:
    """Return "good", or whether a channel is left out or only reported, and why."""
    if not findings:
        return "good"
    state = LEFT_OUT if any(finding.bad for finding in findings) else TO_CHECK
    return f"{state}: {'; '.join(finding.text for finding in findings)}"


def sensor_verdicts(recording: Recording) -> dict[str, str]:
    """Return a verdict in words on every sensor, as far as its signal alone tells."""
    rate, names = recording.rig.rate, recording.rig.sensor_names
    present = np.asarray(np.isfinite(recording.imu).any(axis=0))  # a gyroscope may be left out
    instants = np.arange(len(recording)) * round(SECOND / rate)
    states = check_recording(recording.imu, instants, rate, present).states
    findings = {
        name: judge_states(name, states[index], recording.duration)
        + judge_sensor(name, sensor_figures([recording], index))
        for index, name in enumerate(names)
    }
    return {name: verdict_in_words(found) for name, found in findings.items()}


def saturated(raw: FloatArray) -> NDArray[np.bool_]:
    """Find the samples [samples, channels] of raw EMG at which the amplifier was at its limit.

    That is where a channel stays at its highest or lowest value for at least ``MIN_STUCK_SAMPLES``.
    """
    result = np.zeros(raw.shape, dtype=bool)
    for index, channel in enumerate(raw.T):
        known = channel[np.isfinite(channel)]
        if len(np.unique(known[: 1 << 20])) >= MIN_LEVELS:
            for limit in (known.min(), known.max()):
                for start, stop in true_runs(channel == limit, MIN_STUCK_SAMPLES):
                    result[start:stop, index] = True
    return result


def true_runs(flags: NDArray[np.bool_], min_length: int = 1) -> list[tuple[int, int]]:
    """Return start and stop of every run of True in flags [samples] that is at least so many samples long."""
    edges = np.flatnonzero(np.diff(flags, prepend=False, append=False))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= min_length]


def _remedy_of_gravity(figures: SensorFigures) -> str:
    if figures.level < 0.5 or figures.gravity < 0.4 * figures.level:  # accelerations average out, gravity does not
        return ": does its driver remove gravity?"
    for unit, scale in (("g", 1.0), ("mg", 1000.0)):
        if figures.gravity < 1.6 * scale and figures.level > 0.8 * scale:
            return f": is it in {unit}?"
    return "; calibrate or replace it"


def _longest_gap(acceleration: FloatArray) -> int:
    """Return the longest run of samples [samples, 3] that are not known."""
    runs = true_runs(np.asarray(~np.isfinite(acceleration).all(axis=1)))
    return max((stop - start for start, stop in runs), default=0)


def _raw_figures(recordings: Sequence[Recording], muscle: int) -> tuple[float, float, float]:
    """Return the share at the amplifier's limit, the share of powerline and its frequency [Hz]; NaN = not known."""
    raw = [recording.emg for recording in recordings if recording.emg is not None]
    if not raw:
        return float("nan"), float("nan"), float("nan")
    limit = np.average([saturated(emg.data[:, [muscle]]).mean() for emg in raw], weights=[len(emg.data) for emg in raw])
    longest = max(raw, key=lambda emg: len(emg.data))
    powerline = find_powerline(longest.data[:, [muscle]], longest.rate)[0]
    return (
        float(limit),
        powerline.share if powerline else float("nan"),
        powerline.frequency if powerline else float("nan"),
    )
