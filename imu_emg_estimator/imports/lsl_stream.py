"""A live EMG stream of the Lab Streaming Layer (LSL), in packets on the LSL clock of this computer."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports.channel_units import EMG, known_units, unit_of
from imu_emg_estimator.recording import MAX_SIGNAL_RATE_HZ
from imu_emg_estimator.utils.optional_packages import needs

PACKET_S = 0.05  # of samples in a packet at most
MAX_GAP_S = 0.02  # between two samples of one packet; senders stamp with a jitter of some milliseconds
ANSWER_S = 5.0  # for which a stream that was found may be silent about itself
LOOK_S = 1.0  # of one look for streams, the library's own default
MAX_CHANNELS = 512
MAX_OFF_S = 86_400.0  # of a sample's time from now; what is farther off, or NaN, is no time
UNKNOWN_UNIT = "count"


@dataclass(frozen=True)
class LslPacket:
    """Samples in a row.

    Attributes:
        start: of the first sample, on this computer's LSL clock [s].
        data: [samples, channels], in the unit of the stream.
    """

    start: float
    data: NDArray[np.float32]


class LslStream:
    """One stream of numbers at a steady rate. Not thread-safe; a context manager.

    The library corrects the timestamps for the clock of the sending computer, and reconnects to a sender that restarts.

    Attributes:
        name: of the stream.
        channels: names of the channels, in order.
        unit: of the samples, as the sender or the caller states it; else ``count``.
        is_unit_stated: whether either does.
        rate: samples a second, as the sender states it.

    Args:
        name: of the stream; None = the only one of type EMG.
        channels: to be kept, in this order; None = all.
        unit: of the samples, where the sender states none, or a wrong one.
        wait: for the stream to appear [s].

    Raises:
        InputError: pylsl is missing, no stream fits or more than one does, it does not answer, it is not of numbers at
            a steady rate, a channel is not in it, or its channels are in different units.
    """

    def __init__(self, name: str | None, channels: Sequence[str] | None, unit: str | None, wait: float) -> None:
        self._lsl = lsl = _library()
        found = _find(lsl, name, wait)
        self.name, self.rate = str(found.name()), float(found.nominal_srate())
        _check(lsl, found)
        self._inlet = lsl.StreamInlet(found, processing_flags=lsl.proc_clocksync)
        try:
            described = _described(self._inlet.info(ANSWER_S))
            self._inlet.time_correction(ANSWER_S)  # without it the first samples were on the sender's clock
        except RuntimeError:
            raise InputError(
                f"LSL stream '{self.name}' was found and does not answer; restart the sender, or let UDP and TCP ports "
                "16572 to 16604 through the firewall"
            ) from None
        self._columns = _columns(self.name, [label for label, _ in described], channels)
        self.channels = [described[column][0] for column in self._columns]
        stated = unit or _common_unit(self.name, [described[column] for column in self._columns])
        self.unit, self.is_unit_stated = stated or UNKNOWN_UNIT, bool(stated)

    def __enter__(self) -> LslStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._inlet.close_stream()

    def clock(self) -> float:
        """Return the time on this computer's LSL clock [s]."""
        return float(self._lsl.local_clock())

    def pull(self) -> list[LslPacket]:
        """Return the samples that came since, after at most ``PACKET_S``; those without a usable time are left out.

        Raises:
            InputError: the sender is gone, and cannot be told from another one that might come.
        """
        most = max(1, round(self.rate * PACKET_S))
        try:
            values, times = self._inlet.pull_chunk(timeout=PACKET_S, max_samples=most, as_numpy=True)
        except RuntimeError:  # LostError, which pylsl does not export
            raise InputError(f"LSL stream '{self.name}' has ended; restart the sender, and this command") from None
        usable = np.abs(times - self.clock()) <= MAX_OFF_S if len(times) else []
        if not np.any(usable):
            return []
        return list(packets(times[usable], values[usable][:, self._columns].astype(np.float32), self.rate))


def packets(times: NDArray[np.float64], values: NDArray[np.float32], rate: float) -> Iterator[LslPacket]:
    """Split samples [samples, channels] where their times [s] leap, and smooth the jitter of the times in between."""
    leaps = np.flatnonzero(np.abs(np.diff(times) - 1.0 / rate) > MAX_GAP_S) + 1
    for stretch, data in zip(np.split(times, leaps), np.split(values, leaps), strict=True):
        yield LslPacket(float(np.median(stretch - np.arange(len(stretch)) / rate)), data)


def _library() -> Any:
    try:
        import pylsl
    except ImportError:
        raise InputError(f"reading the Lab Streaming Layer {needs('pylsl')}") from None
    except RuntimeError as error:  # the wheel of this platform holds no liblsl
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"pylsl does not find liblsl ({reason}); install liblsl of github.com/sccn/liblsl") from None
    return pylsl


def _find(lsl: Any, name: str | None, wait: float) -> Any:
    """Find the stream of a name, or the only one of type EMG."""
    deadline = time.monotonic() + wait
    while True:
        there = lsl.resolve_streams(LOOK_S)
        fitting = [one for one in there if (one.name() == name if name else one.type().lower() == "emg")]
        if fitting or time.monotonic() >= deadline:
            break
    listed = ", ".join(sorted(f"'{one.name()}' ({one.type()}, on {one.hostname()})" for one in there)) or "none"
    what = f"LSL stream '{name}'" if name else "LSL stream of type EMG"
    if not fitting:
        raise InputError(f"no {what} was found within {wait:g} s; streams there are: {listed}")
    if len(fitting) > 1:
        raise InputError(f"more than one {what} is there: {listed}; stop one, or name a stream")
    return fitting[0]


def _check(lsl: Any, found: Any) -> None:
    who = f"LSL stream '{found.name()}'"
    if found.channel_format() == lsl.cf_string:
        raise InputError(f"{who} holds texts, not samples; name the stream of the EMG")
    if not 0.0 < found.nominal_srate() <= MAX_SIGNAL_RATE_HZ:
        raise InputError(f"{who} states no rate up to {MAX_SIGNAL_RATE_HZ:g} Hz; let its sender state nominal_srate")
    if not 0 < found.channel_count() <= MAX_CHANNELS:
        raise InputError(f"{who} has {found.channel_count()} channels; at most {MAX_CHANNELS} can be read")


def _described(info: Any) -> list[tuple[str, str]]:
    """Return label and unit of every channel; one without a label is called by its number, from 1."""
    described: list[tuple[str, str]] = []
    channel = info.desc().child("channels").child("channel")
    for number in range(1, info.channel_count() + 1):
        label = channel.child_value("label").strip()
        described.append((label or str(number), channel.child_value("unit").strip()))
        channel = channel.next_sibling("channel")
    return described


def _columns(name: str, labels: Sequence[str], wanted: Sequence[str] | None) -> list[int]:
    for label in labels if wanted is None else wanted:
        if labels.count(label) != 1:
            what = "holds no channel" if label not in labels else "holds more than one channel"
            raise InputError(f"LSL stream '{name}' {what} '{label}'; its channels are {', '.join(labels)}")
    return list(range(len(labels))) if wanted is None else [labels.index(label) for label in wanted]


def _common_unit(name: str, described: Sequence[tuple[str, str]]) -> str:
    """Return the unit of all channels as Emg messages spell it; '' = none is stated."""
    stated = {label: text for label, text in described if text}
    units = {label: unit_of(text) for label, text in stated.items()}
    for label, unit in units.items():
        if unit is not None and unit.quantity != EMG:
            raise InputError(
                f"channel '{label}' of LSL stream '{name}' is in {unit.name}, which is no unit of EMG "
                f"({known_units(EMG)}); leave it out, or state the unit"
            )
    spelled = {label: unit.name.replace("µ", "u") if unit else stated[label] for label, unit in units.items()}
    if len(set(spelled.values())) > 1:
        listed = ", ".join(f"{label} in {unit}" for label, unit in spelled.items())
        raise InputError(f"LSL stream '{name}' has channels in different units: {listed}; name those of one unit")
    return next(iter(spelled.values()), "")
