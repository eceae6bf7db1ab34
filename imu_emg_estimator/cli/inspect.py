"""``imu-emg inspect``: describe a bundle, a bag, a table or an ONNX file."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from imu_emg_estimator.cli import argument_types as types
from imu_emg_estimator.cli.report_pages import add_report_option, bag_report, calibration_report, write_report
from imu_emg_estimator.cli.shared_options import add_command, add_json_option, load_bundle, write_json
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.utils.shipped_files import shipped_bundle


def add_parser(commands: Any) -> None:
    """Add the command to those of ``imu-emg``."""
    parser = add_command(commands, "inspect", run, "describe a bundle, a bag, a table or an ONNX file")
    parser.add_argument(
        "bundle", type=Path, nargs="?", metavar="FILE",
        help="bundle (default: the shipped one), rosbag2 folder, .mcap, .db3, .csv, .parquet or .onnx",
    )  # fmt: skip
    parser.add_argument("--card", type=types.markdown_file, metavar="FILE.md", help="also write its model card")
    add_report_option(parser)
    add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print what a file holds; write the model card of a bundle if asked."""
    from imu_emg_estimator.cli.file_descriptions import description_of

    if arguments.bundle and (found := description_of(arguments.bundle)) is not None:
        if arguments.card:
            raise InputError(f"--card describes a bundle, which {arguments.bundle} is not; remove it")
        print("\n".join(_lines(found)))
        write_json(arguments.json, found)
        _write_report(arguments)
        return 0
    return _inspect_bundle(arguments)


def _inspect_bundle(arguments: argparse.Namespace) -> int:
    from imu_emg_estimator.training.evaluation_report import subsets_table

    bundle = load_bundle(arguments)
    description = bundle.describe()
    print("\n".join(_lines({name: value for name, value in description.items() if name != "subsets"})))
    if bundle.subset_figures:
        print(f"\nwithout some of the sensors: {subsets_table(bundle.rig, bundle.subset_figures)}")
    if arguments.card:
        from imu_emg_estimator.training.model_card import model_card
        from imu_emg_estimator.utils.atomic_files import write_atomically

        write_atomically(arguments.card, model_card(bundle).encode())
    write_json(arguments.json, description)
    _write_report(arguments)
    return 0


def _write_report(arguments: argparse.Namespace) -> None:
    if arguments.report is None:
        return
    from imu_emg_estimator.cli.file_descriptions import is_bag

    path = arguments.bundle or shipped_bundle()
    if not is_bag(path) and path.suffix != ".safetensors":
        raise InputError(f"--report is for bags and calibrated bundles, and {path} is neither; remove it")
    page, _ = (bag_report if is_bag(path) else calibration_report)(path)
    write_report(arguments.report, page, arguments)


def _lines(values: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Write a line for every value; mappings that hold lists or mappings have lines of their own, below their name."""
    for name, value in values.items():
        if isinstance(value, Mapping) and any(isinstance(part, (Mapping, list, tuple)) for part in value.values()):
            yield f"{indent}{name}:"
            yield from _lines(value, indent + "  ")
        else:
            yield f"{indent}{name}: {_text(value)}"


def _text(value: Any) -> str:
    if value is None or (isinstance(value, (str, list, tuple, Mapping)) and not value):
        return "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(part)}" for name, part in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_text, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
