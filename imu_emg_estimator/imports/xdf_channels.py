"""Lab Streaming Layer recordings (XDF): one clock for all streams, jitter smoothed, doubled streams told."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports.channel_names import ACC, GYRO, RAW_EMG
from imu_emg_estimator.imports.channels import Array, Channel, Take
from imu_emg_estimator.imports.optional_readers import optional_reader
from imu_emg_estimator.imports.time_columns import without_repeats

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
    try:
        content, _ = pyxdf.load_xdf(str(path), synchronize_clocks=True, dejitter_timestamps=True)
    except (MemoryError, OSError):
        raise
    except Exception as error:
        raise InputError(f"{path} is not a readable XDF file ({error}); record it again") from None
    streams = _distinct([stream for raw in content if (stream := _numbers(path, raw)) is not None])
    channels = [channel for stream in streams for channel in _channels(stream, streams)]
    short = [
        f"'{_text(raw['info'], 'name')}' holds next to nothing and was left out" for raw in content if _is_short(raw)
    ]
    return Take(path, "XDF", tuple(channels), notes=(*short, *(note for stream in streams for note in stream.notes)))


def _is_short(raw: Mapping[str, Any]) -> bool:
    """Whether a stream has few samples, of numbers as far as there are any."""
    return len(raw["time_series"]) < MIN_SAMPLES and _text(raw["info"], "channel_format") != "string"


def _numbers(path: Path, raw: Mapping[str, Any]) -> _Stream | None:
    """Return a stream of numbers; None for markers and for streams that hold next to nothing."""
    values = raw["time_series"]
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu" or len(values) < MIN_SAMPLES:
        return None
    info = raw["info"]
    identity = tuple(_text(info, key) for key in ("name", "type", "source_id", "hostname", "channel_count"))
    times, note = without_repeats(path, identity[0], np.asarray(raw["time_stamps"], dtype=np.float64))
    notes = [f"'{identity[0]}': {note}"] if note else []
    if not raw.get("clock_times"):
        notes.append(f"'{identity[0]}' has no clock offsets: how its clock fits the others is not known")
    if not raw.get("footer"):
        notes.append(f"'{identity[0]}' has no end: the recording was cut off")
    nominal = float(_text(info, "nominal_srate") or 0)
    measured = (len(times) - 1) / (times[-1] - times[0])
    if nominal and abs(measured / nominal - 1) > RATE_TOLERANCE:
        notes.append(f"'{identity[0]}' has {measured:.5g} samples a second, not {nominal:.5g} as it says")
    return _Stream(identity, info, times, values.reshape(len(values), -1).astype(np.float64), tuple(notes))


def _text(info: Mapping[str, Any], key: str) -> str:
    """Return the text of an element; pyxdf keeps a list for each."""
    found = info.get(key)
    while isinstance(found, list):
        found = found[0] if found else None
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
    description = stream.info.get("desc")
    while isinstance(description, list):
        description = description[0] if description else None
    channels = description.get("channels") if isinstance(description, Mapping) else None
    while isinstance(channels, list):
        channels = channels[0] if channels else None
    for number, channel in enumerate((channels or {}).get("channel", []), start=1):
        kind = CHANNEL_TYPES.get(_text(channel, "type").lower(), "")
        kind = kind or (RAW_EMG if stream.identity[1].lower() == "emg" else "")
        label = _text(channel, "label") or str(number)
        told = kind and kind not in label.lower()
        yield (f"{kind} {label}" if told else label), _text(channel, "unit")
