"""``imu-emg simulate``: a simulated subject, as a bag or live on the topics that the estimator node listens to."""

from __future__ import annotations

import argparse
import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imu_emg_estimator.cli import argument_types as types
from imu_emg_estimator.cli import shared_options as options
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.utils.progress import ProgressBar

if TYPE_CHECKING:
    from imu_emg_estimator.datasets.movement_statistics import MovementStatistics
    from imu_emg_estimator.datasets.simulated_subject import Schedule, SubjectState
    from imu_emg_estimator.faults.fault_kind import Fault

BAG_S = 120.0
STAIRS, STAIRS_UP_AND_DOWN = "stairs", ("stairs_up", "stairs_down")
MAX_DRIFT = 0.1  # s a second
LIVE_ONLY = ("packet_loss", "clock_drift", "faults", "prefix", "clock")


def add_parser(commands: Any) -> None:
    """Add the command to those of ``imu-emg``."""
    parser = options.add_command(
        commands, "simulate", run, "simulate a subject: write a bag, or publish Imu and Emg topics live"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="bag to write: folder to create")
    parser.add_argument("--live", action="store_true", help="publish instead, until Ctrl-C")
    parser.add_argument(
        "--seconds", type=types.positive_number, metavar="S",
        help=f"duration (default: {BAG_S:g}, live: until Ctrl-C)",
    )  # fmt: skip
    _add_subject_options(parser)
    _add_live_options(parser)
    options.add_storage_option(parser)
    options.add_json_option(parser)
    options.accept_ros_arguments(parser)


def _add_subject_options(parser: argparse.ArgumentParser) -> None:
    subject = parser.add_argument_group("who, and what")
    subject.add_argument("--seed", type=types.seed, default=0, metavar="N", help="which simulated subject (default: 0)")
    subject.add_argument(
        "--activities", type=_activities, default=(), metavar="A:S,B:S",
        help="activities and their durations [s], such as walking:60,stairs:30,sit_to_stand:20; repeated to the end",
    )  # fmt: skip
    subject.add_argument(
        "--load", type=types.nonnegative_number, default=0.0, metavar="X",
        help="share by which the EMG is higher at the same movement (assumed, default: 0)",
    )  # fmt: skip
    subject.add_argument(
        "--fatigue", type=types.nonnegative_number, default=0.0, metavar="X",
        help="share by which the EMG rises every minute (assumed, default: 0)",
    )  # fmt: skip
    subject.add_argument(
        "--mounting-error", type=types.nonnegative_number, default=0.0, metavar="DEG",
        help="standard deviation of each sensor's rotation about each axis, beyond that in the data (default: 0)",
    )  # fmt: skip
    subject.add_argument(
        "--from", dest="source", type=Path, metavar="PATH",
        help="folder of your own recordings, or a file of --save-statistics (default: statistics of HuGaDB)",
    )  # fmt: skip
    subject.add_argument("--rig", type=Path, metavar="FILE", help="rig YAML of the recordings")
    subject.add_argument(
        "--save-statistics", type=Path, metavar="FILE", help="keep their statistics, to be quick next time"
    )


def _add_live_options(parser: argparse.ArgumentParser) -> None:
    live = parser.add_argument_group("live")
    live.add_argument(
        "--packet-loss", type=types.nonnegative_number, default=0.0, metavar="P",
        help="probability that an Imu message is lost (default: 0)",
    )  # fmt: skip
    live.add_argument(
        "--clock-drift", type=types.nonnegative_number, default=0.0, metavar="X",
        help="the sensors' clocks run apart, from X s a second behind to X ahead (default: 0)",
    )  # fmt: skip
    live.add_argument("--faults", type=Path, metavar="FILE", help="other faults: see `imu-emg replay --faults`")
    live.add_argument("--prefix", default="", help="prefix of every topic, for instance /subject1")
    live.add_argument(
        "--rate-factor", dest="rate", type=types.positive_number, default=1.0, metavar="R",
        help="pace; other than 1 it needs --clock, and nodes with use_sim_time (default: 1)",
    )  # fmt: skip
    live.add_argument("--clock", action="store_true", help="publish /clock, for nodes with use_sim_time")


def run(arguments: argparse.Namespace) -> int:
    """Write the bag, or publish."""
    if arguments.out and arguments.live:
        raise InputError("give either --out DIR, for a bag, or --live, not both")
    if not (arguments.out or arguments.live or arguments.save_statistics):
        raise InputError("give either --out DIR, for a bag, or --live; no --out was given")
    statistics = _statistics(arguments)
    if arguments.live:
        return _publish(arguments, statistics)
    if arguments.out:
        _write(arguments, statistics)
    return 0


def _statistics(arguments: argparse.Namespace) -> MovementStatistics:
    from imu_emg_estimator.datasets.movement_statistics import SUFFIX, MovementStatistics, shipped_statistics

    if arguments.source is None:
        if arguments.rig or arguments.save_statistics:
            raise InputError("--rig and --save-statistics are for recordings of yours; name their folder with --from")
        return shipped_statistics()
    if arguments.source.suffix == SUFFIX:
        return MovementStatistics.load(arguments.source)
    from imu_emg_estimator.datasets.catalogue import load_dataset
    from imu_emg_estimator.datasets.dataset_kind import kind_of
    from imu_emg_estimator.datasets.derive_statistics import derive_statistics

    source, workers = arguments.source, os.cpu_count() or 1
    statistics = derive_statistics(load_dataset(kind_of(source), source, rig_file=arguments.rig, workers=workers))
    print(f"{statistics.subjects} subjects of {source} show {', '.join(statistics.activities)}", file=sys.stderr)
    if arguments.save_statistics:
        statistics.save(arguments.save_statistics)
        print(f"wrote {arguments.save_statistics}")
    return statistics


def _write(arguments: argparse.Namespace, statistics: MovementStatistics) -> None:
    from imu_emg_estimator.bags import write_bag
    from imu_emg_estimator.datasets.simulated_subject import simulate

    if unused := [name for name in LIVE_ONLY if getattr(arguments, name)]:
        raise InputError(f"--{unused[0].replace('_', '-')} is for --live; replay the bag with `imu-emg replay` instead")
    schedule, state = _schedule(arguments, statistics), _state(arguments)
    recording = simulate(statistics, arguments.seconds or BAG_S, arguments.seed, schedule, state)
    write_bag(recording, arguments.out, arguments.storage, ProgressBar("writing", patience=options.QUIET_S))
    print(f"wrote {arguments.out}: SIMULATED subject {arguments.seed}, {recording.duration:.1f} s")
    figures = {"bag": str(arguments.out), "seed": arguments.seed, "duration_s": recording.duration}
    options.write_json(arguments.json, figures | {"storage": arguments.storage})


def _publish(arguments: argparse.Namespace, statistics: MovementStatistics) -> int:
    with options.ros_required("simulate --live"):
        from imu_emg_estimator.ros.bag_player import ReplaySettings
        from imu_emg_estimator.ros.live_subject import play_subject
    from imu_emg_estimator.datasets.simulated_subject import simulate_on

    if arguments.rate != 1.0 and not arguments.clock:
        raise InputError("another pace than real time needs --clock, and nodes with use_sim_time")
    settings = ReplaySettings(
        rate=arguments.rate,
        end=arguments.seconds,
        prefix=arguments.prefix,
        restamp=True,
        clock=arguments.clock,
        faults=arguments.faults,
        more_faults=_faults(arguments, len(statistics.rig.sensors)),
        seed=arguments.seed,
    )
    days = simulate_on(statistics, arguments.seed, _schedule(arguments, statistics), _state(arguments))
    until = f"for {arguments.seconds:g} s" if arguments.seconds else "until Ctrl-C"
    print(
        f"SIMULATED subject {arguments.seed} on {arguments.prefix}/imu/... and {arguments.prefix}/emg, {until}",
        flush=True,
    )
    play_subject(days, f"simulated subject {arguments.seed}", settings, arguments.ros_arguments)
    return 0


def _state(arguments: argparse.Namespace) -> SubjectState:
    from imu_emg_estimator.datasets.simulated_subject import SubjectState

    return SubjectState(arguments.load, arguments.fatigue, math.radians(arguments.mounting_error))


def _schedule(arguments: argparse.Namespace, statistics: MovementStatistics) -> Schedule:
    """Return the activities, stairs as up and then down unless the statistics know them as such."""
    schedule: list[tuple[str, float]] = []
    for name, seconds in arguments.activities:
        both = name == STAIRS and STAIRS not in statistics.activities
        parts = STAIRS_UP_AND_DOWN if both else (name,)
        schedule += [(part, seconds / len(parts)) for part in parts]
    return schedule


def _faults(arguments: argparse.Namespace, sensors: int) -> list[Fault]:
    """Return the faults that options name, of all sensors to the end."""
    from imu_emg_estimator.faults.fault_file import LONGEST_S
    from imu_emg_estimator.faults.fault_kind import Fault

    if arguments.packet_loss > 1 or arguments.clock_drift > MAX_DRIFT:
        raise InputError(f"--packet-loss is a probability up to 1, --clock-drift at most {MAX_DRIFT:g} s a second")
    lost, drift = arguments.packet_loss, arguments.clock_drift
    faults = [Fault("lost", tuple(range(sensors)), 0.0, LONGEST_S, lost)] if lost else []
    drifts = [drift * (2 * sensor / max(sensors - 1, 1) - 1) for sensor in range(sensors)] if drift else []
    return faults + [Fault("clock_drift", (at,), 0.0, LONGEST_S, own) for at, own in enumerate(drifts)]


def _activities(text: str) -> tuple[tuple[str, float], ...]:
    try:
        pairs = [part.split(":") for part in types.names(text)]
        return tuple((name.strip(), types.positive_number(seconds)) for name, seconds in pairs)
    except (ValueError, argparse.ArgumentTypeError):
        raise argparse.ArgumentTypeError(f"'{text}' is not a list such as walking:60,stairs:30 (seconds)") from None
