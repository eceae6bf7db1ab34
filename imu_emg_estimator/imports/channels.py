"""What every reader of a foreign file returns: named channels with the unit that the file states."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.datasets.table_columns import usual_rate
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.recording import MAX_SIGNAL_RATE_HZ

Array = NDArray[np.float64]

MIN_RATE_HZ = 1.0
MAX_DURATIONS_NOTED = 1.5  # ratio of the longest channel to the shortest, beyond which the user should know
MAX_EXPANSION = 50.0  # of compressed files beyond 64 MiB; measured numbers compress to a fifth
FREE_EXPANSION_BYTES = 64 << 20
TOO_DENSE = "expands further than measured numbers do"
MAX_CHANNELS = 2000


@dataclass(frozen=True)
class Channel:
    """One channel of a file.

    Attributes:
        name: unique within a take, with the name of its device in front where the file has one: ``wrist: ACC X``.
        unit: as the file states it; '' = not stated.
        times: instants [samples] in s, increasing. Channels that were sampled together share one array.
        values: [samples] in ``unit``; NaN = not available.
    """

    name: str
    unit: str
    times: Array
    values: Array

    @property
    def rate(self) -> float:
        """Rate [Hz], see ``usual_rate``."""
        return float(f"{usual_rate(self.times):.7g}")


@dataclass(frozen=True)
class Take:
    """What one file holds of a take.

    Attributes:
        source: the file.
        form: kind of file, in the words of its maker.
        channels: in the order of the file.
        absolute: whether instants count from 1970, so that files of one computer or lab fit together.
        notes: what the user should know, a sentence each.
        labels: instants [s] from which on a label holds, and the label, where the file says what was done when.
        folder: of its arrays, where they lie on the disk; see ``takes_on_disk``.
    """

    source: Path
    form: str
    channels: tuple[Channel, ...]
    absolute: bool = False
    notes: tuple[str, ...] = ()
    labels: tuple[tuple[float, str], ...] = ()
    folder: str = ""

    def noted(self, note: str) -> Take:
        """Add a sentence to the notes."""
        return replace(self, notes=(*self.notes, note))


def checked_take(take: Take) -> Take:
    """Return the take with unique names; raise InputError where channels, rates or instants make no sense."""
    if not take.channels:
        raise InputError(f"{take.source} ({take.form}) holds no channel of numbers; export IMU or EMG data")
    if len(take.channels) > MAX_CHANNELS:
        raise InputError(f"{take.source} holds {len(take.channels)} channels, more than {MAX_CHANNELS}; export fewer")
    for channel in take.channels:
        _check_times(take.source, channel)
    checked = replace(take, channels=_uniquely_named(take.channels))
    short, long = (extreme(take.channels, key=duration_of) for extreme in (min, max))
    if duration_of(long) < MAX_DURATIONS_NOTED * duration_of(short):
        return checked
    return checked.noted(f"'{short.name}' lasts {duration_of(short):.3g} s, '{long.name}' {duration_of(long):.3g} s")


def duration_of(channel: Channel) -> float:
    """Return the time from the first to the last sample [s]."""
    return float(channel.times[-1] - channel.times[0])


def _check_times(source: Path, channel: Channel) -> None:
    where = f"{source}: channel '{channel.name}'"
    if len(channel.values) < 2:
        raise InputError(f"{where} holds {len(channel.values)} samples; record more, or export the file again")
    if not np.isfinite(channel.times).all():
        raise InputError(f"{where} has a sample without an instant; fill the column of time, or remove the row")
    steps = np.diff(channel.times)
    if (steps <= 0).any():
        row = int(np.argmax(steps <= 0)) + 1
        raise InputError(
            f"{where}: time does not increase from {channel.times[row - 1]:.10g} to {channel.times[row]:.10g} s "
            f"(sample {row + 1}); split the file where its clock restarts"
        )
    if not MIN_RATE_HZ <= channel.rate <= MAX_SIGNAL_RATE_HZ:
        raise InputError(
            f"{where} has {channel.rate:.4g} samples a second, not between {MIN_RATE_HZ:g} and {MAX_SIGNAL_RATE_HZ:g}; "
            "correct the rate, or the unit of time"
        )


def _uniquely_named(channels: tuple[Channel, ...]) -> tuple[Channel, ...]:
    seen: dict[str, int] = {}
    named = []
    for channel in channels:
        seen[channel.name] = seen.get(channel.name, 0) + 1
        count = seen[channel.name]
        named.append(channel if count == 1 else replace(channel, name=f"{channel.name} ({count})"))
    return tuple(named)


def regular_times(samples: int, rate: float) -> Array:
    """Return the instants [samples] in s of a regular rate [Hz], from 0 on."""
    return np.asarray(np.arange(samples) / rate)


def largest_expansion(path: Path) -> int:
    """Return how many bytes a compressed file may hold: more is no measurement, but meant to fill the memory."""
    return FREE_EXPANSION_BYTES + int(MAX_EXPANSION * path.stat().st_size)


def check_rate(source: Path, name: str, rate: float) -> float:
    """Return a rate [Hz] that a file states; raise InputError where no sensor has such a rate."""
    if not MIN_RATE_HZ <= rate <= MAX_SIGNAL_RATE_HZ:
        raise InputError(
            f"{source} states a rate of {rate:g} Hz for '{name}', not between {MIN_RATE_HZ:g} and "
            f"{MAX_SIGNAL_RATE_HZ:g}; correct it in the file"
        )
    return rate
