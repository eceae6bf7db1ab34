"""The node's parameters: one dataclass, from which declaration, checks and documentation are derived, without ROS."""
# ruff: noqa: RUF009 (parameter() makes fields, as dataclasses.field does)

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from enum import Enum
from pathlib import Path
from typing import Any

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.signals.grid_alignment import AlignmentSettings
from imu_emg_estimator.signals.imu_decoder import PLAUSIBLE, PlausibleRange
from imu_emg_estimator.signals.sensor_clock import ClockPolicy
from imu_emg_estimator.streaming.engine import AUTO, ENGINES
from imu_emg_estimator.streaming.live_estimator import LiveSettings
from imu_emg_estimator.utils.shipped_files import calibration_directory

ALIGNMENT, LIVE = AlignmentSettings(), LiveSettings()
ANY_PROCESSOR = -1
EMG_KINDS = ("raw", "envelope")
DATA_DISKS = ("/data", "/media", "/run/media", "/mnt")  # usual mount points
TYPE_DESCRIPTIONS = {
    str: "text (quote what looks like a number: '5')",
    int: "a whole number",
    float: "a number with a decimal point",
    bool: "true or false",
}

Converter = Callable[[Any], Any]


class Change(Enum):
    """When a parameter can be changed."""

    LIVE = "at any time"
    UNCONFIGURED = "while the node is unconfigured"
    NEVER = "at the start alone"


@dataclass(frozen=True)
class Parameter:
    """One ROS parameter.

    Attributes:
        name: as in ROS.
        default: as in ROS, so that it has one of ROS's types.
        meaning: one or two sentences for users.
        unit: of a number; empty = none.
        minimum, maximum: bounds of a number, both inclusive; None = not a number.
        change: when it can be changed.
        convert: turns the value of the ROS parameter into that of the field; raises InputError.
    """

    name: str
    default: Any
    meaning: str
    unit: str
    minimum: float | None
    maximum: float | None
    change: Change
    convert: Converter

    @property
    def description(self) -> str:
        """Unit and meaning, as `ros2 param describe` shows them."""
        return f"[{self.unit}] {self.meaning}" if self.unit else self.meaning

    @property
    def bounds(self) -> str:
        """Bounds for people; empty = none."""
        return "" if self.minimum is None else f"{self.minimum:g} to {self.maximum:g}"

    @property
    def type_description(self) -> str:
        """What the parameter takes, for people."""
        if isinstance(self.default, list):
            return f"a list, each {TYPE_DESCRIPTIONS[type(self.default[0])]}"
        return TYPE_DESCRIPTIONS[type(self.default)]


def parameter(
    default: Any,
    meaning: str,
    unit: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    change: Change = Change.LIVE,
    convert: Converter = lambda value: value,
) -> Any:
    """Make a dataclass field that is a ROS parameter; see ``Parameter``."""
    metadata = {"default": default, "meaning": meaning, "unit": unit, "change": change, "convert": convert}
    return field(
        default_factory=lambda: convert(default), metadata={**metadata, "minimum": minimum, "maximum": maximum}
    )


def expanded_path(text: str) -> Path:
    """Return a path with ``~`` replaced by the home directory."""
    return Path(os.path.expanduser(text))


def parse_path(text: str) -> Path | None:
    """Return the path, or None for empty text."""
    return expanded_path(text) if text else None


def parse_list(texts: Sequence[str]) -> tuple[str, ...] | None:
    """Return the texts that are not empty; None if there is none."""
    return tuple(text for text in texts if text) or None


def parse_clock_policies(texts: Sequence[str]) -> tuple[ClockPolicy, ...]:
    """Return the policies of these names; none = ``auto``."""
    try:
        return tuple(ClockPolicy(text) for text in texts if text) or (ClockPolicy.AUTO,)
    except ValueError:
        names = ", ".join(policy.value for policy in ClockPolicy)
        raise InputError(f"parameter 'clock_policy' is {', '.join(texts)}; each must be one of {names}") from None


def parse_emg_delay(text: str, what: str = "parameter 'emg_delay'") -> float | str | None:
    """Return a delay of the EMG [s], ``auto``, or None for empty text; errors call it ``what``."""
    if text in ("", AUTO):
        return text or None
    try:
        delay = float(text)
    except ValueError:
        delay = math.nan
    if not math.isfinite(delay):
        raise InputError(f"{what} is '{text[:80]}'; give seconds such as '0.1', '{AUTO}', or nothing")
    return delay


def parse_emg_kind(text: str) -> str | None:
    """Return a kind of EMG, or None for empty text."""
    if text and text not in EMG_KINDS:
        raise InputError(f"parameter 'emg_kind' is '{text}'; give {' or '.join(EMG_KINDS)}, or nothing")
    return text or None


def parse_bag_directories(given: Sequence[str]) -> tuple[Path, ...]:
    """Return absolute directories; if none is given, those where users usually keep their bags."""
    if chosen := parse_list(given):
        return tuple(expanded_path(directory).absolute() for directory in chosen)
    usual = [*_existing(Path.home), *_existing(Path.cwd), *_existing(lambda: Path(tempfile.gettempdir()))]
    whole_disk = Path("/")  # home of users without one, and where services start
    return tuple(dict.fromkeys(place for place in [*usual, *map(Path, DATA_DISKS)] if place != whole_disk))


def _existing(place: Callable[[], Path]) -> list[Path]:
    """Return the place in a list, which is empty where this user has no such place."""
    try:
        return [place().absolute()]
    except (OSError, RuntimeError):
        return []


@dataclass(frozen=True)
class NodeSettings:
    """Checked values of all parameters; a field is a ROS parameter of the same name."""

    bundle: Path | None = parameter(
        "",
        "Path of the bundle (.safetensors); empty = the bundle that the package ships.",
        change=Change.UNCONFIGURED,
        convert=parse_path,
    )
    subject_id: str = parameter(
        "", "The subject, whose calibration in use is loaded (see calibrations.md); empty = none."
    )
    calibration_directory: Path = parameter(
        "",
        "Where calibrations are stored; empty = $ROS_HOME/imu_emg_estimator/calibrations, ROS_HOME being ~/.ros.",
        change=Change.NEVER,
        convert=lambda text: expanded_path(text) if text else calibration_directory(),
    )
    imu_topics: tuple[str, ...] | None = parameter(
        [""],
        "sensor_msgs/Imu topics in the order of the rig's sensors; one empty text = imu/<sensor name> for each.",
        change=Change.UNCONFIGURED,
        convert=parse_list,
    )
    sensor_rotations: tuple[float, ...] = parameter(
        [0.0, 0.0, 0.0, 1.0],
        "Rotations from each IMU's axes to the rig's, as quaternions x y z w in one list: one for every sensor, or one "
        "for all.",
        convert=tuple,
    )
    frame_id: str = parameter("", "frame_id of the published messages; empty = the subject, or the rig's name.")
    queue_depth: int = parameter(
        200,
        "Messages queued for each topic while the node is busy.",
        minimum=1,
        maximum=100000,
        change=Change.UNCONFIGURED,
    )
    largest_gap: float = parameter(
        ALIGNMENT.largest_gap,
        "Samples of a sensor are not interpolated across a longer gap: the sensor is masked there.",
        "s",
        0.001,
        10.0,
    )
    deadline: float = parameter(
        ALIGNMENT.deadline,
        "An estimate waits this long at most for a late sensor, in timestamp time; then the sensor is masked.",
        "s",
        0.0,
        10.0,
    )
    sensor_timeout: float = parameter(
        ALIGNMENT.timeout,
        "A sensor that has been silent for longer is not waited for until it sends again.",
        "s",
        0.01,
        60.0,
    )
    clock_jump: float = parameter(
        ALIGNMENT.jump,
        "A timestamp further from the newest one is a jump of the clock, which resets the buffers.",
        "s",
        0.1,
        3600.0,
    )
    stale_after: float = parameter(
        LIVE.stale_after,
        "Input that is older, or has been missing for longer, gives STALE with NaN instead of an estimate.",
        "s",
        0.02,
        1.0e9,
    )
    clock_policy: tuple[ClockPolicy, ...] = parameter(
        [ClockPolicy.AUTO.value],
        "Where the instants of the samples come from, one for all sensors or one each: auto = from timestamps, which "
        "are reconciled with this node's clock where they are on another, and replaced by arrival times where they are "
        "useless; timestamp = from timestamps as they are; arrival = from arrival times, smoothed.",
        convert=parse_clock_policies,
    )
    max_acceleration: float = parameter(
        PLAUSIBLE.acceleration,
        "An acceleration beyond this on any axis is no measurement: it is masked.",
        "m/s^2",
        1.0,
        1.0e5,
    )
    max_angular_rate: float = parameter(
        PLAUSIBLE.rate, "An angular rate beyond this on any axis is no measurement: it is masked.", "rad/s", 1.0, 1.0e4
    )
    calibration_max_duration: float = parameter(
        120.0, "Time budget of a calibrate call that sets none.", "s", 1.0, 3600.0
    )
    calibration_threads: int = parameter(1, "Threads of the calibration process.", minimum=1, maximum=64)
    calibration_nice: int = parameter(
        3,
        "Niceness of the calibration process: how much it yields to others. 3 = beside a process of normal priority it "
        "gets a third of the processor; 19 = it runs only when no other process wants the processor, which is never on "
        "a computer that is always busy.",
        minimum=0,
        maximum=19,
    )
    bag_directories: tuple[Path, ...] = parameter(
        [""],
        "calibrate reads only bags below these directories, links and .. resolved; one empty text = the home "
        "directory, the directory that the node was started in (unless /), the directory for temporary files, and "
        f"{', '.join(DATA_DISKS)}; / = anywhere.",
        change=Change.NEVER,
        convert=parse_bag_directories,
    )
    emg_topic: str | None = parameter(
        "",
        "Topic of the EMG in bags; empty = found by its type, its name and its muscles.",
        convert=lambda text: text or None,
    )
    emg_channels: tuple[str, ...] | None = parameter(
        [""],
        "Muscle of each EMG channel in bags, 'none' for a muscle that is not in the rig; or CHANNEL=MUSCLE pairs; one "
        "empty text = found by the channels' names.",
        convert=parse_list,
    )
    emg_kind: str | None = parameter(
        "",
        f"{' or '.join(EMG_KINDS)}, for EMG in bags that does not say which; empty = found from its frequencies.",
        convert=parse_emg_kind,
    )
    emg_rate: float | None = parameter(
        0.0,
        "Rate of EMG in bags that does not state it; 0 = found from its timestamps.",
        "Hz",
        0.0,
        1.0e5,
        convert=lambda rate: rate or None,
    )
    emg_delay: float | str | None = parameter(
        "",
        f"Delay of the EMG in bags [s], as a text such as '0.1', that calibrate corrects; '{AUTO}' = what the movement "
        "shows clearly; empty = none, and bags that show one clearly are refused.",
        convert=parse_emg_delay,
    )
    engine: str = parameter(
        AUTO,
        f"Library that computes the network: {', '.join(ENGINES)}, or {AUTO} for the first of them that works here.",
    )
    engine_threads: int = parameter(
        1, "Threads of a step; more than one helps only very wide networks, and adds jitter.", minimum=1, maximum=64
    )
    realtime_priority: int = parameter(
        0,
        "Priority (SCHED_FIFO) of the threads that receive, estimate and publish; 0 = normal scheduling.",
        minimum=0,
        maximum=99,
        change=Change.NEVER,
    )
    cpu_affinity: tuple[int, ...] = parameter(
        [ANY_PROCESSOR],
        "Numbers of the processors for those threads; -1 = any. Without realtime_priority it makes latency worse.",
        change=Change.NEVER,
        convert=lambda numbers: tuple(number for number in numbers if number != ANY_PROCESSOR),
    )
    plot_by_name: bool = parameter(
        False,
        "Publish the estimates as sensor_msgs/JointState on muscle_activation_by_name, too (name = muscle, position = "
        "activation, velocity = standard deviation), for tools that plot by name.",
        change=Change.UNCONFIGURED,
    )
    autostart: bool = parameter(
        True,
        "Configure and activate at the start; false = a lifecycle manager does it (see interfaces.md).",
        change=Change.NEVER,
    )

    @property
    def alignment(self) -> AlignmentSettings:
        """What a late, lost or mistimed sample leads to, live and in bags."""
        return AlignmentSettings(
            largest_gap=self.largest_gap,
            deadline=self.deadline,
            timeout=self.sensor_timeout,
            jump=self.clock_jump,
        )

    def live(self, clock_tolerance: float) -> LiveSettings:
        """What the live path is told, with the s by which timestamps may be ahead of the node's clock."""
        return LiveSettings(self.alignment, self.sensor_rotations, self.stale_after, self.clock_policy, clock_tolerance)

    @property
    def plausible(self) -> PlausibleRange:
        """What a sensor can measure."""
        return PlausibleRange(self.max_acceleration, self.max_angular_rate)


PARAMETERS = tuple(Parameter(name=entry.name, **entry.metadata) for entry in fields(NodeSettings))


def markdown_list() -> str:
    """Return a list of all parameters with defaults, units and bounds."""
    lines = []
    for entry in PARAMETERS:
        unit = f" {entry.unit}" if entry.unit else ""
        bounds = f" ({entry.bounds})" if entry.bounds else ""
        change = "" if entry.change is Change.LIVE else f" Set {entry.change.value}."
        lines.append(f"- `{entry.name}` = `{json.dumps(entry.default)}`{unit}{bounds}: {entry.meaning}{change}")
    return "\n".join(lines)


def markdown_page() -> str:
    """Return the page about parameters in the documentation."""
    return (
        "# Parameters of the estimator node\n\n"
        "Generated by `make reference`: name, default, unit, bounds. A parameter can be set at any time where nothing "
        "else\nis said; what the estimates depend on then starts them anew, with WARMING_UP. To change the QoS of a "
        "topic, set ROS 2's own\n`qos_overrides.<topic>.<publisher or subscription>.<policy>`.\n\n" + markdown_list()
    )


if __name__ == "__main__":
    print(markdown_page())
