"""A subject's recording from a bag, and a report on what was found in it."""

from __future__ import annotations

import logging
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.bags.bag_files import Check, bag_name
from imu_emg_estimator.bags.bag_reader import Bag, open_bag
from imu_emg_estimator.bags.bag_report import BagReport, EmgReport, ImuReport
from imu_emg_estimator.bags.bag_samples import (
    EmgSamples,
    ImuSamples,
    collect_samples,
    in_order,
    instants_of,
    reconcile_clocks,
)
from imu_emg_estimator.bags.emg_to_envelope import EmgStream, GridEmg, envelope_on_grid, no_overlap
from imu_emg_estimator.bags.read_limits import BagLimits
from imu_emg_estimator.bags.topic_mapping import TopicMapping, find_emg_topic, find_imu_topics
from imu_emg_estimator.errors import BagTooShort, InputError
from imu_emg_estimator.recording import UNLABELLED, FloatArray, RawEmg, Recording
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.emg_envelope import MIN_DURATION_S, EnvelopeSettings, varies
from imu_emg_estimator.signals.grid_alignment import SECOND, AlignmentSettings, GridAligner
from imu_emg_estimator.signals.topic_clocks import Clock, Instants

MARGIN_NS = 5 * SECOND  # of EMG around the IMU data that is kept for the edges of filters
MIN_IMU_RATE_HZ = 5.0  # slower samples show no movement, and would make rows without end
logger = logging.getLogger(__name__)


def read_bag(
    path: Path,
    rig: Rig,
    mapping: TopicMapping = TopicMapping(),
    settings: EnvelopeSettings = EnvelopeSettings(),
    subject: str = "",
    *,
    limits: BagLimits = BagLimits(),
    check: Check | None = None,
    keep_raw: bool = False,
) -> Recording:
    """Read a bag as ``read_bag_with_report`` does; its notes are logged as warnings."""
    recording, report = read_bag_with_report(
        path, rig, mapping, settings, subject, limits=limits, check=check, keep_raw=keep_raw
    )
    for note in report.notes:
        logger.warning("bag %s: %s", path, note)
    return recording


def read_bag_with_report(
    path: Path,
    rig: Rig,
    mapping: TopicMapping = TopicMapping(),
    settings: EnvelopeSettings = EnvelopeSettings(),
    subject: str = "",
    *,
    alignment: AlignmentSettings = AlignmentSettings(),
    limits: BagLimits = BagLimits(),
    check: Check | None = None,
    keep_raw: bool = False,
) -> tuple[Recording, BagReport]:
    """Read a subject's IMUs and EMG onto the rig's grid.

    Every IMU sample passes through the node's own GridAligner in the order of receive time, so that a calibration sees
    the rows that the node saw. Clocks that disagree are brought to that of the IMUs. Where timestamps jump, the longest
    uninterrupted piece is read. An EMG channel that the bag lacks, or that never changes, is NaN or constant and has
    weight 0. EMG is neither extrapolated nor filled in across gaps. Powerline interference is removed from raw EMG.

    Args:
        path: rosbag2 folder, or a single file, mcap or sqlite3, compressed or not.
        mapping: which topics and channels are which, where names and types do not show it.
        settings: how raw EMG becomes an envelope; not used for messages that carry one.
        subject: name of the subject.
        alignment: of the node.
        limits: what reading the bag may take.
        check: returns where a file really lies, or refuses it; see ``bag_files.within``.
        keep_raw: keep the raw EMG, too, without the powerline interference.

    Raises:
        BagUnreadable, TopicMissing, BagTooShort, InputError: one sentence that names the problem.
    """
    path = Path(path)
    _check_timeout(alignment, rig)
    report = BagReport(str(path))
    with open_bag(path, limits, check) as bag:
        sensors = find_imu_topics(bag, rig, mapping.imu_topics)
        topic, msgtype = find_emg_topic(bag, rig, mapping)
        imus, emg = collect_samples(bag, rig, sensors, topic, msgtype, mapping)
        report.notes += bag.notes
        clocks = reconcile_clocks(imus, emg)
        piece = _longest_piece(bag, rig, imus, alignment, report)
    stream = _in_piece(path, emg, piece)
    grid = envelope_on_grid(path, stream, len(rig.muscles), emg.channels, piece.timestamps, settings)
    report.seconds = len(piece.timestamps) / rig.rate
    weight = np.array([float(varies(column)) for column in grid.envelope.T])
    report.imu = [
        ImuReport(sensor, topic, len(imu.timestamps) + imu.left_out, imu.rate, clock, imu.late, imu.left_out)
        for sensor, topic, imu, clock in zip(rig.sensor_names, sensors, imus, clocks, strict=False)
    ]
    report.emg = _emg_report(rig, emg, msgtype, clocks[-1], grid, len(stream.data))
    report.emg.constant = [name for name in report.emg.channels if not weight[rig.muscle_names.index(name)]]
    report.add_notes()
    recording = Recording(
        name=bag_name(path),
        subject=subject,
        rig=rig,
        start=float(piece.timestamps[0]) / SECOND,
        imu=piece.imu,
        envelope=grid.envelope,
        envelope_unit=emg.unit,
        muscle_weight=weight,
        condition=np.full(len(piece.timestamps), UNLABELLED),
        emg=_raw_emg(rig, emg, grid, piece.timestamps) if keep_raw and not grid.is_envelope else None,
    )
    return recording, report


def _check_timeout(alignment: AlignmentSettings, rig: Rig) -> None:
    """Raise InputError where every sensor would count as silent between two of its samples."""
    least = 2 / rig.rate
    if alignment.timeout < least:
        raise InputError(
            f"a sensor timeout of {alignment.timeout:g} s leaves out every sensor that sends at {rig.rate:g} Hz; "
            f"choose {least:.2g} s or more"
        )


@dataclass(frozen=True)
class _Piece:
    """What lies between two jumps of the clock.

    Attributes:
        timestamps: [rows] in ns.
        imu: [rows, sensors, 6].
        received: first and last receive time [ns].
    """

    timestamps: Instants
    imu: FloatArray
    received: tuple[int, int]


def _longest_piece(
    bag: Bag, rig: Rig, imus: Sequence[ImuSamples], settings: AlignmentSettings, report: BagReport
) -> _Piece:
    aligner = GridAligner(len(imus), rig.rate, settings)
    best: _Piece | None = None
    rows: list[NDArray[np.float64]] = []
    timestamps = array("q")
    received = (0, 0)
    max_rows = 1000 + rig.rate / MIN_IMU_RATE_HZ * sum(len(imu.timestamps) for imu in imus)
    total = 0
    for sensor, timestamp, receive_time, sample in in_order(imus, bag.meter):
        late = aligner.late_samples
        for row in aligner.push(sensor, timestamp, sample):
            if row.restarted:
                best = _longer(best, timestamps, rows, received)
                report.pieces += 1
                rows, timestamps, received = [], array("q"), (receive_time, receive_time)
            rows.append(row.imu)
            timestamps.append(row.timestamp)
            total += 1
            if len(rows) > bag.meter.limits.duration * rig.rate:
                hours = bag.meter.limits.duration / 3600
                raise InputError(f"bag {bag.path} covers more than {hours:g} h; cut out what is needed")
            if total > max_rows:
                raise BagTooShort(
                    f"bag {bag.path} has IMU samples at less than {MIN_IMU_RATE_HZ:g} Hz; record them as the rig does"
                )
        received = (received[0], receive_time)
        imus[sensor].late += aligner.late_samples - late
    best = _longer(best, timestamps, rows, received)
    report.recorded = total / rig.rate
    seconds = len(best.timestamps) / rig.rate
    if seconds < MIN_DURATION_S:
        jumps = f", the longest of {report.pieces} pieces between jumps of its timestamps" if report.pieces > 1 else ""
        raise BagTooShort(
            f"bag {bag.path} holds {seconds:.1f} s of IMU data{jumps}; "
            f"record at least {MIN_DURATION_S:g} s without a break"
        )
    return best


def _longer(
    best: _Piece | None, timestamps: array[int], rows: list[NDArray[np.float64]], received: tuple[int, int]
) -> _Piece:
    if best is not None and len(best.timestamps) >= len(rows):
        return best
    imu = np.stack(rows) if rows else np.empty((0, 1, 6))
    return _Piece(np.array(timestamps, dtype=np.int64), imu, received)


def _in_piece(path: Path, emg: EmgSamples, piece: _Piece) -> EmgStream:
    """EMG that belongs to a piece, without what came before a jump back of the clock."""
    timestamps, receive_times, counts = map(instants_of, (emg.timestamps, emg.receive_times, emg.counts))
    near = (timestamps >= piece.timestamps[0] - MARGIN_NS) & (timestamps <= piece.timestamps[-1] + MARGIN_NS)
    near &= (receive_times >= piece.received[0] - MARGIN_NS) & (receive_times <= piece.received[1] + MARGIN_NS)
    order = np.argsort(receive_times, kind="stable")
    chosen = _longest_run(order[near[order]], timestamps, counts)
    if not len(chosen):
        raise no_overlap(path, 0.0)
    ends = np.cumsum(counts)
    data = emg.data
    if len(chosen) < len(timestamps) or (np.diff(chosen) < 0).any():
        parts = [slice(end - count, end) for end, count in zip(ends[chosen], counts[chosen], strict=True)]
        data = np.concatenate([data[part] for part in parts])
    return EmgStream(
        timestamps=timestamps[chosen],
        arrivals=emg.arrivals[chosen],
        counts=counts[chosen],
        data=data,
        rate=emg.rate,
        is_envelope=emg.is_envelope,
    )


def _longest_run(order: NDArray[np.int64], timestamps: Instants, counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of packets in order of receive time, the run between two jumps back of the timestamps with the most samples."""
    back = np.flatnonzero(np.diff(timestamps[order]) < -SECOND) + 1
    runs = np.split(order, back)
    return max(runs, key=lambda run: counts[run].sum())


def _emg_report(rig: Rig, emg: EmgSamples, msgtype: str, clock: Clock, grid: GridEmg, samples: int) -> EmgReport:
    names = [rig.muscle_names[muscle] for muscle in emg.channels.muscles]
    return EmgReport(
        topic=emg.topic,
        type=msgtype,
        field=emg.form.field,
        model=emg.form.model,
        channels=dict(zip(names, emg.channels.names, strict=True)),
        kind="envelope" if grid.is_envelope else "raw",
        kind_stated=emg.is_envelope is not None,
        unit=emg.unit,
        rate=grid.clock.rate,
        samples=samples,
        recorded=len(emg.data),
        zeros=grid.zeros,
        lost=grid.clock.lost / grid.clock.length,
        shared=grid.clock.shared,
        clock=clock,
        powerline=dict(zip(names, grid.powerline, strict=True)),
        saturated=dict(zip(names, grid.saturated, strict=False)),
    )


def _raw_emg(rig: Rig, emg: EmgSamples, grid: GridEmg, timestamps: Instants) -> RawEmg:
    """Raw EMG [samples, muscles] from the first row of the grid to the last."""
    clock = grid.clock
    offset = round((int(timestamps[0]) - int(clock.instants(0, 1)[0])) * clock.rate / SECOND)
    length = round(len(timestamps) / rig.rate * clock.rate)
    data = np.full((length, len(rig.muscles)), np.nan, dtype=np.float32)
    first, last = max(offset, 0), min(offset + length, len(grid.data))
    data[first - offset : last - offset, list(emg.channels.muscles)] = grid.data[first:last]
    return RawEmg(data, clock.rate, emg.unit)
