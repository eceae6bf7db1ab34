"""``imu-emg export``: write a bundle as ONNX."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from imu_emg_estimator.cli.shared_options import (
    add_bundle_option,
    add_command,
    add_json_option,
    load_bundle,
    write_json,
)


def add_parser(commands: Any) -> None:
    """Add the command to those of ``imu-emg``."""
    parser = add_command(commands, "export", run, "write a bundle as ONNX for C++: raw IMU rows in, activations out")
    add_bundle_option(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="file to write (.onnx)")
    add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write the model and check it against the bundle."""
    from imu_emg_estimator.streaming.checked_export import export_bundle

    written = export_bundle(load_bundle(arguments), arguments.out)
    print(
        f"wrote {arguments.out}: {written.model_id}, {written.size / 1e6:.1f} MB; "
        f"differs from the bundle by at most {written.largest_difference:.1e} on {written.rows} rows"
    )
    write_json(arguments.json, asdict(written))
    return 0
