"""``imu-emg``: training, scoring, calibration and bags from the command line.

Heavy libraries are imported by the command that needs them, so that ``--help`` answers at once.
Exit status 2 and one line on standard error mean bad input.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imu_emg_estimator import __version__
from imu_emg_estimator.cli import calibrations as cli_calibrations
from imu_emg_estimator.datasets.catalogue import DATASETS, WITHOUT_RIG, dataset_rig, list_subjects, load_dataset
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.guide.movements import SECONDS
from imu_emg_estimator.utils.progress import Progress, ProgressBar
from imu_emg_estimator.utils.shipped_files import calibration_directory, shipped_bundle

if TYPE_CHECKING:
    from imu_emg_estimator.bags import TopicMapping
    from imu_emg_estimator.calibration.calibration_bags import BagReading
    from imu_emg_estimator.model.bundle import Bundle
    from imu_emg_estimator.recording import Recording
    from imu_emg_estimator.rig import Rig
    from imu_emg_estimator.signals.grid_alignment import AlignmentSettings

PROTOCOLS = ("streaming", "gait-cycle", "adaptation", "ablation", "uncertainty", "ill-posedness", "calibration")
RUN_FOLDER, REPORT_FOLDER = Path("benchmarks/accuracy/run"), Path("benchmarks/accuracy")
BAD_INPUT = 2
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    argv = list(sys.argv[1:] if argv is None else argv)
    arguments, rest = _parser().parse_known_args(argv)
    if rest and arguments.command not in ("replay", "record"):
        _parser().error(f"unrecognized arguments: {' '.join(rest)}")
    arguments.rest = argv[1:]
    try:
        _check_places(arguments)
        status: int = arguments.run(arguments)
        sys.stdout.flush()  # here, where it is known what a broken pipe means
        return status
    except InputError as error:
        print(f"imu-emg {arguments.command}: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="imu-emg", description="Muscle activation from body-worn IMUs: train, score, calibrate, bags."
    )
    parser.add_argument("--version", action="version", version=f"imu-emg {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in (
        _add_train,
        _add_evaluate,
        _add_benchmark,
        _add_calibrate,
        cli_calibrations.add_parser,
        _add_bag,
        _add_simulate,
        _add_replay,
        _add_record,
        _add_export,
        _add_bench,
        _add_inspect,
    ):
        add(commands)
    return parser


def _add_train(commands: Any) -> None:
    parser = commands.add_parser("train", help="pre-train a bundle on many subjects")
    _data_options(parser)
    parser.add_argument("--out", type=Path, required=True, help="bundle to write (.safetensors)")
    parser.add_argument("--name", help="name of the model (default: the data set's)")
    parser.add_argument("--leave-out", type=_names, default=[], metavar="A,B", help="subjects not to train on")
    parser.add_argument("--steps", type=_positive, help="optimiser steps (default: the recipe's)")
    parser.add_argument("--seed", type=_whole, default=0, help="of every random choice")
    _gyroscopes_option(parser)
    _threads_option(parser)
    parser.add_argument(
        "--interval-folds", type=_whole, default=3, metavar="N",
        help="networks trained to find how far off estimates of unseen subjects are (default: 3; 0 = not found)",
    )  # fmt: skip
    parser.add_argument(
        "--scores", type=Path, help="JSON of `benchmark` or `evaluate --folds`, whose means the bundle will carry"
    )
    parser.set_defaults(run=_train)


def _train(arguments: argparse.Namespace) -> int:
    from dataclasses import replace

    import torch

    from imu_emg_estimator.training.interval_folds import check_folds, with_uncertainty
    from imu_emg_estimator.training.recipe import RECIPE, train_bundle

    torch.set_num_threads(arguments.threads)
    settings = replace(RECIPE, seed=arguments.seed)
    if arguments.steps:
        settings = replace(settings, steps=arguments.steps)
    scores = _read_scores(arguments.scores) if arguments.scores else {}
    recordings = _load(arguments, arguments.subjects)
    if unknown := sorted(set(arguments.leave_out) - {recording.subject for recording in recordings}):
        raise InputError(f"{arguments.data} has no subject {unknown[0]} to leave out; correct --leave-out")
    recordings = [recording for recording in recordings if recording.subject not in arguments.leave_out]
    recordings = _chosen_channels(arguments, recordings)
    if arguments.interval_folds:
        check_folds(recordings, arguments.interval_folds)
    bundle = train_bundle(
        recordings,
        arguments.name or arguments.dataset,
        arguments.dataset,
        settings,
        progress=ProgressBar("training"),
    )
    if arguments.interval_folds:
        folds = arguments.interval_folds
        bundle = with_uncertainty(
            bundle, recordings, folds, settings, lambda fold: ProgressBar(f"intervals {fold}/{folds}")
        )
    bundle = replace(bundle, scores=scores)
    bundle.save(arguments.out)
    print(f"wrote {arguments.out}: {bundle.model_id}, trained on {len(bundle.training['subjects'])} subjects")
    return 0


def _read_scores(path: Path) -> dict[str, Any]:
    from benchmarks.accuracy.accuracy_summary import scores_of

    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        if "streaming" in report:
            return scores_of(report)
        return {key: report[key] for key in ("protocol", "look_ahead_s", "mean")}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration):
        raise InputError(
            f"scores {path} is not a JSON of `imu-emg benchmark` or `imu-emg evaluate --folds`; make it first"
        ) from None


def _add_evaluate(commands: Any) -> None:
    parser = commands.add_parser(
        "evaluate", help="score subjects that the model never saw, with and without calibration"
    )
    _bundle_option(parser)
    _data_options(parser)
    parser.add_argument(
        "--calibration-seconds", type=_seconds_list, default=[0.0], metavar="0,30,60",
        help="amounts of calibration data to compare [s of locomotion] (default: 0)",
    )  # fmt: skip
    parser.add_argument(
        "--folds", type=_positive, help="retrain the recipe on leave-subjects-out folds and score those"
    )
    _gyroscopes_option(parser)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="with --folds: keep the bundle of every fold here")
    parser.add_argument("--workers", type=_positive, default=os.cpu_count() or 1, help="processes side by side")
    parser.add_argument(
        "--picture", type=Path, metavar="PNG", help="estimate beside measured envelope, of the median subject"
    )
    _json_option(parser)
    parser.set_defaults(run=_evaluate)


def _evaluate(arguments: argparse.Namespace) -> int:
    from imu_emg_estimator.model.bundle import Bundle
    from imu_emg_estimator.training import evaluation as evaluate
    from imu_emg_estimator.training import tables_and_pictures as report

    progress = ProgressBar("folds" if arguments.folds else "subjects")
    seconds = arguments.calibration_seconds
    if arguments.folds:
        recordings = _chosen_channels(arguments, _load(arguments, arguments.subjects))
        scores, bundles = evaluate.evaluate_folds(
            recordings,
            arguments.folds,
            arguments.dataset,
            seconds,
            workers=arguments.workers,
            progress=progress,
        )
        if arguments.keep:
            for bundle in bundles:
                bundle.save(arguments.keep / f"{bundle.name}.safetensors")
        protocol = f"{arguments.folds} leave-subjects-out folds of {arguments.dataset}, recipe retrained for each"
    else:
        bundle = Bundle.load(arguments.bundle or shipped_bundle())
        recordings = _load_unseen(arguments, bundle)
        bundles = [bundle]
        scores = evaluate.evaluate_bundle(bundle, recordings, seconds, workers=arguments.workers, progress=progress)
        protocol = f"bundle {bundle.model_id} on unseen subjects of {arguments.dataset}"
    if not scores:
        raise InputError("no subject has trusted EMG and enough locomotion to score; name others or calibrate on less")
    summary: dict[str, Any] = {"protocol": protocol, "look_ahead_s": bundles[0].config.look_ahead / bundles[0].rig.rate}
    summary |= evaluate.summarise(scores)
    # Too little locomotion for the longest calibration, or no trusted EMG.
    summary["not_scored"] = sorted({recording.subject for recording in recordings} - set(scores))
    print(report.scores_table(summary))
    if summary["not_scored"]:
        print(f"\nnot scored (too little locomotion, or no trusted EMG): {', '.join(summary['not_scored'])}")
    _write_json(arguments.json, summary)
    if arguments.picture:
        report.picture_of_median_subject(arguments.picture, bundles, recordings, scores)
        print(f"wrote {arguments.picture}")
    return 0


def _load_unseen(arguments: argparse.Namespace, bundle: Bundle) -> list[Recording]:
    from imu_emg_estimator.training.evaluation import check_unseen, trained_subjects

    trained = trained_subjects(bundle, arguments.dataset)
    present = list_subjects(arguments.dataset, arguments.data, arguments.rig)
    names = arguments.subjects or [name for name in present if name not in trained]
    if not names:
        raise InputError(
            f"bundle {bundle.model_id} was trained on every subject in {arguments.data}; "
            "give other data, or use --folds to retrain without some of them"
        )
    check_unseen(bundle, arguments.dataset, names)
    _check_rig(bundle, dataset_rig(arguments.dataset, arguments.rig))
    return _load(arguments, names)


def _check_rig(bundle: Bundle, rig: Rig) -> None:
    """A bundle reads the sensors and gives the muscles that it was trained with, in their order and at their rate."""
    for what in ("sensor_names", "muscle_names", "rate"):
        ours, theirs = getattr(bundle.rig, what), getattr(rig, what)
        if ours != theirs:
            raise InputError(
                f"bundle {bundle.model_id} is for rig '{bundle.rig.name}' with {what} {ours}, "
                f"the data for rig '{rig.name}' with {theirs}; give a bundle of that rig, or --folds to train some"
            )


def _add_benchmark(commands: Any) -> None:
    parser = commands.add_parser(
        "benchmark", help="compare models on subjects that they were not trained on; goes on where it was stopped"
    )
    _data_options(parser, required=False)
    parser.add_argument("--protocol", choices=PROTOCOLS, default=PROTOCOLS[0], help="what is run (default: streaming)")
    parser.add_argument("--models", type=_names, metavar="A,B", help="models or ablations (default: the protocol's)")
    parser.add_argument("--methods", type=_names, metavar="A,B", help="of the adaptation protocol (default: all)")
    parser.add_argument(
        "--meta", type=_names, metavar="A,B", help="meta-learning stages of the adaptation protocol, or 'none'"
    )
    parser.add_argument(
        "--folds", type=_folds, default="5", help="subject-disjoint folds, or 'subjects' to leave out one at a time"
    )
    parser.add_argument("--seeds", type=_positive, default=1, help="trainings of every model and fold (default: 1)")
    parser.add_argument("--steps", type=_positive, help="optimiser steps of every training (default: the recipe's)")
    parser.add_argument("--tune", action="store_true", help="choose hyperparameters on other subjects first")
    _gyroscopes_option(parser)
    parser.add_argument(
        "--calibration-seconds", type=_seconds_list, metavar="0,30,60", help="amounts of calibration [s of locomotion]"
    )
    parser.add_argument("--workers", type=_positive, default=os.cpu_count() or 1, help="jobs side by side")
    parser.add_argument("--backend", choices=("loky", "ray", "dask"), default="loky", help="of joblib (default: loky)")
    parser.add_argument("--cluster", metavar="ADDRESS", help="of a Ray or Dask cluster (default: start a local one)")
    parser.add_argument("--run", type=Path, dest="run_folder", default=RUN_FOLDER, metavar="DIR", help="holds all jobs")
    parser.add_argument("--out", type=Path, dest="report_folder", default=REPORT_FOLDER, metavar="DIR", help="report")
    parser.add_argument("--report", action="store_true", help="run nothing: write the report of what is done")
    _json_option(parser)
    parser.set_defaults(run=_benchmark)


def _benchmark(arguments: argparse.Namespace) -> int:
    from benchmarks.accuracy.accuracy_report import markdown, write_report

    if not arguments.report:
        _run_benchmark(arguments)
    results = write_report(arguments.run_folder, arguments.report_folder)
    print(markdown(results))
    print(f"wrote {arguments.report_folder}")
    _write_json(arguments.json, results)
    return 0


def _run_benchmark(arguments: argparse.Namespace) -> None:
    from benchmarks.accuracy.jobs import RunFolder, fingerprint
    from benchmarks.accuracy.protocol_run import Means, run_protocol
    from benchmarks.accuracy.protocols import make_plan

    if arguments.data is None:
        raise InputError("no --data was given; name the folder of the data set, or --report what is done")
    recordings = _load(arguments, arguments.subjects)
    plan = make_plan(
        arguments.protocol,
        recordings,
        folds=arguments.folds,
        models=arguments.models,
        methods=arguments.methods,
        seeds=arguments.seeds,
        steps=arguments.steps,
        seconds=arguments.calibration_seconds,
        tune=arguments.tune,
        gyroscopes=not arguments.without_gyroscopes,
        meta=[] if arguments.meta == ["none"] else arguments.meta,
    )
    run_protocol(
        arguments.protocol,
        plan,
        recordings,
        RunFolder(arguments.run_folder, fingerprint(recordings)),
        arguments.dataset,
        Means(arguments.workers, arguments.backend, arguments.cluster),
        progress=ProgressBar,
    )


def _add_calibrate(commands: Any) -> None:
    parser = commands.add_parser("calibrate", help="adapt a bundle to one subject from a bag, as the service does")
    _bundle_option(parser)
    parser.add_argument(
        "--bag", type=Path, nargs="+",
        help="rosbag2 folder, .mcap or .db3 with Imu topics and EMG; several, of other days or loads, count together",
    )  # fmt: skip
    _guide_options(parser)
    parser.add_argument("--out", type=Path, help="bundle to write if it is better (.safetensors)")
    parser.add_argument(
        "--store", type=Path, nargs="?", const=calibration_directory(), metavar="DIR",
        help="keep it for the next start, if it is better, in this directory (without DIR: where the node looks)",
    )  # fmt: skip
    parser.add_argument("--subject", default="subject", help="name of the subject (default: subject)")
    parser.add_argument(
        "--running", type=Path, help="bundle in use that must be bettered (default: with --store what is in use, "
        "else --bundle)",
    )  # fmt: skip
    parser.add_argument("--method", default="", help="adaptation method (default: the package's)")
    parser.add_argument("--imu-topics", type=_names, metavar="A,B", help="Imu topics in the order of the rig")
    _emg_options(parser)
    _reading_options(parser)
    parser.add_argument(
        "--sensor-rotations", type=_numbers, default=[0.0, 0.0, 0.0, 1.0], metavar="X,Y,Z,W",
        help="quaternions from each IMU's axes to the rig's: one for every sensor, or one for all",
    )  # fmt: skip
    _threads_option(parser)
    parser.add_argument(
        "--progress", type=Path, metavar="FILE",
        help="append how far it is, a JSON object a line; /dev/stdout for a program that waits for it",
    )  # fmt: skip
    _json_option(parser)
    parser.set_defaults(run=_calibrate)


def _guide_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--guide", action="store_true",
        help="lead through it with live sensors: check, record, calibrate, judge, keep; with --bag from there on",
    )  # fmt: skip
    parser.add_argument("--yes", action="store_true", help="with --guide: answer every question as Enter does")
    parser.add_argument(
        "--seconds", type=_positive_number, default=SECONDS,
        help=f"with --guide: length of the recording (default: {SECONDS:g})",
    )  # fmt: skip
    parser.add_argument("--recordings", type=Path, metavar="DIR", help="with --guide: folder for the recordings")


def _emg_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--emg-topic", help="topic of the EMG (default: found by its type, its name and its muscles)")
    parser.add_argument(
        "--emg-channels", type=_names, metavar="A,B",
        help="muscle of every channel in their order, 'none' for none of the rig's; or CHANNEL=MUSCLE pairs",
    )  # fmt: skip
    parser.add_argument(
        "--emg-kind", choices=("raw", "envelope"), help="of EMG that does not say so (default: told by its frequencies)"
    )
    parser.add_argument(
        "--emg-field", choices=("effort", "position", "velocity"), help="of JointState messages that carry EMG"
    )
    parser.add_argument("--emg-rate", type=_positive_number, metavar="HZ", help="of EMG that does not say so")
    parser.add_argument(
        "--emg-delay", type=_number, metavar="S",
        help="s by which the EMG is late (default: found from the movement, corrected where it is clear)",
    )  # fmt: skip


def _reading_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--bags-within", type=_names, metavar="DIR,DIR", help="refuse a bag that lies elsewhere, or links there"
    )
    for name, what in (
        ("largest-gap", "samples further apart are not interpolated between"),
        ("deadline", "how long a late sensor is waited for"),
        ("sensor-timeout", "how long a sensor may be silent before it is not waited for"),
        ("clock-jump", "timestamps further apart are a jump of the clock"),
    ):
        parser.add_argument(f"--{name}", type=_not_negative, metavar="S", help=f"s; {what}, as the node's parameter")


def _calibrate(arguments: argparse.Namespace) -> int:
    try:
        return _calibrate_guided(arguments) if arguments.guide else _calibrate_bag(arguments)
    except InputError as error:
        failure = {"success": False, "error": type(error).__name__, "message": str(error)}
        _write_json(arguments.json, failure)
        raise


def _calibrate_guided(arguments: argparse.Namespace) -> int:
    with _needs_ros("--guide"):
        from imu_emg_estimator.ros import live_guide as guide
    guide.check(arguments)
    return guide.run(arguments, lambda: _reading(arguments), lambda report: _write_json(arguments.json, report))


def _calibrate_bag(arguments: argparse.Namespace) -> int:
    from imu_emg_estimator.bags import check_bag
    from imu_emg_estimator.bags.allowed_paths import within
    from imu_emg_estimator.calibration.calibration_store import check_subject
    from imu_emg_estimator.model.bundle import Bundle

    if arguments.bag is None:
        raise InputError("no --bag was given; name a recording, or let --guide make one")
    if arguments.out is None and arguments.store is None:
        raise InputError("neither --out nor --store was given; name a bundle to write, or keep it with --store")
    check_subject(arguments.subject)
    base = Bundle.load(arguments.bundle or shipped_bundle())
    running = _running(arguments, base)
    check = within([Path(folder) for folder in arguments.bags_within]) if arguments.bags_within else None
    for bag in arguments.bag:
        check_bag(bag, check=check)  # a wrong path is answered before torch is there, which takes seconds

    import torch

    from imu_emg_estimator.calibration.adaptation import check_method
    from imu_emg_estimator.calibration.calibration_bags import calibrate_on_bags
    from imu_emg_estimator.training.tables_and_pictures import calibration_table

    torch.set_num_threads(arguments.threads)
    check_method(arguments.method)
    reading = _reading(arguments)
    with _progress(arguments.progress) as told:
        result, bags = calibrate_on_bags(
            base, arguments.bag, arguments.subject, running, progress=told, reading=reading
        )
    for bag in bags:
        for note in bag.notes:
            print(f"{bag.recording.name}: {note}", file=sys.stderr)
    report = result.to_dict() | {"bags": [bag.to_dict() for bag in bags]}
    print(calibration_table(report))
    print(result.message)
    if result.bundle:
        _keep(result.bundle, arguments)
    _write_json(arguments.json, report)
    return 0 if result.bundle else 1


@contextmanager
def _progress(file: Path | None) -> Iterator[Callable[[Progress], None]]:
    """Told of progress, this shows a bar, and writes a line to the file."""
    bar = ProgressBar("calibration")
    if file is None:
        yield bar.tell
        return
    try:
        stream = file.open("a", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{file} cannot be written ({error.strerror}); give another place") from None
    with stream:

        def tell(progress: Progress) -> None:
            bar.tell(progress)
            print(json.dumps(progress.to_dict()), file=stream, flush=True)

        yield tell


def _running(arguments: argparse.Namespace, base: Bundle) -> Bundle:
    """The bundle that a calibration must better."""
    from imu_emg_estimator.calibration.calibration_store import current_calibration

    if arguments.running:
        return type(base).load(arguments.running)
    if arguments.store is None:
        return base
    current, remarks = current_calibration(arguments.store, arguments.subject, base)
    for remark in remarks:
        print(remark, file=sys.stderr)
    return current or base


def _keep(bundle: Bundle, arguments: argparse.Namespace) -> None:
    if arguments.out:
        bundle.save(arguments.out)
    if arguments.store:
        from imu_emg_estimator.calibration.calibration_store import store_calibration

        path = store_calibration(arguments.store, bundle)
        print(f"stored as {path}: subject '{arguments.subject}' starts with it from now on")


def _reading(arguments: argparse.Namespace) -> BagReading:
    from imu_emg_estimator.bags.allowed_paths import within
    from imu_emg_estimator.calibration.calibration_bags import BagReading

    check = within([Path(folder) for folder in arguments.bags_within]) if arguments.bags_within else None
    return BagReading(
        _mapping(arguments), _alignment(arguments), arguments.sensor_rotations, arguments.emg_delay, check
    )


def _mapping(arguments: argparse.Namespace) -> TopicMapping:
    from imu_emg_estimator.bags import TopicMapping

    return TopicMapping(
        imu_topics=arguments.imu_topics,
        emg_topic=arguments.emg_topic,
        emg_channels=arguments.emg_channels,
        emg_kind=arguments.emg_kind,
        emg_field=arguments.emg_field,
        emg_rate=arguments.emg_rate,
    )


def _alignment(arguments: argparse.Namespace) -> AlignmentSettings:
    """The node's alignment, so that the bag is read as the node saw it."""
    from imu_emg_estimator.signals.grid_alignment import AlignmentSettings

    given = {
        "largest_gap": arguments.largest_gap,
        "deadline": arguments.deadline,
        "timeout": arguments.sensor_timeout,
        "jump": arguments.clock_jump,
    }
    return AlignmentSettings(**{name: value for name, value in given.items() if value is not None})


def _add_bag(commands: Any) -> None:
    parser = commands.add_parser("bag", help="write real recordings as rosbag2 with Imu and Emg topics")
    _data_options(parser)
    parser.add_argument("--recording", help="name of the recording (default: the subject's longest in locomotion)")
    parser.add_argument("--list", action="store_true", help="list the recordings of the subjects instead")
    parser.add_argument("--storage", choices=("mcap", "sqlite3"), default="mcap", help="storage format")
    parser.add_argument("--out", type=Path, help="folder to make")
    parser.set_defaults(run=_bag)


def _bag(arguments: argparse.Namespace) -> int:
    from imu_emg_estimator.bags import write_bag

    if not arguments.list and arguments.out is None:
        raise InputError("no --out was given; name the folder to make, or use --list")
    recordings = _load(arguments, arguments.subjects)
    if arguments.list:
        for recording in recordings:
            locomotion = recording.is_locomotion().mean()
            print(f"{recording.name}  {recording.duration:7.1f} s, {locomotion:4.0%} locomotion")
        return 0
    if arguments.recording:
        chosen = [recording for recording in recordings if recording.name == arguments.recording]
        if not chosen:
            raise InputError(f"{arguments.data} has no recording '{arguments.recording}'; see imu-emg bag --list")
        recording = chosen[0]
    else:
        recording = max(recordings, key=lambda recording: recording.is_locomotion().sum())
    write_bag(recording, arguments.out, arguments.storage)
    print(f"wrote {arguments.out}: {recording.name}, {recording.duration:.1f} s, {arguments.storage}")
    return 0


def _add_simulate(commands: Any) -> None:
    parser = commands.add_parser("simulate", help="write a bag of a simulated subject")
    parser.add_argument("--out", type=Path, help="folder to make")
    parser.add_argument("--seconds", type=_positive_number, default=120.0, help="length [s]")
    parser.add_argument("--seed", type=_whole, default=0, help="which simulated subject")
    parser.add_argument("--storage", choices=("mcap", "sqlite3"), default="mcap", help="storage format")
    parser.add_argument(
        "--derive", type=Path, metavar="DIR",
        help="instead: measure stride averages and variations on the HuGaDB in DIR and write them to --out (JSON)",
    )  # fmt: skip
    parser.set_defaults(run=_simulate)


def _simulate(arguments: argparse.Namespace) -> int:
    from imu_emg_estimator.bags import write_bag
    from imu_emg_estimator.datasets import hugadb, stride_statistics
    from imu_emg_estimator.datasets import simulated_subject as simulator
    from imu_emg_estimator.utils.atomic_files import write_atomically

    if arguments.out is None:
        raise InputError("no --out was given; name what to write")
    if arguments.derive:
        recordings = hugadb.load(arguments.derive, workers=os.cpu_count() or 1)
        statistics = stride_statistics.derive_stride_statistics(recordings)
        write_atomically(arguments.out, (json.dumps(statistics, separators=(",", ":")) + "\n").encode())
        print(f"wrote {arguments.out}: stride averages and variations of {len(statistics['subjects'])} subjects")
        return 0
    recording = simulator.simulate(stride_statistics.shipped_statistics(), arguments.seconds, arguments.seed)
    write_bag(recording, arguments.out, arguments.storage)
    print(f"wrote {arguments.out}: SIMULATED subject {arguments.seed}, {recording.duration:.1f} s")
    return 0


def _add_replay(commands: Any) -> None:
    # Its arguments are declared beside it, where ROS is: here they are only handed on.
    parser = commands.add_parser(
        "replay", help="publish a bag's Imu and Emg topics (where `ros2 bag play` is missing)", add_help=False
    )
    parser.set_defaults(run=_replay)


@contextmanager
def _needs_ros(command: str) -> Iterator[None]:
    """Around imports from ``imu_emg_estimator.ros``."""
    try:
        yield
    except ImportError:
        raise InputError(f"{command} needs ROS 2; source scripts/env.sh or your ROS 2 workspace first") from None


def _replay(arguments: argparse.Namespace) -> int:
    with _needs_ros("replay"):
        from imu_emg_estimator.ros import bag_player as replay
    return replay.main(arguments.rest)


def _add_record(commands: Any) -> None:
    parser = commands.add_parser(
        "record", help="record Imu and EMG topics to a bag (where `ros2 bag record` is missing)", add_help=False
    )
    parser.set_defaults(run=_record)


def _record(arguments: argparse.Namespace) -> int:
    with _needs_ros("record"):
        from imu_emg_estimator.ros import bag_recorder as recorder
    return recorder.main(arguments.rest)


def _add_export(commands: Any) -> None:
    parser = commands.add_parser("export", help="write a bundle as ONNX: raw IMU rows in, activation out, for C++")
    _bundle_option(parser)
    parser.add_argument("--out", type=Path, required=True, help="file to write (.onnx)")
    _json_option(parser)
    parser.set_defaults(run=_export)


def _export(arguments: argparse.Namespace) -> int:
    from dataclasses import asdict

    from imu_emg_estimator.model.bundle import Bundle
    from imu_emg_estimator.streaming.checked_export import export_bundle

    written = export_bundle(Bundle.load(arguments.bundle or shipped_bundle()), arguments.out)
    print(
        f"wrote {arguments.out}: {written.model_id}, {written.size / 1e6:.1f} MB; "
        f"off by {written.largest_difference:.1e} at most on {written.rows} rows"
    )
    _write_json(arguments.json, asdict(written))
    return 0


def _add_bench(commands: Any) -> None:
    from benchmarks.latency import latency_options as options

    parser = commands.add_parser("bench", help="real-time benchmark beside a plain node; goes on where it was stopped")
    options.add_arguments(parser)
    parser.set_defaults(run=_bench)


def _bench(arguments: argparse.Namespace) -> int:
    from benchmarks.latency import latency_command as command

    return command.run(arguments)


def _add_inspect(commands: Any) -> None:
    parser = commands.add_parser("inspect", help="say what is in a bundle")
    parser.add_argument("bundle", type=Path, nargs="?", default=None, help="bundle (default: the shipped one)")
    parser.add_argument("--card", type=_markdown_file, metavar="FILE.md", help="write its model card, too")
    _json_option(parser)
    parser.set_defaults(run=_inspect)


def _inspect(arguments: argparse.Namespace) -> int:
    from imu_emg_estimator.model.bundle import Bundle

    bundle = Bundle.load(arguments.bundle or shipped_bundle())
    description = bundle.describe()
    for key, value in description.items():
        print(f"{key}: {value}")
    if arguments.card:
        from imu_emg_estimator.training.tables_and_pictures import model_card
        from imu_emg_estimator.utils.atomic_files import write_atomically

        write_atomically(arguments.card, model_card(bundle).encode())
    _write_json(arguments.json, description)
    return 0


def _load(arguments: argparse.Namespace, subjects: Sequence[str] | None) -> list[Recording]:
    print(f"reading {arguments.dataset} from {arguments.data} ...", file=sys.stderr)
    workers = os.cpu_count() or 1
    return load_dataset(arguments.dataset, arguments.data, subjects or None, arguments.rig, workers)


def _data_options(parser: argparse.ArgumentParser, required: bool = True) -> None:
    parser.add_argument("--dataset", choices=DATASETS, default="hugadb", help="form of the data (default: hugadb)")
    parser.add_argument("--data", type=Path, required=required, help="folder that holds the data set")
    parser.add_argument("--rig", type=Path, metavar="FILE", help=f"rig YAML, for {' and '.join(WITHOUT_RIG)}")
    parser.add_argument("--subjects", type=_names, metavar="A,B", help="only these subjects")


def _bundle_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bundle", type=Path, default=None, help="bundle (default: the shipped one)")


def _gyroscopes_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--without-gyroscopes", action="store_true", help="train on accelerometers alone, as is best on HuGaDB"
    )


def _chosen_channels(arguments: argparse.Namespace, recordings: list[Recording]) -> list[Recording]:
    """The recordings as they are to be trained on."""
    if not arguments.without_gyroscopes:
        return recordings
    return [recording.without_gyroscopes() for recording in recordings]


def _threads_option(parser: argparse.ArgumentParser) -> None:
    # Networks of this size gain little from a second thread, and lose much where its core is busy.
    parser.add_argument("--threads", type=_positive, default=1, help="threads of the training (default: 1)")


def _json_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON, too")


def _check_places(arguments: argparse.Namespace) -> None:
    """Refuse a file that cannot be written before hours of work, not after."""
    for name in ("out", "json", "picture", "card", "store"):
        path: Path | None = getattr(arguments, name, None)
        if path is None:
            continue
        if path.is_dir() and name != "store":
            raise InputError(f"{path} is a folder that exists already; give another name")
        parents = path.absolute().parents if name != "store" else [path.absolute(), *path.absolute().parents]
        folder = next(parent for parent in parents if parent.exists())
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            raise InputError(f"{path} cannot be written: {folder} is no folder to write in; give another place")


def _write_json(path: Path | None, content: dict[str, Any]) -> None:
    if path is None:
        return
    from imu_emg_estimator.utils.atomic_files import write_atomically
    from imu_emg_estimator.utils.json_values import to_json

    write_atomically(path, to_json(content))


def _markdown_file(text: str) -> Path:
    # `inspect --card BUNDLE` must not replace the bundle that was meant to be inspected.
    if Path(text).suffix != ".md":
        raise argparse.ArgumentTypeError(f"'{text}' is no Markdown file; give a name that ends in .md")
    return Path(text)


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise argparse.ArgumentTypeError("no name was given")
    return names


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a list of numbers such as 0,0,0,1") from None


def _seconds_list(text: str) -> list[float]:
    try:
        seconds = [float(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a list of seconds such as 0,30,60") from None
    if not all(0 <= value <= 3600 for value in seconds):
        raise argparse.ArgumentTypeError(f"'{text}' has an amount outside 0 to 3600 s")
    return sorted(set(seconds))


def _folds(text: str) -> str:
    if text != "subjects" and not (text.isdecimal() and 2 <= int(text) <= 1000):
        raise argparse.ArgumentTypeError(f"'{text}' is neither a number of folds from 2 on nor 'subjects'")
    return text


def _whole(text: str) -> int:
    if not text.isdecimal() or int(text) >= 1 << 32:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 0 to 2^32 - 1")
    return int(text)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' is not a positive whole number")
    return int(text)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number")
    return value


def _not_negative(text: str) -> float:
    value = _number(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"'{text}' is negative")
    return value


def _positive_number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"'{text}' is not a positive number")
    return value
