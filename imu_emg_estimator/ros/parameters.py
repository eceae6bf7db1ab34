"""Parameters of the node: one schema, from which declarations, checks and documentation are made."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.signals.grid_alignment import AlignmentSettings
from imu_emg_estimator.streaming.engine import AUTO, ENGINES
from imu_emg_estimator.utils.shipped_files import calibration_directory


@dataclass(frozen=True)
class Parameter:
    """One entry of the schema; numbers have bounds."""

    name: str
    default: Any
    description: str
    lowest: float | None = None
    highest: float | None = None


ALIGNMENT = AlignmentSettings()
ANY = -1  # processor
EMG_KINDS = ("raw", "envelope")
DISKS = ("/data", "/media", "/run/media", "/mnt")  # where data and disks usually are
KINDS = {
    str: "text (quote what looks like a number: '5')",
    int: "a whole number",
    float: "a number with a decimal point",
}

SCHEMA = (
    Parameter("bundle", "", "Path of the bundle (.safetensors); empty = the one that the package ships."),
    Parameter(
        "subject_id",
        "",
        "The subject: the calibration in use for this name, see calibrations.md, is loaded at the start; empty = none.",
    ),
    Parameter(
        "calibration_directory",
        "",
        "Where calibrations are stored; empty = $ROS_HOME/imu_emg_estimator/calibrations, ROS_HOME being ~/.ros.",
    ),
    Parameter(
        "imu_topics",
        [""],
        "sensor_msgs/Imu topics in the order of the rig's sensors; one empty text = imu/<sensor name> for each.",
    ),
    Parameter(
        "sensor_rotations",
        [0.0, 0.0, 0.0, 1.0],
        "From each IMU's axes to the rig's, quaternions x y z w in a row: one for every sensor, or one for all.",
    ),
    Parameter("frame_id", "", "frame_id of the published messages; empty = the subject, or the rig's name."),
    Parameter("queue_depth", 200, "Messages kept for each topic while the node is busy.", 1, 100000),
    Parameter(
        "largest_gap",
        ALIGNMENT.largest_gap,
        "s; two samples of a sensor further apart are not interpolated between: it is masked there.",
        0.001,
        10.0,
    ),
    Parameter(
        "deadline",
        ALIGNMENT.deadline,
        "s; an estimate waits at most so long for a late sensor, in timestamp time, then it is masked.",
        0.0,
        10.0,
    ),
    Parameter(
        "sensor_timeout",
        ALIGNMENT.timeout,
        "s; a sensor that has been silent for longer is not waited for until it speaks again.",
        0.01,
        60.0,
    ),
    Parameter(
        "clock_jump",
        ALIGNMENT.jump,
        "s; timestamps further from the newest one are a jump of the clock, which starts the buffers anew.",
        0.1,
        3600.0,
    ),
    Parameter(
        "stale_after",
        0.5,
        "s; input that is older than this, or missing for so long, gives STALE with NaN instead of an estimate.",
        0.02,
        1.0e9,
    ),
    Parameter(
        "calibration_max_duration",
        120.0,
        "s; time budget of a call of calibrate that asks for none.",
        1.0,
        3600.0,
    ),
    Parameter("calibration_threads", 1, "Threads of the calibration process.", 1, 64),
    Parameter(
        "calibration_nice",
        19,
        "How much the calibration process yields to all others; 19 = it runs only where nobody else wants the "
        "processor, which is never on a computer that is always busy.",
        0,
        19,
    ),
    Parameter(
        "bag_directories",
        [""],
        "calibrate reads bags below these alone, wherever links and .. lead; one empty text = the home directory, the "
        "one that the node was started in (but not /), that for temporary files, and "
        f"{', '.join(DISKS)}; / = anywhere.",
    ),
    Parameter("emg_topic", "", "Topic of the EMG in bags; empty = found by its type, its name and its muscles."),
    Parameter(
        "emg_channels",
        [""],
        "Muscle of every EMG channel in bags, 'none' for none of the rig's; or CHANNEL=MUSCLE pairs; one empty text = "
        "by their names.",
    ),
    Parameter(
        "emg_kind",
        "",
        f"{' or '.join(EMG_KINDS)}, of EMG in bags that does not say so; empty = told by its frequencies.",
    ),
    Parameter("emg_rate", 0.0, "Hz, of EMG in bags that does not say so; 0 = found from its timestamps.", 0.0, 1.0e5),
    Parameter(
        "engine",
        AUTO,
        f"Library that computes the network: {', '.join(ENGINES)}, or {AUTO} for the first of them that is installed.",
    ),
    Parameter(
        "engine_threads", 1, "Threads of a step; more than one helps very wide networks alone, and adds jitter.", 1, 64
    ),
    Parameter(
        "realtime_priority",
        0,
        "Priority (SCHED_FIFO) of the threads that receive, estimate and publish; 0 = the usual scheduling.",
        0,
        99,
    ),
    Parameter(
        "cpu_affinity",
        [ANY],
        "Numbers of the processors for those threads; -1 = any. Without realtime_priority it makes latency worse.",
    ),
)


@dataclass(frozen=True)
class NodeSettings:
    """Values of the parameters, checked; see SCHEMA for their meaning."""

    bundle: Path | None
    subject_id: str
    calibration_directory: Path
    imu_topics: tuple[str, ...] | None
    sensor_rotations: tuple[float, ...]
    frame_id: str
    queue_depth: int
    alignment: AlignmentSettings
    stale_after: float
    calibration_max_duration: float
    calibration_threads: int
    calibration_nice: int
    bag_directories: tuple[Path, ...]
    emg: Mapping[str, str]
    engine: str
    engine_threads: int
    realtime_priority: int
    cpu_affinity: tuple[int, ...]


def declare(node: Node) -> NodeSettings:
    """Declare all parameters on a node and read them; raises InputError that names the faulty one."""
    values = {entry.name: _declare_one(node, entry) for entry in SCHEMA}
    topics = tuple(topic for topic in values["imu_topics"] if topic)
    return NodeSettings(
        bundle=_path(values["bundle"]) if values["bundle"] else None,
        subject_id=values["subject_id"],
        calibration_directory=(
            _path(values["calibration_directory"]) if values["calibration_directory"] else calibration_directory()
        ),
        imu_topics=topics or None,
        sensor_rotations=tuple(values["sensor_rotations"]),
        frame_id=values["frame_id"],
        queue_depth=values["queue_depth"],
        alignment=AlignmentSettings(
            largest_gap=values["largest_gap"],
            deadline=values["deadline"],
            timeout=values["sensor_timeout"],
            jump=values["clock_jump"],
        ),
        stale_after=values["stale_after"],
        calibration_max_duration=values["calibration_max_duration"],
        calibration_threads=values["calibration_threads"],
        calibration_nice=values["calibration_nice"],
        bag_directories=_bag_directories(node, values["bag_directories"]),
        emg=_emg_options(values),
        engine=values["engine"],
        engine_threads=values["engine_threads"],
        realtime_priority=values["realtime_priority"],
        cpu_affinity=tuple(processor for processor in values["cpu_affinity"] if processor != ANY),
    )


def markdown_page() -> str:
    """The page of parameters in the documentation."""
    lines = [
        "# Parameters of the estimator node",
        "",
        "Made by `python -m imu_emg_estimator.ros.parameters`. Every parameter is read once, at the start of the node.",
        "The QoS of a topic is changed by ROS 2's own `qos_overrides.<topic>.<publisher or subscription>.<policy>`.",
        "",
        "| parameter | default | bounds | meaning |",
        "| --- | --- | --- | --- |",
    ]
    for entry in SCHEMA:
        bounds = "" if entry.lowest is None else f"{entry.lowest:g} to {entry.highest:g}"
        lines.append(f"| `{entry.name}` | `{json.dumps(entry.default)}` | {bounds} | {entry.description} |")
    return "\n".join(lines)


def _declare_one(node: Node, entry: Parameter) -> Any:
    descriptor = ParameterDescriptor(description=entry.description, read_only=True)
    if entry.lowest is not None and isinstance(entry.default, int):
        descriptor.integer_range = [IntegerRange(from_value=int(entry.lowest), to_value=int(entry.highest or 0))]
    elif entry.lowest is not None:
        descriptor.floating_point_range = [FloatingPointRange(from_value=entry.lowest, to_value=entry.highest or 0.0)]
    try:
        value = node.declare_parameter(entry.name, entry.default, descriptor).value
    except InvalidParameterTypeException:
        is_list = isinstance(entry.default, list)
        kind = ("a list, each " if is_list else "") + KINDS[type(entry.default[0] if is_list else entry.default)]
        raise InputError(f"parameter '{entry.name}' has a value of the wrong type; it takes {kind}") from None
    except InvalidParameterValueException:
        raise InputError(
            f"parameter '{entry.name}' is out of bounds; it takes {entry.lowest:g} to {entry.highest:g}"
        ) from None
    return entry.default if value is None else value  # None: an empty list


def _bag_directories(node: Node, given: Sequence[str]) -> tuple[Path, ...]:
    """Absolute paths; where none was given, those that honest users keep their bags below."""
    chosen = [directory for directory in given if directory]
    if faulty := [directory for directory in chosen if "," in directory]:
        raise InputError(f"parameter 'bag_directories' holds '{faulty[0]}'; give directories without a comma")
    if chosen:
        places = tuple(_path(directory).absolute() for directory in chosen)
        for missing in [place for place in places if not place.is_dir()]:
            node.get_logger().warning(
                f"parameter 'bag_directories' names {missing}, which does not exist: calibrate reads nothing there"
            )
        return places
    usual = [*_found(Path.home), *_found(Path.cwd), *_found(lambda: Path(tempfile.gettempdir())), *map(Path, DISKS)]
    whole_disk = Path("/")  # home of users without a home, and where services start
    return tuple(dict.fromkeys(place for place in usual if place != whole_disk and "," not in str(place)))


def _found(place: Callable[[], Path]) -> list[Path]:
    """The place, unless this user has none."""
    try:
        return [place().absolute()]
    except (OSError, RuntimeError):
        return []


def _emg_options(values: Mapping[str, Any]) -> dict[str, str]:
    """What is known of the EMG in bags, as the options of ``imu-emg calibrate`` after ``--emg-``."""
    if values["emg_kind"] and values["emg_kind"] not in EMG_KINDS:
        raise InputError(f"parameter 'emg_kind' is '{values['emg_kind']}'; give {' or '.join(EMG_KINDS)}, or nothing")
    options = {
        "topic": values["emg_topic"],
        "channels": ",".join(channel for channel in values["emg_channels"] if channel),
        "kind": values["emg_kind"],
        "rate": f"{values['emg_rate']:g}" if values["emg_rate"] else "",
    }
    return {name: value for name, value in options.items() if value}


def _path(text: str) -> Path:
    return Path(os.path.expanduser(text))


if __name__ == "__main__":
    print(markdown_page())
