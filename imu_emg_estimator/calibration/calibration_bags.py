"""A subject's bags as recordings to calibrate on, and the calibration from bags: what command and service both do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from imu_emg_estimator.bags import BagReport, TopicMapping, check_bag, read_bag_with_report
from imu_emg_estimator.calibration.adaptation import AdaptationSettings
from imu_emg_estimator.calibration.calibration import CalibrationResult, calibrate
from imu_emg_estimator.calibration.emg_timing import in_time
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.signals.emg_delay import Delay, given_delay, shift_emg
from imu_emg_estimator.signals.grid_alignment import AlignmentSettings
from imu_emg_estimator.signals.masked_imu_features import mount_rotations, turn_mounts
from imu_emg_estimator.signals.signal_quality import Stream
from imu_emg_estimator.utils.file_hash import hash_of
from imu_emg_estimator.utils.json_values import json_compatible
from imu_emg_estimator.utils.progress import Progress

UPRIGHT = (0.0, 0.0, 0.0, 1.0)
READING = "reading"  # phase before those of ``calibrate``


@dataclass(frozen=True)
class BagReading:
    """How bags are read.

    Attributes:
        mapping: which topics and channels are which; None = found by type and name.
        alignment: of the node, so that a bag is read as the node saw it; None = the default.
        rotations: quaternions x y z w in a row from the IMUs' axes to the rig's, one for all or one for each.
        emg_delay: s by which the EMG is late; None = found from the movement, corrected where it is clear.
        check: says whether a file may be read, as ``datasets.paths.within`` makes it; None = any may.
    """

    mapping: TopicMapping | None = None
    alignment: AlignmentSettings | None = None
    rotations: Sequence[float] = UPRIGHT
    emg_delay: float | None = None
    check: Callable[[Path], Path] | None = None


@dataclass(frozen=True)
class CalibrationBag:
    """A bag as it was read.

    Attributes:
        recording: on the rig's grid, in the rig's axes, its EMG in time with the movement.
        report: what was found in the bag.
        delay: of the EMG.
    """

    recording: Recording
    report: BagReport
    delay: Delay

    @property
    def notes(self) -> list[str]:
        """What was not as it should be, and what was done about it; one sentence each."""
        return [*self.report.notes, *([self.delay.note] if self.delay.note else [])]

    def to_dict(self) -> dict[str, Any]:
        """Plain figures."""
        return {**self.report.to_dict(), "emg_delay": json_compatible(self.delay)}


def open_bags(
    base: Bundle, paths: Sequence[Path], subject: str, reading: BagReading | None = None
) -> list[CalibrationBag]:
    """Read a subject's bags.

    Raises:
        BagUnreadable, TopicMissing, BagTooShort, InputError: one cannot be read, which the sentence names.
    """
    reading = reading or BagReading()
    rotations = mount_rotations(reading.rotations, len(base.rig.sensors))
    for path in paths:
        check_bag(path, check=reading.check)
    bags = []
    for path in paths:
        recording, report = read_bag_with_report(
            path, base.rig, reading.mapping, base.envelope, subject, alignment=reading.alignment, check=reading.check
        )
        recording = replace(recording, imu=turn_mounts(recording.imu, rotations))
        if reading.emg_delay is None:
            recording, delay = in_time(base, recording)
        else:
            recording, delay = shift_emg(recording, reading.emg_delay), given_delay(reading.emg_delay)
        bags.append(CalibrationBag(recording, report, delay))
    return bags


def stream_of(bags: Sequence[CalibrationBag]) -> Stream:
    """What the readers know of channels that the recordings do not show; of several bags the worst."""
    rate: dict[str, float] = {}
    saturated: dict[str, float] = {}
    powerline: dict[str, float] = {}
    frequency: dict[str, float] = {}
    for bag in bags:
        for imu in bag.report.imu:
            rate[imu.sensor] = min(rate.get(imu.sensor, imu.rate), imu.rate)
        if bag.report.emg is None:
            continue
        for muscle, share in bag.report.emg.saturated.items():
            saturated[muscle] = max(saturated.get(muscle, 0.0), share)
        for muscle, found in bag.report.emg.powerline.items():
            if found and found.share > powerline.get(muscle, 0.0):
                powerline[muscle], frequency[muscle] = found.share, found.frequency
    return Stream(rate, saturated, powerline, frequency)


def calibrate_on_bags(
    base: Bundle,
    paths: Sequence[Path],
    subject: str,
    running: Bundle | None = None,
    settings: AdaptationSettings | None = None,
    progress: Callable[[Progress], None] | None = None,
    stop: Callable[[], bool] | None = None,
    reading: BagReading | None = None,
) -> tuple[CalibrationResult, list[CalibrationBag]]:
    """``calibrate`` on one bag, or on several of different days, loads and activities; the result knows their hashes.

    Raises:
        InputError: as ``open_bags`` and ``calibrate`` do.
        Stopped: ``stop`` said so.
    """
    if progress:
        progress(Progress(READING, 0.0, float("nan"), float("nan")))
    bags = open_bags(base, paths, subject, reading)
    recordings = [bag.recording for bag in bags]
    result = calibrate(base, recordings, subject, running, settings, progress, stream_of(bags), stop)
    if result.bundle and result.bundle.calibration:
        calibration = replace(
            result.bundle.calibration,
            bag_hash=", ".join(hash_of(Path(path)) for path in paths),
            figures={**result.bundle.calibration.figures, "emg_delay": json_compatible([bag.delay for bag in bags])},
        )
        result = replace(result, bundle=replace(result.bundle, calibration=calibration))
    return result, bags
