"""Columns of time: which they are, their unit, and rows that share an instant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports.channel_names import words_of
from imu_emg_estimator.imports.channel_units import TIME, unit_of
from imu_emg_estimator.imports.channels import Array

FIRST_EPOCH_S = 1e8  # an instant beyond, after 1973, counts from 1970
USUAL_STEP_S = (9e-5, 0.3)  # between samples of IMUs and EMG
XSENS_TICK_S = 1e-4  # of SampleTimeFine in Xsens MT exports; Movella DOT writes µs
MIN_DOT_STEP = 2000  # of SampleTimeFine, if it is in µs: DOT samples at 120 Hz at most, MT at 5 Hz at least
TIME_NAMES = re.compile(
    r"((unix|epoch|elapsed|system|local|utc|gps|ros|host|sensor|device|recording|sample|relative|absolute|date)?"
    r"(time|timestamp)|t|zeit|temps|tiempo|tempo|epoch|unix|clock|seconds|sampletimefine|date|datum)$"
)
INSTANT = re.compile(
    r"(?:(\d{4})[-/.](\d\d)[-/.](\d\d)[T ]\s*)?(\d{1,2}):(\d\d):(\d\d(?:[.,]\d+)?)\s*(?:(Z)|([+-]\d\d):?(\d\d))?$"
)
DAY_S = 86_400.0
BURST_S = 0.5  # rows that came together, of one such stretch, are spread; a clock further back was set


def is_time_name(name: str, unit: str) -> bool:
    """Whether a column holds instants: ``time``, ``Timestamp [ms]``, ``X[s]``, ``EMG 1 Time Series (s)``."""
    words = words_of(name.rpartition(": ")[2])
    stated = unit_of(unit)
    if stated is not None:
        return stated.quantity == TIME and (len(words) <= 1 or "time" in "".join(words))
    return bool(TIME_NAMES.match("".join(words))) or words[-2:] in (("time", "series"), ("time", "stamp"))


def seconds_of_texts(texts: Sequence[str]) -> Array | None:
    """Return instants [rows] in s of date-times as in ISO 8601, or of times of day; None where a text is neither.

    Dates without a zone are taken to be in UTC; times of day go on beyond midnight.
    """
    found = [INSTANT.match(text) for text in texts]
    if not any(found) or not all(m or not text for m, text in zip(found, texts, strict=True)):
        return None
    seconds: Array = np.array([_seconds(m) if m else np.nan for m in found])
    return seconds + DAY_S * np.cumsum(np.diff(seconds, prepend=seconds[:1]) < -DAY_S / 2)


def _seconds(instant: re.Match[str]) -> float:
    year, month, day, hours, minutes, seconds, _, zone_hours, zone_minutes = instant.groups()
    days = (np.datetime64(f"{year}-{month}-{day}") - np.datetime64(0, "D")).astype(int) if year else 0
    zone = 3600 * int(zone_hours or 0) + 60 * int(f"{(zone_hours or '+')[0]}{zone_minutes or 0}")
    return float(DAY_S * days + 3600 * int(hours) + 60 * int(minutes) + float(seconds.replace(",", ".")) - zone)


def seconds_of(path: Path, name: str, unit: str, values: Array) -> tuple[Array, str]:
    """Return instants in s, and a note where the file does not state their unit.

    Raises:
        InputError: no unit, or none that fits the distance of the rows.
    """
    stated = unit_of(unit)
    if stated is not None and stated.quantity == TIME:
        return values * stated.size, ""
    steps = np.diff(values)
    step = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
    if "".join(words_of(name)) == "sampletimefine" and 0 < step < MIN_DOT_STEP:
        return values * XSENS_TICK_S, f"'{name}' states no unit; rows {step:g} apart are taken to be in 0.1 ms"
    units = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
    fitting = [(size, unit) for size, unit in units if USUAL_STEP_S[0] <= step * size <= USUAL_STEP_S[1]]
    if len(fitting) == 1:
        size, found = fitting[0]
        return values * size, f"'{name}' states no unit; rows {step:g} apart are taken to be in {found}"
    which = " and ".join(unit for _, unit in fitting) or "none"
    raise InputError(
        f"{path}: column '{name}' states no unit, and rows {step:g} apart fit {which}; name it '{name} [s]' or '[ms]'"
    )


def instants_of(path: Path, name: str, unit: str, values: Array) -> tuple[Array, list[str]]:
    """Return increasing instants in s, and notes; raises InputError as ``seconds_of`` and ``without_repeats`` do."""
    seconds, note = seconds_of(path, name, unit, values)
    times, repeats = without_repeats(path, name, seconds)
    return times, [*([note] if note else []), *repeats]


def without_repeats(path: Path, name: str, times: Array) -> tuple[Array, list[str]]:
    """Spread rows that share an instant, or step back a little, up to the next later one; a note tells how many.

    Computers that stamp rows on arrival write several with one instant.

    Raises:
        InputError: the clock steps back further than a burst.
    """
    steps = np.diff(times)
    if (steps > 0).all():
        return times, []
    back = np.maximum.accumulate(times) - times
    if back.max() > BURST_S:
        row = int(np.argmax(back > BURST_S))
        raise InputError(
            f"{path}: column '{name}' steps back from {times[row - 1]:.10g} to {times[row]:.10g} s (row {row + 1} of "
            "the numbers); sort the rows, or split the file where its clock restarts"
        )
    latest = np.maximum.accumulate(times)
    heads = np.flatnonzero(np.diff(latest, prepend=-np.inf) > 0)
    if len(heads) < 2:
        raise InputError(f"{path}: column '{name}' does not advance; export the time")
    usual = float(np.median(np.diff(latest[heads]) / np.diff(heads)))
    positions = np.append(heads, len(times))
    instants = np.append(latest[heads], latest[-1] + usual * (len(times) - heads[-1]))
    spread: Array = np.interp(np.arange(len(times)), positions, instants)
    share = 1 - len(heads) / len(times)
    return spread, [f"{share:.0%} of the rows share the instant of the row before; they were spread up to the next"]
