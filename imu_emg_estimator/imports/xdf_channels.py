"""Lab Streaming Layer recordings (XDF): one clock for all streams, jitter smoothed, doubled streams told."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from imu_emg_estimator.imports.channel_names import ACC, GYRO, RAW_EMG
from imu_emg_estimator.imports.channels import Array, Channel, Take
from imu_emg_estimator.imports.optional_readers import optional_reader
from imu_emg_estimator.imports.time_columns import without_repeats

GAP_S = 0.2  # between samples, beyond which timestamps are smoothed apart: some were lost
GAP_SAMPLES = 3
RATE_TOLERANCE = 0.005  # share by which a stream's rate may differ from the nominal one untold
MIN_SAMPLES = 8
# Types of channels in the metadata of the Lab Streaming Layer, by the words that name a channel here.
CHANNEL_TYPES = {"emg": RAW_EMG, "acc": ACC, "accelerometer": ACC, "acceleration": ACC, "gyro": GYRO, "gyroscope": GYRO}


@dataclass(frozen=True)
class _Stream:
    """One stream of numbers: ``identity`` is its name, type, source and number of channels."""

    identity: tuple[str, ...]
    info: Mapping[str, Any]
    times: Array
    values: Array
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.identity[0]


def read_xdf(path: Path) -> Take:
    """Read the streams of numbers of an XDF file, their clocks corrected by the recorded offsets.

    Raises:
        InputError: no stream of numbers is in it, or it cannot be read.
    """
    pyxdf = optional_reader("pyxdf", "XDF files", path)
    logging.getLogger("pyxdf").setLevel(logging.CRITICAL)
    content, _ = pyxdf.load_xdf(
        str(path), jitter_break_threshold_seconds=GAP_S, jitter_break_threshold_samples=GAP_SAMPLES
    )
    streams: list[_Stream] = []
    notes: list[str] = []
    for raw in content:
        values, info = raw["time_series"], raw["info"]
        if len(values) < MIN_SAMPLES and _text(info, "channel_format") != "string":
            notes.append(f"'{_text(info, 'name')}' holds next to nothing and was left out")
        elif isinstance(values, list) and values:
            notes.append(f"markers such as '{_first(values[0])}' were left out; --condition tells what was done")
        elif isinstance(values, np.ndarray) and values.dtype.kind in "fiu" and len(values) >= MIN_SAMPLES:
            streams.append(_stream(path, raw))
    streams = _distinct(streams)
    channels = [channel for stream in streams for channel in _channels(stream, streams)]
    return Take(path, "XDF", tuple(channels), notes=(*notes, *(note for stream in streams for note in stream.notes)))


def _stream(path: Path, raw: Mapping[str, Any]) -> _Stream:
    info, values = raw["info"], raw["time_series"]
    identity = tuple(_text(info, key) for key in ("name", "type", "source_id", "hostname", "channel_count"))
    who = f"'{identity[0]}'"
    times, repeats = without_repeats(path, identity[0], np.asarray(raw["time_stamps"], dtype=np.float64))
    notes = [f"{who}: {note}" for note in repeats]
    if not raw.get("clock_times"):
        notes.append(f"{who} has no clock offsets: how its clock fits the others is not known")
    if not raw.get("footer"):
        notes.append(f"{who} has no end: the recording was cut off")
    nominal = float(_text(info, "nominal_srate") or 0)
    steps = np.diff(times)
    gaps = steps > max(GAP_S, GAP_SAMPLES * float(np.median(steps)))
    if count := int(gaps.sum()):
        notes.append(f"{who} has {count} gap{'s' * (count > 1)}, the longest of {steps.max():.3g} s")
    measured = 1 / float(steps[~gaps].mean())
    if nominal and abs(measured / nominal - 1) > RATE_TOLERANCE:
        notes.append(f"{who} has {measured:.5g} samples a second, not {nominal:.5g} as it says")
    return _Stream(identity, info, times, values.reshape(len(values), -1).astype(np.float64), tuple(notes))


def _first(found: Any) -> Any:
    """Return an element, of which pyxdf keeps a list; None where there is none."""
    while isinstance(found, list):
        found = found[0] if found else None
    return found


def _text(info: Mapping[str, Any], key: str) -> str:
    found = _first(info.get(key))
    return "" if found is None or isinstance(found, Mapping) else str(found)


def _distinct(streams: Sequence[_Stream]) -> list[_Stream]:
    """Keep one of streams that were recorded twice at once; put those of an outlet that restarted end to end."""
    kept: list[_Stream] = []
    for stream in streams:
        twin = next((place for place, one in enumerate(kept) if one.identity == stream.identity), None)
        if twin is None:
            kept.append(stream)
        elif stream.times[0] > kept[twin].times[-1]:
            kept[twin] = _end_to_end(kept[twin], stream)
        elif kept[twin].times[0] > stream.times[-1]:
            kept[twin] = _end_to_end(stream, kept[twin])
        else:
            longer = max(kept[twin], stream, key=lambda one: len(one.times))
            note = f"'{stream.name}' was recorded twice; the longer one, {len(longer.times)} samples, was kept"
            kept[twin] = replace(longer, notes=(*longer.notes, note))
    return kept


def _end_to_end(first: _Stream, second: _Stream) -> _Stream:
    gap = second.times[0] - first.times[-1]
    note = f"'{first.name}' began anew after {gap:.2g} s"
    return replace(
        first,
        times=np.concatenate([first.times, second.times]),
        values=np.concatenate([first.values, second.values]),
        notes=(*first.notes, *second.notes, note),
    )


def _channels(stream: _Stream, streams: Sequence[_Stream]) -> Iterator[Channel]:
    """Name channels by stream and label; with one number in front where two streams have one name."""
    same = [one for one in streams if one.name == stream.name]
    device = stream.name if len(same) == 1 else f"{stream.name} {same.index(stream) + 1}"
    labels = list(_labels(stream))
    for column, values in enumerate(stream.values.T):
        label, unit = labels[column] if column < len(labels) else (f"{stream.identity[1]} {column + 1}", "")
        yield Channel(f"{device}: {label}", unit, stream.times, values)


def _labels(stream: _Stream) -> Iterator[tuple[str, str]]:
    """Yield label and unit of the channels that the metadata describe; the type is added where a label lacks it."""
    description = _first(stream.info.get("desc"))
    channels = _first(description.get("channels")) if isinstance(description, Mapping) else None
    for number, channel in enumerate((channels or {}).get("channel", []), start=1):
        kind = CHANNEL_TYPES.get(_text(channel, "type").lower(), "")
        kind = kind or CHANNEL_TYPES.get(stream.identity[1].lower(), "")
        label = _text(channel, "label") or str(number)
        told = kind and kind not in label.lower()
        yield (f"{kind} {label}" if told else label), _text(channel, "unit")
