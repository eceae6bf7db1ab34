"""A subject's bags into a calibrated bundle: what command, service and guide all do.

Torch is imported once the request and its bags are known to be there: it takes seconds, and a wrong path does not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imu_emg_estimator.bags import BagReport, check_bag, read_bag_with_report
from imu_emg_estimator.bags.bag_files import hash_of, within
from imu_emg_estimator.calibration.calibration_store import check_subject
from imu_emg_estimator.calibration.request import CalibrationRequest
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.calibration_record import BAGS, DELAY, MODEL_FILE, NOTES
from imu_emg_estimator.recording import Recording, trusted_envelope
from imu_emg_estimator.signals.emg_delay import (
    Delay,
    DelayEvidence,
    correlate,
    delay_in_words,
    given_delay,
    share_delay,
    shift_emg,
)
from imu_emg_estimator.signals.emg_envelope import check_one_kind
from imu_emg_estimator.signals.mounting_rotation import mount_rotations, turn_mounts
from imu_emg_estimator.signals.signal_quality import Stream
from imu_emg_estimator.utils.json_values import json_compatible
from imu_emg_estimator.utils.progress import Progress

if TYPE_CHECKING:
    from imu_emg_estimator.calibration.calibrate_recordings import CalibrationResult

READING = "reading"  # phase before those of ``calibrate_recordings``


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

    @property
    def seconds(self) -> dict[str, Any]:
        """How much of it was used, and was recorded [s]."""
        report = self.report
        return {"bag": self.recording.name, "seconds": report.seconds, "recorded": report.recorded}

    def to_dict(self) -> dict[str, Any]:
        """Return how it was read, in values for JSON."""
        return {**self.report.to_dict(), "emg_delay": json_compatible(self.delay)}


def calibrate_bags(
    request: CalibrationRequest,
    progress: Callable[[Progress], None] | None = None,
    stop: Callable[[], bool] | None = None,
    base: Bundle | None = None,
) -> CalibrationResult:
    """Read the bags of a request and calibrate on them; the new bundle's record has their hashes.

    Args:
        base: the request's bundle, where it was read before.

    Raises:
        BagUnreadable, TopicMissing, BagTooShort, InputError: it cannot be done; the sentence says why.
        Stopped: ``stop`` said so.
    """
    check_subject(request.subject)
    base = base or Bundle.load(request.bundle)
    running = Bundle.load(request.running) if request.running else base
    _check_bags(request)
    if progress:
        progress(Progress(READING, 0.0, math.nan, math.nan))

    import torch

    from imu_emg_estimator.calibration.calibrate_recordings import calibrate

    torch.set_num_threads(request.threads)
    bags = open_bags(base, request)
    recordings = [bag.recording for bag in bags]
    result = calibrate(
        base,
        recordings,
        request.subject,
        running,
        progress=progress,
        stream=stream_of(bags),
        stop=stop,
        accept_exchanged=request.accept_exchanged,
    )
    return _with_bags(result, request, bags)


def open_bags(base: Bundle, request: CalibrationRequest) -> list[CalibrationBag]:
    """Read the bags of a request.

    Raises:
        BagUnreadable, TopicMissing, BagTooShort, InputError: one cannot be read, which the sentence names.
    """
    rotations = mount_rotations(request.rotations, len(base.rig.sensors))
    check, mapping = _path_check(request), request.topic_mapping()
    recordings, reports = [], []
    for path in request.bags:
        recording, report = read_bag_with_report(
            path, base.rig, mapping, base.envelope, request.subject, alignment=request.alignment, check=check
        )
        recordings.append(replace(recording, imu=turn_mounts(recording.imu, rotations)))
        reports.append(report)
    check_one_kind([(str(path), own.emg.kind) for path, own in zip(request.bags, reports, strict=True) if own.emg])
    delays = _delays(base, recordings, request)
    return [
        CalibrationBag(shift_emg(recording, delay.seconds) if delay.corrected else recording, report, delay)
        for recording, report, delay in zip(recordings, reports, delays, strict=True)
    ]


def _check_bags(request: CalibrationRequest) -> None:
    check = _path_check(request)
    for path in request.bags:
        check_bag(path, check=check)


def _path_check(request: CalibrationRequest) -> Callable[[Path], Path] | None:
    return within(list(request.bag_directories)) if request.bag_directories else None


def _delays(base: Bundle, recordings: Sequence[Recording], request: CalibrationRequest) -> list[Delay]:
    """Decide which delay the EMG has that was asked for; one that is clear, but was not, is left open."""
    if request.emg_delay is not None:
        return [given_delay(request.emg_delay)] * len(recordings)
    found = share_delay([delay_evidence(base, recording) for recording in recordings])
    return found if request.find_emg_delay else [delay.left_open() if delay.corrected else delay for delay in found]


def delay_evidence(bundle: Bundle, recording: Recording) -> DelayEvidence:
    """Compare the EMG of a recording with the bundle's estimate at every delay.

    The bundle's muscles are late or early only as those of the subjects were that it learned from, so that a delay
    beyond what subjects differ by is the amplifier's, the radio's or a clock's.
    """
    from imu_emg_estimator.model.offline_estimate import estimate_envelopes

    estimated = estimate_envelopes(bundle, [recording])
    return correlate(estimated, trusted_envelope([recording]), recording.rig.rate)


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
    return Stream(rate, saturated, powerline, frequency, _question(bags))


def _question(bags: Sequence[CalibrationBag]) -> str:
    """Ask whether the delay that is clear, but open, is one; empty where none is."""
    delay = next((bag.delay for bag in bags if bag.delay.is_open), None)
    if delay is None:
        return ""
    differ = any(bag.delay.seconds != delay.seconds for bag in bags)
    apart = "; the bags differ, so calibrate on each alone, or with emg-delay auto" if differ else ""
    return (
        f"the EMG is {delay.in_words}: calibrate with emg-delay {delay.seconds:.2f} if the amplifier or its clock is "
        f"the cause, else with emg-delay 0{apart}"
    )


def _with_bags(
    result: CalibrationResult, request: CalibrationRequest, bags: Sequence[CalibrationBag]
) -> CalibrationResult:
    """The result with how the bags were read, in its report and in the new bundle's record."""
    bundle, notes = result.bundle, tuple(f"{bag.recording.name}: {note}" for bag in bags for note in bag.notes)
    delays = [bag.delay for bag in bags]
    told = delay_in_words(delays, [bag.recording.name for bag in bags])
    report = replace(
        result.report,
        message=f"{result.report.message}; EMG delay {told}",
        bags=tuple(bag.to_dict() for bag in bags),
        notes=notes,
    )
    if bundle and bundle.calibration:
        calibration = replace(
            bundle.calibration,
            bag_hash=", ".join(hash_of(path, check=_path_check(request)) for path in request.bags),
            figures={
                **bundle.calibration.figures,
                MODEL_FILE: str(request.bundle.absolute()),
                DELAY: told,
                "emg_delay": json_compatible(delays),
                BAGS: [bag.seconds for bag in bags],
                NOTES: list(notes),
            },
        )
        bundle, report = (
            replace(bundle, calibration=calibration),
            replace(report, calibration=json_compatible(calibration)),
        )
    return replace(result, bundle=bundle, report=report)
