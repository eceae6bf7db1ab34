"""Options that several commands share, and what they stand for."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imu_emg_estimator.cli import argument_types as types
from imu_emg_estimator.datasets.catalogue import DATASETS, WITHOUT_RIG, load_dataset

if TYPE_CHECKING:
    from imu_emg_estimator.recording import Recording

QUIET_S = 1.0  # work that takes less shows no progress
NO_ROTATION = (0.0, 0.0, 0.0, 1.0)


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
    parser.add_argument("--dataset", choices=DATASETS, default="hugadb", help="kind of data set (default: hugadb)")
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


def add_topic_options(parser: argparse.ArgumentParser) -> None:
    """Declare where a bag has its IMUs and its EMG, and how the IMUs are mounted."""
    parser.add_argument("--imu-topics", type=types.names, metavar="A,B", help="Imu topics in the order of the rig")
    parser.add_argument("--emg-topic", metavar="TOPIC", help="EMG topic (default: found by its type, name and muscles)")
    parser.add_argument(
        "--sensor-rotations", type=types.numbers, default=list(NO_ROTATION), metavar="X,Y,Z,W",
        help="quaternions from each IMU's axes to the rig's: one per sensor, or one for all",
    )  # fmt: skip


def add_storage_option(parser: argparse.ArgumentParser) -> None:
    """Declare the file format of a bag."""
    parser.add_argument("--storage", choices=("mcap", "sqlite3"), default="mcap", help="storage format (default: mcap)")


def add_workers_option(parser: argparse.ArgumentParser) -> None:
    """Declare how many processes share the work."""
    parser.add_argument(
        "--workers", type=types.positive_integer, default=os.cpu_count() or 1, metavar="N",
        help="parallel processes (default: one per core)",
    )  # fmt: skip


def add_threads_option(parser: argparse.ArgumentParser) -> None:
    """Declare the threads of training in this process."""
    # Networks of this size gain little from a second thread, and lose much where its core is busy.
    parser.add_argument(
        "--threads", type=types.positive_integer, default=1, metavar="N", help="training threads (default: 1)"
    )


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Declare the file that takes the printed figures as JSON."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures as JSON")
