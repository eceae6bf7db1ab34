"""EMG packets to an envelope on the rig's grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from imu_emg_estimator.bags.topic_mapping import Channels
from imu_emg_estimator.errors import BagTooShort, BagUnreadable, InputError
from imu_emg_estimator.recording import MAX_SIGNAL_RATE_HZ, FloatArray
from imu_emg_estimator.signals.emg_envelope import MIN_DURATION_S, EnvelopeSettings, bridge_gaps, emg_envelope
from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.packet_timing import SampleClock, measured_rate, sample_clock
from imu_emg_estimator.signals.powerline import Powerline, find_powerline, remove_powerline
from imu_emg_estimator.signals.signal_quality import saturated, true_runs
from imu_emg_estimator.signals.topic_clocks import Instants

MAX_BRIDGED_S = 0.025  # an envelope does not change in less time, so that it may be interpolated
MAX_RECEIVED = 1.1  # samples received per sample that sample_rate and timestamps promise
ROUNDING_NS = 10_000  # by which timestamps may be rounded
STRETCH_S = 300.0  # of raw EMG that is filtered at once
MARGIN_S = 5.0  # on either side of a stretch; filters do not reach further
ENVELOPE_MAX_HZ = 12.0  # an envelope has hardly any power above, raw EMG most of it
MIN_RAW_SHARE = 0.3  # of the power
MIN_ZEROS_S, MIN_ZEROS = 0.1, 5  # of zeros in a row in all channels: no muscle is silent to the last bit
MAX_ORDINARY_ZEROS = 0.01  # share of other samples that are zero; above, zero is a value like any other


@dataclass(frozen=True)
class EmgStream:
    """EMG of one topic between two jumps of the clock.

    Attributes:
        timestamps: of the first sample of every packet [ns].
        arrivals: of every packet, on the same clock, less the usual delay [ns].
        counts: samples in every packet.
        data: [samples, columns] of the rig's muscles only.
        rate: Hz; None = to be measured.
        is_envelope: None = to be inferred from the signal.
    """

    timestamps: Instants
    arrivals: Instants
    counts: NDArray[np.int64]
    data: NDArray[np.float32]
    rate: float | None
    is_envelope: bool | None


@dataclass(frozen=True)
class GridEmg:
    """EMG on the grid of the IMUs, and what was found in it.

    Attributes:
        envelope: [grid, muscles], muscles of the rig.
        is_envelope: whether the EMG came as an envelope.
        clock: when the samples were taken.
        data: [samples, columns] as they came, on the clock's grid.
        powerline: interference of every column; None = none was found.
        saturated: share of samples at the amplifier's limit, of every column.
        zeros: time [s] that a driver filled with zeros.
    """

    envelope: NDArray[np.float64]
    is_envelope: bool
    clock: SampleClock
    data: NDArray[np.float32]
    powerline: list[Powerline | None]
    saturated: list[float]
    zeros: float


def envelope_on_grid(
    bag: object, stream: EmgStream, muscles: int, channels: Channels, grid: Instants, settings: EnvelopeSettings
) -> GridEmg:
    """Bring EMG to the grid as an envelope [grid, muscles]; NaN where it is not known, as in gaps.

    Args:
        bag: its path, for sentences.
        muscles: number of muscles of the rig.
        grid: timestamps of the IMU rows [ns].

    Raises:
        BagUnreadable, BagTooShort, InputError: one sentence that names the problem.
    """
    clock, data = _regular(bag, stream)
    rate = clock.rate
    filled = _filled_with_zeros(data, rate)
    data = np.where(filled[:, None], np.float32(np.nan), data)
    is_envelope = _is_envelope(data, rate) if stream.is_envelope is None else stream.is_envelope
    if not is_envelope and len(data) < MIN_DURATION_S * rate:
        raise no_overlap(bag, len(data) / rate)
    powerline: list[Powerline | None] = [None] * data.shape[1] if is_envelope else find_powerline(data, rate)
    try:
        columns = _by_stretches(clock, data, None if is_envelope else settings, powerline, grid)
    except InputError as error:
        raise InputError(f"bag {bag}: {error}") from None
    envelope = np.full((len(grid), muscles), np.nan)
    envelope[:, channels.muscles] = columns
    covered = np.isfinite(envelope).any(axis=1).sum() * _step(grid)
    if covered < MIN_DURATION_S:
        raise no_overlap(bag, covered)
    clipped = [] if is_envelope else saturated(data).mean(axis=0).tolist()
    return GridEmg(envelope, is_envelope, clock, data, powerline, clipped, float(filled.sum()) / rate)


def _filled_with_zeros(data: NDArray[np.float32], rate: float) -> NDArray[np.bool_]:
    """Find the samples [samples] of gaps that a driver filled: zeros in all channels, which are rare elsewhere."""
    zeros = np.asarray((data == 0.0).all(axis=1))
    filled = np.zeros(len(data), dtype=bool)
    for start, stop in true_runs(zeros, max(MIN_ZEROS, round(MIN_ZEROS_S * rate))):
        filled[start:stop] = True
    others = ~filled
    is_ordinary = filled.all() or zeros[others].mean() > MAX_ORDINARY_ZEROS
    return np.zeros_like(filled) if is_ordinary else filled


def no_overlap(bag: object, seconds: float) -> BagTooShort:
    """Error for EMG and IMU data that hardly overlap in time."""
    return BagTooShort(
        f"bag {bag} holds {seconds:.1f} s in which IMU and EMG timestamps overlap; "
        f"record at least {MIN_DURATION_S:g} s of both, stamped by the same clock"
    )


def interpolated(times: Instants, values: FloatArray, timestamps: Instants, max_gap: float) -> NDArray[np.float64]:
    """Interpolate values at the timestamps; NaN outside, and between known values further apart than the gap [s]."""
    known = np.flatnonzero(np.isfinite(values))
    if not len(known):
        return np.full(len(timestamps), np.nan)
    times, values = times[known], values[known]
    after = np.searchsorted(times, timestamps)
    inside = (timestamps >= times[0] - ROUNDING_NS) & (timestamps <= times[-1] + ROUNDING_NS)
    after = np.clip(after, 0, len(times) - 1)
    before = np.maximum(after - 1, 0)
    reached = (np.abs(times[after] - timestamps) <= ROUNDING_NS) | (times[after] - times[before] <= max_gap * SECOND)
    relative = (times - times[0]).astype(np.float64)
    result = np.interp((timestamps - times[0]).astype(np.float64), relative, values)
    return np.where(inside & reached, result, np.nan)


def _step(grid: Instants) -> float:
    """Step of the grid [s]."""
    return float(grid[-1] - grid[0]) / SECOND / max(len(grid) - 1, 1)


def _regular(bag: object, stream: EmgStream) -> tuple[SampleClock, NDArray[np.float32]]:
    """Bring the samples to a regular grid, NaN where none came; returns when they were taken, and them."""
    counts, received = stream.counts, int(stream.counts.sum())
    try:
        rate = stream.rate or measured_rate(stream.timestamps, counts)
        clock = sample_clock(stream.timestamps, stream.arrivals, counts, rate)
    except ValueError:
        raise _impossible(bag, received, stream) from None
    if received / clock.length > MAX_RECEIVED or not 1 / MAX_RECEIVED <= clock.rate / rate <= MAX_RECEIVED:
        raise _impossible(bag, received, stream)
    if clock.rate > MAX_SIGNAL_RATE_HZ:
        raise BagUnreadable(
            f"bag {bag} has EMG at {clock.rate:g} Hz, which no amplifier provides; correct its timestamps"
        )
    data, ends = stream.data, np.cumsum(counts)
    if not np.array_equal(clock.starts, ends - counts):
        data = np.full((clock.length, stream.data.shape[1]), np.nan, dtype=np.float32)
        for start, count, end in zip(clock.starts.tolist(), counts.tolist(), ends.tolist(), strict=True):
            data[start : start + count] = stream.data[end - count : end]
    return clock, data


def _impossible(bag: object, received: int, stream: EmgStream) -> BagUnreadable:
    seconds = float(stream.timestamps[-1] - stream.timestamps[0]) / SECOND
    said = f"a sample_rate of {stream.rate:g} Hz" if stream.rate else "any rate"
    return BagUnreadable(
        f"bag {bag} has {received} EMG samples stamped within {seconds:.4g} s, which do not go with {said}: "
        "correct sample_rate or the timestamps"
    )


def _is_envelope(data: NDArray[np.float32], rate: float) -> bool:
    """Whether the signal is slow enough to be an envelope. What is sampled too slowly for raw EMG is one."""
    if rate <= 2 * ENVELOPE_MAX_HZ or len(data) < MIN_DURATION_S * rate:
        return True
    stretch = bridge_gaps(data[: round(STRETCH_S * rate)].astype(np.float64))
    fast = sosfiltfilt(butter(2, ENVELOPE_MAX_HZ, "highpass", fs=rate, output="sos"), stretch, axis=0)
    power = stretch.var(axis=0)
    return bool(np.median(fast.var(axis=0)[power > 0] / power[power > 0]) < MIN_RAW_SHARE) if power.any() else True


def _by_stretches(
    clock: SampleClock,
    data: NDArray[np.float32],
    settings: EnvelopeSettings | None,
    powerline: list[Powerline | None],
    grid: Instants,
) -> NDArray[np.float64]:
    """Envelope [grid, columns], computed stretch by stretch so that hours at kilohertz need little memory.

    Args:
        settings: how raw EMG becomes an envelope; None = the data are an envelope.
    """
    result = np.full((len(grid), data.shape[1]), np.nan)
    gap = max(1.5 / clock.rate, MAX_BRIDGED_S)
    slowest = min(settings.high_pass, settings.low_pass) if settings else np.inf
    stretch, margin = round(STRETCH_S * clock.rate), round(max(MARGIN_S, 10 / slowest) * clock.rate)
    begin = 0
    while begin < len(data):
        end = begin + stretch if len(data) - begin > stretch + margin else len(data)
        first, last = max(begin - margin, 0), min(end + margin, len(data))
        times = clock.instants(first, last)
        # The first and the last stretch reach as far as there is anything.
        since = times[begin - first] if begin else times[0] - SECOND
        until = times[end - first] if end < len(data) else times[-1] + SECOND
        rows = slice(*np.searchsorted(grid, (since, until)))
        for column, channel in enumerate(data[first:last].T.astype(np.float64)):
            values = channel if settings is None else _envelope(channel, clock.rate, powerline[column], settings)
            result[rows, column] = interpolated(times, values, grid[rows], gap)
        begin = end
    return result


def _envelope(
    channel: NDArray[np.float64], rate: float, powerline: Powerline | None, settings: EnvelopeSettings
) -> NDArray[np.float64]:
    clean = remove_powerline(bridge_gaps(channel[:, None])[:, 0], rate, powerline)
    raw = np.where(np.isfinite(channel), clean, np.nan)
    return np.asarray(emg_envelope(raw[:, None], rate, settings)[:, 0])
