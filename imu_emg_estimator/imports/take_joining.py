"""Files of one take brought onto one clock, by the surest way that they offer, and how sure that is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports.channels import Take
from imu_emg_estimator.imports.lag_search import lag_by_correlation, lag_by_pulses

MIN_OVERLAP_S = 1.0
AUTO, CLOCK, EVENT, CORRELATION, START = "auto", "clock", "event", "correlation", "start"


def join_takes(parts: Sequence[Take], how: str = AUTO) -> Take:
    """Join the files of a take: by their clock, by pulses of a trigger, by cross-correlation, or by their start.

    Args:
        how: ``clock``, ``event``, ``correlation`` or ``start``; ``auto`` = clock, else pulses, else cross-correlation.

    Raises:
        InputError: they do not offer that way, it is not clear, or they do not overlap.
    """
    parts = _without_clash(parts)
    joined = parts[0]
    for part in parts[1:]:
        seconds, rate, way = _lag(joined, part, how)
        moved = part if (seconds, rate) == (0.0, 1.0) else _moved(part, seconds, rate)
        common = _overlap(joined, moved)
        notes = (*joined.notes, *part.notes, f"joined by {way}, {common:.1f} s in common")
        form = f"{joined.form} + {part.form}"
        labels = joined.labels or moved.labels
        joined = replace(joined, form=form, channels=joined.channels + moved.channels, notes=notes, labels=labels)
    return joined


def _lag(first: Take, second: Take, how: str) -> tuple[float, float, str]:
    """Return what to add to the second file's instants [s], their factor, and the way by which these were found."""
    names = f"{first.source} and {second.source}"
    if how in (AUTO, CLOCK) and first.absolute and second.absolute:
        return 0.0, 1.0, "clock"
    if how == START:
        return first.channels[0].times[0] - second.channels[0].times[0], 1.0, "their start, unverified"
    if how in (AUTO, EVENT) and (pulses := lag_by_pulses(first, second)):
        drift = f", clocks {pulses.rate - 1:+.2%} apart" if pulses.rate != 1.0 else ""
        way = f"{pulses.count} pulse{'s' * (pulses.count > 1)} of a trigger{drift}"
        return pulses.seconds, pulses.rate, way
    if how in (CLOCK, EVENT):
        what = "clock since 1970" if how == CLOCK else "trigger whose pulses coincide"
        raise InputError(f"{names} have no common {what}; choose another --join")
    lag = lag_by_correlation(first, second)
    if lag is None:
        raise InputError(f"{names} have neither a common clock nor movement and EMG to compare; give one file")
    if not lag.is_clear:
        raise InputError(
            f"{names} cannot be joined for sure: movement and EMG agree best with the second {lag.seconds:+.2f} s (r "
            f"{lag.best:.2f}), but elsewhere with r {lag.next_best:.2f}; export a clock or a trigger, or, if both were "
            "started at once, give --join start"
        )
    return (
        lag.seconds,
        1.0,
        f"cross-correlation (second {lag.seconds:+.2f} s, r {lag.best:.2f}, elsewhere {lag.next_best:.2f})",
    )


def _moved(part: Take, seconds: float, rate: float) -> Take:
    channels = tuple(replace(channel, times=rate * channel.times + seconds) for channel in part.channels)
    labels = tuple((rate * time + seconds, label) for time, label in part.labels)
    return replace(part, channels=channels, labels=labels)


def _overlap(first: Take, second: Take) -> float:
    """Return the time [s] that both cover; raise InputError where it is next to nothing."""
    begin = max(min(channel.times[0] for channel in take.channels) for take in (first, second))
    end = min(max(channel.times[-1] for channel in take.channels) for take in (first, second))
    if end - begin < MIN_OVERLAP_S:
        raise InputError(
            f"{first.source} and {second.source} do not overlap in time: one ends {begin - end:.1f} s before the other "
            "begins; give files of one take"
        )
    return float(end - begin)


def _without_clash(parts: Sequence[Take]) -> list[Take]:
    """Put the name of its file in front of a channel where another file has one of that name."""
    counts = Counter(channel.name for part in parts for channel in part.channels)
    return [
        replace(
            part,
            channels=tuple(
                replace(own, name=f"{part.source.stem}: {own.name}") if counts[own.name] > 1 else own
                for own in part.channels
            ),
        )
        for part in parts
    ]
