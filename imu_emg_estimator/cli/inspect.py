"""``imu-emg inspect``: describe a bundle."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from imu_emg_estimator.cli import argument_types as types
from imu_emg_estimator.cli.shared_options import add_command, add_json_option, load_bundle, write_json


def add_parser(commands: Any) -> None:
    """Add the command to those of ``imu-emg``."""
    parser = add_command(commands, "inspect", run, "describe a bundle")
    parser.add_argument("bundle", type=Path, nargs="?", metavar="BUNDLE", help="bundle (default: the shipped one)")
    parser.add_argument("--card", type=types.markdown_file, metavar="FILE.md", help="also write its model card")
    add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print what a bundle holds; write its model card if asked."""
    bundle = load_bundle(arguments)
    description = bundle.describe()
    for key, value in description.items():
        print(f"{key}: {value}")
    if arguments.card:
        from imu_emg_estimator.training.model_card import model_card
        from imu_emg_estimator.utils.atomic_files import write_atomically

        write_atomically(arguments.card, model_card(bundle).encode())
    write_json(arguments.json, description)
    return 0
