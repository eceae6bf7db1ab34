"""Report on a bag: its sensors, clocks and EMG, and notes on what is unusual."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from imu_emg_estimator.signals.powerline import Powerline
from imu_emg_estimator.signals.topic_clocks import MAX_DELAY_S, Clock
from imu_emg_estimator.utils.json_values import json_compatible

MIN_NOTED_SHARE = 0.01  # of samples or messages
MIN_NOTED_S = 1.0


@dataclass
class ImuReport:
    """One sensor: its topic, number of messages, rate [Hz] and clock.

    Attributes:
        late: number of samples that came twice or too late.
        left_out: number of samples whose instant cannot be told.
    """

    sensor: str
    topic: str
    messages: int
    rate: float
    clock: Clock
    late: int = 0
    left_out: int = 0


@dataclass
class EmgReport:
    """The EMG: where it is, of which kind, its clock, and what was found by muscle.

    Attributes:
        topic, type: of its messages.
        field: of JointState, where the values come from; else empty.
        model: id of the bundle that estimated it; empty = it was measured.
        channels: by muscle, name or number of the channel in the bag.
        kind: ``raw`` or ``envelope``.
        kind_stated: whether the bag or the user states the kind; else it was inferred from the signal.
        unit: as stated in the bag.
        rate: by the timestamps [Hz].
        samples: number of samples used.
        recorded: number of samples in the bag.
        zeros: of EMG [s] that a driver filled with zeros; they are left out.
        lost: share of samples missing between the others.
        shared: share of messages with the timestamp of the message before.
        clock: against the IMUs'.
        powerline: interference by muscle; None = none was found.
        saturated: by muscle, share of samples at the amplifier's limit; only for raw EMG.
        constant: muscles whose EMG never changes.
    """

    topic: str
    type: str
    field: str
    model: str
    channels: dict[str, str]
    kind: str
    kind_stated: bool
    unit: str
    rate: float
    samples: int
    recorded: int
    zeros: float
    lost: float
    shared: float
    clock: Clock
    powerline: dict[str, Powerline | None] = dataclasses.field(default_factory=dict)
    saturated: dict[str, float] = dataclasses.field(default_factory=dict)
    constant: list[str] = dataclasses.field(default_factory=list)


@dataclass
class BagReport:
    """What was found in a bag.

    Attributes:
        bag: its path.
        seconds: length of the piece that was read [s].
        recorded: length of all pieces together [s].
        pieces: number of pieces between jumps of the clock.
        imu: sensor by sensor, in the order of the rig.
        emg: None only while it is not known.
        notes: what is unusual about the bag, and how it was handled; one sentence each.
    """

    bag: str
    seconds: float = 0.0
    recorded: float = 0.0
    pieces: int = 0
    imu: list[ImuReport] = dataclasses.field(default_factory=list)
    emg: EmgReport | None = None
    notes: list[str] = dataclasses.field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Values for JSON."""
        figures: dict[str, Any] = json_compatible(self)
        return figures

    def add_notes(self) -> None:
        """Add the notes that the figures call for."""
        if self.pieces > 1:
            self.notes.append(
                f"its timestamps jump {self.pieces - 1} times: {self.seconds:.1f} s of {self.recorded:.1f} s were "
                f"used, the longest of {self.pieces} pieces between jumps of its timestamps"
            )
        for imu in self.imu:
            self.notes += _clock_notes(imu.topic, imu.clock)
            if imu.left_out > MIN_NOTED_SHARE * imu.messages:
                self.notes.append(
                    f"{imu.left_out} of {imu.messages} messages on {imu.topic} have impossible timestamps"
                )
            if imu.late > MIN_NOTED_SHARE * imu.messages:
                self.notes.append(f"{imu.late} of {imu.messages} messages on {imu.topic} came twice or too late")
        if self.emg:
            self.notes += _emg_notes(self.emg)


def _clock_notes(topic: str, clock: Clock) -> list[str]:
    notes = []
    if clock.missing == 1.0:
        notes.append(f"{topic} has no timestamps: its receive times are used instead")
    elif clock.missing > MIN_NOTED_SHARE:
        notes.append(
            f"{clock.missing:.0%} of the messages on {topic} have no timestamp: their receive times are used instead"
        )
    if clock.fault:
        notes.append(f"{topic}: {clock.fault}")
    if clock.corrected and clock.drift:
        notes.append(f"the clock of {topic} drifts by {clock.drift * 1e3:+.0f} ms over the bag: it was corrected")
    if clock.corrected and clock.missing < 1.0 and abs(clock.offset) > MAX_DELAY_S:
        where = "behind" if clock.offset > 0 else "ahead of"
        notes.append(
            f"the clock of {topic} is {abs(clock.offset):.3g} s {where} the IMUs': it was corrected, as the live node "
            "does; synchronise the clocks"
        )
    return notes


def _emg_notes(emg: EmgReport) -> list[str]:
    notes = _clock_notes(emg.topic, emg.clock)
    if emg.model:
        notes.append(
            f"the values on {emg.topic} are estimates of model {emg.model}, not EMG: nothing can be learned from them"
        )
    if not emg.kind_stated:
        notes.append(
            f"the EMG on {emg.topic} does not say whether it is raw: its frequencies show that it is {emg.kind}"
        )
    if emg.field:
        notes.append(f"the EMG is the {emg.field} on {emg.topic}")
    if emg.shared > MIN_NOTED_SHARE:
        notes.append(
            f"{emg.shared:.0%} of the messages on {emg.topic} share a timestamp: their samples were spread out in time"
        )
    if emg.recorded - emg.samples > max(MIN_NOTED_SHARE * emg.recorded, MIN_NOTED_S * emg.rate):
        notes.append(
            f"{emg.samples / emg.rate:.1f} s of {emg.recorded / emg.rate:.1f} s of EMG are used: the rest lies beyond "
            "a jump of timestamps, or where there is no IMU data"
        )
    if emg.zeros:
        notes.append(
            f"{emg.zeros:.1f} s of the EMG on {emg.topic} are zeros in all channels, as drivers fill gaps: they were "
            "left out; check the amplifier's radio or cable"
        )
    notes += [
        f"the EMG of {muscle} never changes: it was left out; check its electrode and lead" for muscle in emg.constant
    ]
    if emg.lost > MIN_NOTED_SHARE:
        notes.append(f"{emg.lost:.0%} of the EMG samples were lost: they are not filled in")
    for muscle, powerline in emg.powerline.items():
        if powerline:
            lines = ", ".join(f"{line:.0f}" for line in powerline.lines)
            notes.append(
                f"powerline interference, {powerline.share:.0%} of the EMG of {muscle}, was notched out at {lines} Hz"
            )
    for muscle, share in emg.saturated.items():
        if share > MIN_NOTED_SHARE:
            notes.append(f"the EMG of {muscle} is at the amplifier's limit in {share:.0%} of its samples")
    return notes
