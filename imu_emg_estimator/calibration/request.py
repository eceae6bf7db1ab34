"""What is to be calibrated, and how: what the command line, the service and the guide ask for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.signals.grid_alignment import AlignmentSettings
from imu_emg_estimator.utils.json_values import from_json, to_json

if TYPE_CHECKING:
    from imu_emg_estimator.bags import TopicMapping

AUTO = "auto"  # as a delay of the EMG: what the movement shows
UPRIGHT = (0.0, 0.0, 0.0, 1.0)
METHOD = "guarded"  # of the adaptation; there is one


@dataclass(frozen=True)
class CalibrationRequest:
    """A calibration of one subject on bags.

    Attributes:
        bundle: file of the bundle that is adapted: the subject-independent one.
        bags: of the subject, of one or several days, loads and activities; all count together.
        subject: name of the subject.
        running: file of the bundle in use, which the result must improve on; None = ``bundle``.
        method: of the adaptation; empty = ``METHOD``, the only one.
        bag_directories: bags are read below these alone, wherever links lead; empty = anywhere.
        imu_topics, emg_topic, emg_channels, emg_kind, emg_field, emg_rate: see ``bags.TopicMapping``.
        emg_delay: s by which the EMG is late, to be corrected; None = not known.
        find_emg_delay: correct the delay that the movement shows, where it is clear. Without either of them, bags that
            show one clearly are refused.
        accept_exchanged: see ``recording_quality.assess``.
        alignment: of the node, so that a bag is read as the node saw it.
        rotations: quaternions x y z w in a row from the IMUs' axes to the rig's, one for all or one for each.
        threads: of the training.
    """

    bundle: Path
    bags: tuple[Path, ...]
    subject: str
    running: Path | None = None
    method: str = ""
    bag_directories: tuple[Path, ...] = ()
    imu_topics: tuple[str, ...] | None = None
    emg_topic: str | None = None
    emg_channels: tuple[str, ...] | None = None
    emg_kind: str | None = None
    emg_field: str | None = None
    emg_rate: float | None = None
    emg_delay: float | None = None
    find_emg_delay: bool = False
    accept_exchanged: bool = False
    alignment: AlignmentSettings = field(default_factory=AlignmentSettings)
    rotations: tuple[float, ...] = UPRIGHT
    threads: int = 1

    def __post_init__(self) -> None:
        if self.method not in ("", METHOD):
            raise InputError(
                f"adaptation method '{self.method}' is not known; leave the method empty, or give '{METHOD}'"
            )

    @property
    def emg_delay_option(self) -> str:
        """The delay as the service and the command line take it; empty = nothing was said."""
        if self.find_emg_delay:
            return AUTO
        return "" if self.emg_delay is None else str(self.emg_delay)

    def to_json(self) -> bytes:
        """Serialise for the worker process."""
        return to_json(self)

    @classmethod
    def from_json(cls, text: str | bytes) -> CalibrationRequest:
        """Read what ``to_json`` wrote; raises InputError that names a field that does not belong there."""
        return from_json(cls, text, "calibration request")

    def topic_mapping(self) -> TopicMapping:
        """Return which topics and channels are which; raises InputError where that makes no sense."""
        from imu_emg_estimator.bags import TopicMapping  # the live process needs no bag readers

        return TopicMapping(
            imu_topics=self.imu_topics,
            emg_topic=self.emg_topic,
            emg_channels=self.emg_channels,
            emg_kind=self.emg_kind,
            emg_field=self.emg_field,
            emg_rate=self.emg_rate,
        )
