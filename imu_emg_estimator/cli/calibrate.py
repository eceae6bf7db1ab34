"""``imu-emg calibrate``: adapt a bundle to one subject from bags, or lead through it with live sensors."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imu_emg_estimator.cli import argument_types as types
from imu_emg_estimator.cli import shared_options as options
from imu_emg_estimator.cli.calibration_bags import bags_of
from imu_emg_estimator.cli.report_pages import add_report_option, write_report
from imu_emg_estimator.cli.verdict_table import verdict_table
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.guide.movements import RECORDING_DURATION_S
from imu_emg_estimator.guide.undo_hint import undo_command
from imu_emg_estimator.utils.progress import Progress, ProgressBar
from imu_emg_estimator.utils.shipped_files import calibration_directory, shipped_bundle

if TYPE_CHECKING:
    from imu_emg_estimator.calibration.request import CalibrationRequest
    from imu_emg_estimator.model.bundle import Bundle
    from imu_emg_estimator.signals.grid_alignment import AlignmentSettings

CALIBRATED, NOT_BETTER = 0, 1  # exit status
GUIDE_RECORDING_BOUNDS_S = (5.0, 3600.0)


def add_parser(commands: Any) -> None:
    """Add the command to those of ``imu-emg``."""
    parser = options.add_command(
        commands, "calibrate", run, "adapt a bundle to one subject from a bag, as the service does"
    )
    options.add_bundle_option(parser)
    parser.add_argument(
        "--bag", type=Path, nargs="+",
        help="rosbag2 folder, .mcap or .db3 with Imu topics and EMG, or a file that `import` reads; several (other "
        "days or loads) are used together",
    )  # fmt: skip
    parser.add_argument(
        "--mapping", type=Path, metavar="FILE", help="with exported files: which channel is what, as `import` writes it"
    )
    _add_guide_options(parser)
    _add_result_options(parser)
    parser.add_argument("--subject", default="subject", metavar="NAME", help="name of the subject (default: subject)")
    parser.add_argument("--method", default="", metavar="NAME", help="adaptation method (default: the package's)")
    options.add_topic_options(parser)
    _add_emg_options(parser)
    _add_reading_options(parser)
    options.add_threads_option(parser)
    parser.add_argument(
        "--progress", type=Path, metavar="FILE",
        help="append the progress as JSON, one object per line; /dev/stdout for the process that started this one",
    )  # fmt: skip
    add_report_option(parser)
    options.add_json_option(parser)


def _add_result_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, metavar="FILE", help="bundle to write if it is better (.safetensors)")
    parser.add_argument(
        "--store", type=Path, nargs="?", const=calibration_directory(), metavar="DIR",
        help="store the calibration for the next start of the node if it is better (without DIR: where the node looks)",
    )  # fmt: skip
    parser.add_argument(
        "--dry-run", action="store_true", help="adapt and report as with --out or --store, and keep nothing"
    )
    parser.add_argument(
        "--running", type=Path, metavar="BUNDLE",
        help="bundle in use, which the new one must beat (default: with --store the stored one in use, else --bundle)",
    )  # fmt: skip


def _add_guide_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--guide", action="store_true",
        help="lead through check, recording and calibration (needs ROS 2); with --bag, start at the calibration",
    )  # fmt: skip
    parser.add_argument("--yes", action="store_true", help="with --guide: answer every question as Enter does")
    parser.add_argument(
        "--seconds", type=types.positive_number, default=RECORDING_DURATION_S, metavar="S",
        help=f"with --guide: duration of the recording (default: {RECORDING_DURATION_S:g})",
    )  # fmt: skip
    parser.add_argument("--recordings", type=Path, metavar="DIR", help="with --guide: folder for the recordings")


def _add_emg_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--emg-channels", type=types.names, metavar="A,B",
        help="muscle of every EMG channel in order ('none' = not in the rig); or CHANNEL=MUSCLE pairs",
    )  # fmt: skip
    parser.add_argument(
        "--emg-kind", choices=("raw", "envelope"),
        help="kind of EMG where messages do not state it (default: found from its spectrum)",
    )  # fmt: skip
    parser.add_argument(
        "--emg-field", choices=("effort", "position", "velocity"), help="field of JointState messages that holds EMG"
    )
    parser.add_argument(
        "--emg-rate", type=types.positive_number, metavar="HZ",
        help="sampling rate of EMG where messages do not state it (default: measured)",
    )  # fmt: skip
    options.add_emg_delay_option(parser, "none; a bag that shows one clearly is refused")
    parser.add_argument(
        "--accept-exchanged", action="store_true",
        help="adapt muscles, too, whose EMG looks exchanged, left for right (default: they are left out)",
    )  # fmt: skip


def _add_reading_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--bags-within",
        type=types.names,
        metavar="DIR,DIR",
        help="refuse bags that lie, or link, outside these folders",
    )
    for name, meaning in (
        ("largest-gap", "longest gap to interpolate across"),
        ("deadline", "longest wait for a late sensor"),
        ("sensor-timeout", "silence after which a sensor is no longer waited for"),
        ("clock-jump", "difference between timestamps that counts as a jump of the clock"),
    ):
        parser.add_argument(
            f"--{name}", type=types.nonnegative_number, metavar="S", help=f"{meaning} [s], as the node's parameter"
        )


def run(arguments: argparse.Namespace) -> int:
    """Calibrate from bags or with the guide; a failure stands in the JSON, too."""
    try:
        return _calibrate_guided(arguments) if arguments.guide else _calibrate_bags(arguments)
    except InputError as error:
        from imu_emg_estimator.calibration.calibration_report import CalibrationReport

        options.write_json(arguments.json, CalibrationReport.failed(error).to_dict())
        raise


def _calibrate_guided(arguments: argparse.Namespace) -> int:
    with options.ros_required("--guide"):
        from imu_emg_estimator.ros.live_guide import GuideOptions
        from imu_emg_estimator.ros.live_guide import run as run_guide
    _check_guide_options(arguments)
    guide = GuideOptions(
        request=_request(arguments),
        unattended=arguments.yes,
        duration_s=arguments.seconds,
        recordings=arguments.recordings,
        store=arguments.store or calibration_directory(),
    )
    return run_guide(guide, lambda report: options.write_json(arguments.json, report))


def _check_guide_options(arguments: argparse.Namespace) -> None:
    """Raise InputError for options that make no sense with the guide."""
    if arguments.out or arguments.dry_run:
        raise InputError(f"--guide keeps calibrations in the store; remove {'--out' if arguments.out else '--dry-run'}")
    if arguments.report:
        raise InputError("--guide stores calibrations; remove --report, and write it afterwards with `imu-emg report`")
    if arguments.bag and len(arguments.bag) > 1:
        raise InputError("--guide continues with one recording; give one --bag, or remove --guide")
    shortest, longest = GUIDE_RECORDING_BOUNDS_S
    if not shortest <= arguments.seconds <= longest:
        raise InputError(f"--seconds {arguments.seconds:g} is not between {shortest:g} and {longest:g}; correct it")


def _calibrate_bags(arguments: argparse.Namespace) -> int:
    from imu_emg_estimator.calibration.calibrate_bags import calibrate_bags
    from imu_emg_estimator.calibration.worker_control import processor_time

    if arguments.bag is None:
        raise InputError("no --bag was given; name a recording, or let --guide make one")
    if arguments.out is None and arguments.store is None and not arguments.dry_run:
        raise InputError(
            "neither --out nor --store was given; name a bundle to write, keep it with --store, or try with --dry-run"
        )
    request, base = _request(arguments), options.load_bundle(arguments)
    if arguments.store and not arguments.running:
        request = replace(request, running=_stored_path(arguments, base))
    start = time.monotonic()
    with (
        bags_of(request.bags, base.rig, request.subject, arguments.mapping) as bags,
        _progress(arguments.progress) as show,
    ):
        result = calibrate_bags(replace(request, bags=bags), show, base=base)
    took = processor_time(os.getpid(), time.monotonic() - start)
    for note in result.report.notes:
        print(note, file=sys.stderr)
    print(verdict_table(result.report.verdicts))
    if result.report.muscles:
        print(result.report.table())
    print(f"{result.report.message}; it took {took}")
    if arguments.dry_run:
        print("dry run: nothing was stored")
    elif result.bundle:
        _keep(result.bundle, arguments)
    options.write_json(arguments.json, result.report.to_dict() | {"took": asdict(took)})
    if arguments.report:
        from imu_emg_estimator.report.calibration_page import calibration_page

        page = calibration_page(result.report, arguments.subject, base.model_id, arguments.store)
        write_report(arguments.report, page, arguments)
    return CALIBRATED if result.bundle else NOT_BETTER


def _request(arguments: argparse.Namespace) -> CalibrationRequest:
    from imu_emg_estimator.calibration.request import CalibrationRequest

    return CalibrationRequest(
        bundle=arguments.bundle or shipped_bundle(),
        bags=tuple(arguments.bag or ()),
        subject=arguments.subject,
        running=arguments.running,
        method=arguments.method,
        bag_directories=tuple(map(Path, arguments.bags_within or ())),
        imu_topics=arguments.imu_topics,
        emg_topic=arguments.emg_topic,
        emg_channels=arguments.emg_channels,
        emg_kind=arguments.emg_kind,
        emg_field=arguments.emg_field,
        emg_rate=arguments.emg_rate,
        **options.emg_delay(arguments),
        accept_exchanged=arguments.accept_exchanged,
        alignment=_alignment(arguments),
        rotations=arguments.sensor_rotations,
        threads=arguments.threads,
    )


def _alignment(arguments: argparse.Namespace) -> AlignmentSettings:
    """Take over the node's alignment, so that the bag is read as the node saw it."""
    from imu_emg_estimator.signals.grid_alignment import AlignmentSettings

    given = {
        "largest_gap": arguments.largest_gap,
        "deadline": arguments.deadline,
        "timeout": arguments.sensor_timeout,
        "jump": arguments.clock_jump,
    }
    return AlignmentSettings(**{name: value for name, value in given.items() if value is not None})


def _stored_path(arguments: argparse.Namespace, base: Bundle) -> Path | None:
    """Find the subject's stored calibration in use; None = the base model is."""
    from imu_emg_estimator.calibration.calibration_store import current_path

    path, remarks = current_path(arguments.store, arguments.subject, base)
    for remark in remarks:
        print(remark, file=sys.stderr)
    return path


def _keep(bundle: Bundle, arguments: argparse.Namespace) -> None:
    if arguments.out:
        bundle.save(arguments.out)
    if arguments.store:
        from imu_emg_estimator.calibration.calibration_store import store_calibration

        path = store_calibration(arguments.store, bundle)
        undo = undo_command(arguments.subject, arguments.store, arguments.bundle or shipped_bundle())
        print(f"stored as {path}: subject '{arguments.subject}' starts with it from now on; undo it with: {undo}")


@contextmanager
def _progress(file: Path | None) -> Iterator[Callable[[Progress], None]]:
    """Give a function that shows progress as a bar and appends it to the file."""
    bar = ProgressBar("calibration")
    if file is None:
        yield bar.show
        return
    try:
        stream = file.open("a", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{file} cannot be written ({error.strerror}); give another place") from None
    with stream:

        def show(progress: Progress) -> None:
            bar.show(progress)
            print(json.dumps(progress.to_dict()), file=stream, flush=True)

        yield show
