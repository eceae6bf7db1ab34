"""``python -m benchmarks latency``: run the missing measurements, and write the report."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Mapping
from typing import Any

from benchmarks import machine
from benchmarks.command_options import shown_command
from benchmarks.latency.latency_options import settings_of
from benchmarks.latency.latency_pictures import draw
from benchmarks.latency.latency_report import aims_of, markdown
from benchmarks.latency.latency_results import Outcomes, compute
from benchmarks.latency.measured_piece import code_fingerprint
from benchmarks.latency.measured_processes import memory_limit_kind
from benchmarks.latency.measurement_inputs import Data, Material
from benchmarks.latency.measurement_plan import Plan
from benchmarks.latency.measurement_settings import SECTIONS, Settings, sections_of
from benchmarks.report_writer import write_report
from benchmarks.run_folder import RunFolder, read_json
from imu_emg_estimator.cli.shared_options import write_json
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.streaming.engine import available_engines
from imu_emg_estimator.utils.progress import ProgressBar
from imu_emg_estimator.utils.shipped_files import shipped_bundle

EQUALITY_FILE = "engine_equality.json"  # of `python -m benchmarks engines --json`, in the folder of the report
DOMAIN = "93"  # of ROS, unless one is set: keeps other ROS traffic away
LOAD_IS = (
    "The load is one Python process that publishes every sensor's Imu message (serialised beforehand, reliable) at "
    "each instant of a steady grid, one after the other; that is the timestamp. The listener is another process, "
    "which takes messages as bytes. Both use the cores that the node uses, unless --cores leaves them others."
)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; exit status 1 if a piece failed."""
    os.environ.setdefault("ROS_DOMAIN_ID", DOMAIN)
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    settings, sections = settings_of(arguments), sections_of(arguments.only)
    if settings.engine and settings.engine not in available_engines():
        raise InputError(
            f"engine '{settings.engine}' is not installed or not known; give one of {', '.join(available_engines())}"
        )
    described = machine.describe()
    warning = machine.busy_warning()
    if warning and not arguments.report_only:
        print(f"warning: {warning}", file=sys.stderr)
    folder = RunFolder(
        arguments.run_folder or arguments.report_folder / "run", f"{code_fingerprint()} {platform.node()}"
    )
    subjects = tuple(arguments.subjects or ()) or None
    data = Data(arguments.dataset, arguments.data, subjects, arguments.rig) if arguments.data else None
    bundle = Bundle.load(arguments.bundle or shipped_bundle())
    # Absolute: other processes read them.
    material = Material(folder.path.absolute() / "material", bundle, data, settings.calibration_seconds)
    plan = Plan(settings, material, folder, sections, _bar if sys.stderr.isatty() else None)
    outcomes, failed = _measure(plan, folder, arguments.report_only)
    results = {
        **compute(outcomes, settings, available_engines()),
        "engine_equality": read_json(arguments.report_folder / EQUALITY_FILE),
        "calibration_source": material.source,
        "left_out": {**dict.fromkeys(sorted(set(SECTIONS) - set(sections)), "not asked for"), **plan.left_out},
        "failed": failed,
        "machine": described,
        "warning": warning,
        "limits": _limits_text(settings),
        "load_is": LOAD_IS,
        "bundle": bundle.model_id,
        "settings": settings.to_dict(),
        "command": shown_command(arguments),
    }
    results["aims"] = [{**vars(aim), "is_met": aim.is_met} for aim in aims_of(results)]
    table = markdown(results)
    write_report(arguments.report_folder, results, table, draw)
    print(table)
    print(f"wrote {arguments.report_folder}")
    write_json(arguments.json, results)
    return 1 if failed else 0


def _measure(plan: Plan, folder: RunFolder, only_report: bool) -> tuple[Outcomes, dict[str, str]]:
    """Return the outcomes of all tasks, finished ones from the folder, and the reasons of failures."""
    found = []
    failed: dict[str, str] = {}
    todo = [task for task in plan.tasks if folder.outcome(task.piece) is None]
    left = sum(task.piece.seconds for task in todo)
    if not only_report:
        print(f"{len(plan.tasks)} pieces, {len(todo)} to measure: about {left / 60:.0f} min", file=sys.stderr)
    for number, task in enumerate(plan.tasks, 1):
        outcome: Mapping[str, Any] | None = folder.outcome(task.piece)
        if outcome is None and not only_report:
            piece = task.piece
            name = f"{piece.section} {piece.name}, repeat {piece.repeat + 1}"
            print(f"{number}/{len(plan.tasks)} {name}; about {left / 60:.1f} min left", file=sys.stderr, flush=True)
            try:
                start = time.monotonic()
                outcome = task.run()
                folder.write(piece, time.monotonic() - start, outcome)
            except InputError as error:
                failed[name] = str(error)
                print(f"failed: {name}: {error}", file=sys.stderr)
            left -= piece.seconds
        if outcome is not None:
            found.append((task.piece, outcome))
    return Outcomes(found), failed


def _bar(title: str) -> ProgressBar:
    return ProgressBar(title)


def _limits_text(settings: Settings) -> str:
    parts = []
    if settings.cores:
        parts.append(f"{settings.cores} of the machine's cores (affinity)")
    if settings.memory_limit:
        parts.append(f"{settings.memory_limit} MB ({memory_limit_kind()})")
    return f"The processes under test had {' and '.join(parts)}: a stand-in for a smaller machine." if parts else ""
