"""What several commands share: options and what they stand for, files to write, exit status, arguments for ROS."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imu_emg_estimator.cli import argument_types as types
from imu_emg_estimator.datasets.catalogue import DATASETS, DEFAULT_DATASET, WITHOUT_RIG, load_dataset
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.utils.optional_packages import unmet
from imu_emg_estimator.utils.shipped_files import shipped_bundle

if TYPE_CHECKING:
    from imu_emg_estimator.model.bundle import Bundle
    from imu_emg_estimator.recording import Recording
    from imu_emg_estimator.training.pretraining import TrainingSettings

QUIET_S = 1.0  # work that takes less shows no progress
DEFAULT_STEPS, DEFAULT_LOOK_AHEAD_MS = 1000, 51  # the recipe's, which --help must not import
NO_ROTATION = (0.0, 0.0, 0.0, 1.0)
FILE_OPTIONS = ("out", "json", "picture", "card", "report", "sto", "save_statistics")
FOLDER_OPTIONS = ("store", "keep", "out_folder")
BAD_INPUT, INTERRUPTED = 2, 130  # exit status
BEGIN_ROS, END_ROS = "--ros-args", "--"


def add_command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], int], purpose: str
) -> argparse.ArgumentParser:
    """Add a command, or an action of one; ``run`` returns its exit status."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=purpose, description=f"{purpose[0].upper()}{purpose[1:]}."
    )
    parser.set_defaults(run=run)
    return parser


def add_data_options(parser: argparse._ActionsContainer, required: bool = True) -> None:
    """Declare the data set, and which of its subjects to use."""
    parser.add_argument(
        "--dataset", choices=DATASETS, default=DEFAULT_DATASET, help=f"kind of data set (default: {DEFAULT_DATASET})"
    )
    parser.add_argument("--data", type=Path, required=required, metavar="DIR", help="folder of the data set")
    parser.add_argument("--rig", type=Path, metavar="FILE", help=f"rig YAML, for {' and '.join(WITHOUT_RIG)}")
    parser.add_argument("--subjects", type=types.names, metavar="A,B", help="only these subjects (default: all)")


def load_recordings(arguments: argparse.Namespace, subjects: Sequence[str] | None = None) -> list[Recording]:
    """Read the recordings that the data options name; None = of ``--subjects``."""
    print(f"reading {arguments.dataset} from {arguments.data} ...", file=sys.stderr)
    chosen = subjects or arguments.subjects
    return load_dataset(arguments.dataset, arguments.data, chosen, arguments.rig, workers=os.cpu_count() or 1)


def add_gyroscopes_option(parser: argparse.ArgumentParser) -> None:
    """Declare which IMU channels to train on."""
    parser.add_argument(
        "--without-gyroscopes", action="store_true", help="train on accelerometers only, which is best on HuGaDB"
    )


def load_training_recordings(arguments: argparse.Namespace) -> list[Recording]:
    """Read the recordings that the data options name, with the channels to train on."""
    recordings = load_recordings(arguments)
    if not arguments.without_gyroscopes:
        return recordings
    return [recording.without_gyroscopes() for recording in recordings]


def add_bundle_option(parser: argparse.ArgumentParser, purpose: str = "bundle") -> None:
    """Declare the bundle that a command works with."""
    parser.add_argument("--bundle", type=Path, metavar="FILE", help=f"{purpose} (default: the shipped one)")


def load_bundle(arguments: argparse.Namespace) -> Bundle:
    """Load the bundle of ``--bundle``, or the shipped one."""
    from imu_emg_estimator.model.bundle import Bundle

    return Bundle.load(arguments.bundle or shipped_bundle())


def add_topic_options(parser: argparse.ArgumentParser) -> None:
    """Declare where a bag has its IMUs and its EMG, and how the IMUs are mounted."""
    parser.add_argument("--imu-topics", type=types.names, metavar="A,B", help="Imu topics in the order of the rig")
    parser.add_argument("--emg-topic", metavar="TOPIC", help="EMG topic (default: found by its type, name and muscles)")
    parser.add_argument(
        "--sensor-rotations", type=types.numbers, default=NO_ROTATION, metavar="X,Y,Z,W",
        help="quaternions from each IMU's axes to the rig's: one per sensor, or one for all",
    )  # fmt: skip


def add_emg_delay_option(parser: argparse.ArgumentParser, default: str) -> None:
    """Declare by how much the EMG of a bag is late."""
    parser.add_argument(
        "--emg-delay", type=types.number_or_auto, metavar="S",
        help=f"delay of the EMG [s] to correct; 0 = none, auto = what the movement shows clearly (default: {default})",
    )  # fmt: skip


def emg_delay(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what ``--emg-delay`` stands for in a CalibrationRequest."""
    is_auto = arguments.emg_delay == types.AUTO
    return {"emg_delay": None if is_auto else arguments.emg_delay, "find_emg_delay": is_auto}


def add_storage_option(parser: argparse.ArgumentParser) -> None:
    """Declare the file format of a bag."""
    parser.add_argument("--storage", choices=("mcap", "sqlite3"), default="mcap", help="storage format (default: mcap)")


def add_steps_option(parser: argparse.ArgumentParser, purpose: str = "optimiser steps") -> None:
    """Declare the length of a training."""
    parser.add_argument(
        "--steps", type=types.positive_integer, metavar="N", help=f"{purpose} (default: {DEFAULT_STEPS})"
    )


def add_new_bundle_option(parser: argparse.ArgumentParser) -> None:
    """Declare the bundle that a training writes."""
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE",
        help="bundle to write (.safetensors); its model card is written beside it (.md)",
    )  # fmt: skip


def add_look_ahead_option(parser: argparse.ArgumentParser, purpose: str = "") -> None:
    """Declare the instant that estimates are for."""
    parser.add_argument(
        "--look-ahead", type=types.look_ahead, metavar="MS",
        help=f"{purpose}how long before the newest IMU sample the instant lies that an estimate is for: "
        f"{-types.LONGEST_FORECAST_MS:g} to {types.LONGEST_LOOK_AHEAD_MS:g} ms; more is more accurate and later, "
        f"negative is a forecast, which the node refuses (default: {DEFAULT_LOOK_AHEAD_MS})",
    )  # fmt: skip


def training_settings(arguments: argparse.Namespace) -> TrainingSettings:
    """Return the recipe with ``--steps`` and ``--look-ahead``, where they are given."""
    from imu_emg_estimator.training.recipe import RECIPE

    ahead = RECIPE.look_ahead_s if arguments.look_ahead is None else arguments.look_ahead / 1000
    return replace(RECIPE, steps=arguments.steps or RECIPE.steps, look_ahead_s=ahead)


def add_workers_option(parser: argparse.ArgumentParser) -> None:
    """Declare how many processes share the work."""
    parser.add_argument(
        "--workers", type=types.positive_integer, default=os.cpu_count() or 1, metavar="N",
        help="parallel processes (default: one per core)",
    )  # fmt: skip


def add_cluster_options(parser: argparse.ArgumentParser) -> None:
    """Declare where jobs run in parallel."""
    parser.add_argument(
        "--backend", choices=("loky", "ray", "dask"), default="loky",
        help="where parallel jobs run: processes of this machine (loky), or a Ray or Dask cluster (default: loky)",
    )  # fmt: skip
    parser.add_argument(
        "--cluster", metavar="ADDRESS", help="address of the Ray or Dask cluster (default: start one on this machine)"
    )


def add_threads_option(parser: argparse.ArgumentParser) -> None:
    """Declare the threads of training in this process."""
    # Networks of this size gain little from a second thread, and lose much where its core is busy.
    parser.add_argument(
        "--threads", type=types.positive_integer, default=1, metavar="N", help="training threads (default: 1)"
    )


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Declare the file that takes the printed figures as JSON."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures as JSON")


def write_json(path: Path | None, content: Mapping[str, Any]) -> None:
    """Write figures to the file of ``--json``, if one was given."""
    if path is None:
        return
    from imu_emg_estimator.utils.atomic_files import write_atomically
    from imu_emg_estimator.utils.json_values import to_json

    write_atomically(path, to_json(content))


def run_command(name: str, arguments: argparse.Namespace, folders: Sequence[str] = FOLDER_OPTIONS) -> int:
    """Run a parsed command; return its exit status, after one line on standard error where the input is bad.

    Args:
        name: of the command, as error messages begin.
        folders: names of the options that name folders to write to.
    """
    try:
        check_output_paths(arguments, folders)
        status: int = arguments.run(arguments)
        sys.stdout.flush()  # so that a broken pipe is noticed here
        return status
    except InputError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return BAD_INPUT
    except ImportError as error:
        if not (reason := unmet(error)):
            raise
        print(f"{name} {reason}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def check_output_paths(arguments: argparse.Namespace, folders: Sequence[str]) -> None:
    """Refuse outputs that cannot be written before hours of work, not after.

    Args:
        folders: names of the options that name folders to write to.

    Raises:
        InputError: a file is a folder, or its folder is not writable.
    """
    for name in (*FILE_OPTIONS, *folders):
        if (path := getattr(arguments, name, None)) is not None:
            _check_output(path, is_folder=name in folders)


def _check_output(path: Path, is_folder: bool) -> None:
    if path.is_dir() and not is_folder:
        raise InputError(f"{path} is a folder that exists already; give another name")
    absolute = path.absolute()
    candidates = (absolute, *absolute.parents) if is_folder else absolute.parents
    nearest = next(candidate for candidate in candidates if candidate.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise InputError(f"{path} cannot be written: {nearest} is not a writable folder; give another place")


def accept_ros_arguments(parser: argparse.ArgumentParser) -> None:
    """Let a command take ``--ros-args ...``, which arrive as ``ros_arguments``."""
    parser.epilog = f"ROS arguments follow {BEGIN_ROS}, for instance {BEGIN_ROS} -r /imu/trunk:=/imu/pelvis."
    parser.set_defaults(ros_arguments=[])


def split_ros_arguments(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split a command line into its own words and those between ``--ros-args`` and ``--``, or the end."""
    own: list[str] = []
    ros: list[str] = []
    inside = False
    for word in argv:
        inside = inside or word == BEGIN_ROS
        (ros if inside else own).append(word)
        inside = inside and word != END_ROS
    return own, ros


@contextmanager
def ros_required(command: str) -> Iterator[None]:
    """Turn a failed import of ``imu_emg_estimator.ros`` into an InputError that tells how to get ROS."""
    try:
        yield
    except ImportError as error:
        if unmet(error):
            raise
        reason = str(error).partition("\n")[0]
        broken = f" (rclpy is there, but: {reason})" if find_spec("rclpy") else ""
        raise InputError(
            f"{command} needs ROS 2; source scripts/env.sh or your ROS 2 workspace first{broken}"
        ) from None
