"""``imu-emg calibrations compare``: set calibrations side by side, on their own bags or all on one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imu_emg_estimator.cli import shared_options as options
from imu_emg_estimator.cli import stored_calibrations as shared
from imu_emg_estimator.cli.stored_calibrations import BASE_MODEL, UNKNOWN, aligned, figure, mean_change
from imu_emg_estimator.cli.verdict_table import verdict_table
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.utils.progress import ProgressBar
from imu_emg_estimator.utils.shipped_files import shipped_bundles

if TYPE_CHECKING:
    from imu_emg_estimator.calibration.calibrate_bags import CalibrationBag
    from imu_emg_estimator.calibration.calibration_store import Stored
    from imu_emg_estimator.model.bundle import Bundle
    from imu_emg_estimator.signals.accuracy_metrics import Scores


def add_compare(actions: Any) -> None:
    """Add the action that compares calibrations."""
    parser = shared.add_action(
        actions, "compare", _compare, "set calibrations side by side, on one bag if you have one"
    )
    parser.add_argument("id", nargs="+", metavar="ID", help="calibrations to compare")
    shared.add_subject_option(parser)
    parser.add_argument("--bag", type=Path, help="score all of them and their base model on this bag")
    shared.add_model_option(parser, "with --bag: base model")
    options.add_topic_options(parser)
    options.add_emg_delay_option(parser, "none; one that is clear is told")


def _compare(arguments: argparse.Namespace) -> dict[str, Any]:
    entries = [shared.find_stored(arguments.directory, name, arguments.subject) for name in dict.fromkeys(arguments.id)]
    result: dict[str, Any] = {"calibrations": [shared.to_dict(entry) for entry in entries]}
    if arguments.bag:
        return result | {"on_bag": _compare_on_one_bag(arguments, entries)}
    rows = [("", *(entry.calibration.id for entry in entries))]
    rows += [(name, *(value(entry) for entry in entries)) for name, value in _facts(entries)]
    print(aligned(rows))
    print("\nEach was scored on its own bag; --bag BAG scores all of them on one, best a bag of another day.")
    return result


def _facts(entries: Sequence[Stored]) -> list[tuple[str, Callable[[Stored], str]]]:
    """Name what is compared, each with how it is shown; of the settings only those that differ."""
    return [
        ("in use", lambda entry: "yes" if entry.in_use else "no"),
        ("subject", lambda entry: entry.calibration.subject),
        ("made", lambda entry: entry.calibration.created),
        ("made from model", lambda entry: entry.parent_id),
        ("bag", lambda entry: entry.calibration.bag),
        ("SHA-256 of the bag", lambda entry: entry.calibration.bag_hash[:12] or UNKNOWN),
        ("adapted on", lambda entry: f"{entry.calibration.seconds:.1f} s"),
        ("r", lambda entry: mean_change(entry.calibration, "r")),
        ("R²", lambda entry: mean_change(entry.calibration, "r2")),
        ("nRMSE", lambda entry: mean_change(entry.calibration, "nrmse")),
        ("method", lambda entry: entry.calibration.method),
        *((name, _setting(name)) for name in _differing_settings(entries)),
        ("software", lambda entry: entry.calibration.software or UNKNOWN),
    ]


def _setting(name: str) -> Callable[[Stored], str]:
    return lambda entry: str(entry.calibration.settings.get(name, UNKNOWN))


def _differing_settings(entries: Sequence[Stored]) -> list[str]:
    settings = [entry.calibration.settings for entry in entries]
    names = dict.fromkeys(name for setting in settings for name in setting)
    return [name for name in names if name != "method" and len({repr(setting.get(name)) for setting in settings}) > 1]


def _compare_on_one_bag(arguments: argparse.Namespace, entries: Sequence[Stored]) -> dict[str, Any]:
    """Score the base model and the calibrations on a whole bag; return the figures by model and muscle."""
    from imu_emg_estimator.bags import open_bag
    from imu_emg_estimator.bags.bag_files import hash_of
    from imu_emg_estimator.model.bundle import Bundle

    base_path = arguments.bundle or _model_file(entries[0])
    base = Bundle.load(base_path)
    _check_base(base, entries)
    with open_bag(arguments.bag):
        pass  # a wrong path is refused before torch is imported, which takes seconds
    bag = _open(arguments, base, base_path)

    from imu_emg_estimator.calibration.calibrate_bags import stream_of
    from imu_emg_estimator.calibration.calibrate_recordings import judge
    from imu_emg_estimator.calibration.recording_quality import assess

    recording = bag.recording

    bag_hash = hash_of(arguments.bag, ProgressBar("hash of the bag [MiB]", patience=options.QUIET_S))
    figures = {BASE_MODEL: judge(base, recording)}
    figures |= {entry.calibration.id: judge(Bundle.load(entry.path), recording) for entry in entries}
    print(f"on all {recording.duration:.0f} s of {arguments.bag}:\n{_format(figures)}")
    seen = [entry.calibration.id for entry in entries if bag_hash in entry.calibration.bag_hash.split(", ")]
    for name in seen:
        print(f"{name} was adapted on part of this bag: its figures are optimistic")
    verdicts = assess(base, [recording], stream_of([bag])).verdicts()
    print(verdict_table(verdicts))
    return {"bag": str(arguments.bag), "bag_hash": bag_hash, "figures": figures, "seen": seen, "verdicts": verdicts}


def _model_file(entry: Stored) -> Path:
    """Find the bundle that a calibration was made from: where it lay then, or among those that the package ships."""
    from imu_emg_estimator.model.bundle import Bundle
    from imu_emg_estimator.model.calibration_record import MODEL_FILE

    recorded = entry.calibration.figures.get(MODEL_FILE)
    for path in [*([Path(recorded)] if recorded else []), *shipped_bundles()]:
        with suppress(InputError):  # it is not there any more, or another one by now
            if Bundle.load(path).model_id == entry.parent_id:
                return path
    where = f" any more at {recorded}" if recorded else " among the shipped bundles"
    raise InputError(
        f"model {entry.parent_id}, which calibration {entry.calibration.id} was made from, is not{where}; "
        "give it with --bundle"
    )


def _check_base(base: Bundle, entries: Sequence[Stored]) -> None:
    for entry in entries:
        if entry.parent_id != base.model_id:
            raise InputError(
                f"calibration {entry.calibration.id} was made from model {entry.parent_id}, not from {base.model_id}; "
                "compare calibrations of one model, and give it with --bundle"
            )


def _format(figures: Mapping[str, Mapping[str, Scores]]) -> str:
    """Format a row per model and muscle."""
    from imu_emg_estimator.signals.accuracy_metrics import FIGURES

    rows: list[tuple[str, ...]] = [("", "muscle", "r", "R²", "nRMSE")]
    for name, scores in figures.items():
        for muscle, judged in scores.items():
            rows.append((name, muscle, *(figure(getattr(judged, metric)) for metric in FIGURES)))
    return aligned(rows)


def _open(arguments: argparse.Namespace, base: Bundle, base_path: Path) -> CalibrationBag:
    """Read the bag as a calibration does."""
    from imu_emg_estimator.calibration.calibrate_bags import open_bags
    from imu_emg_estimator.calibration.request import CalibrationRequest

    request = CalibrationRequest(
        bundle=base_path,
        bags=(arguments.bag,),
        subject="",
        imu_topics=arguments.imu_topics,
        emg_topic=arguments.emg_topic,
        rotations=arguments.sensor_rotations,
        **options.emg_delay(arguments),
    )
    (bag,) = open_bags(base, request)
    for note in bag.notes:
        print(f"{bag.recording.name}: {note}", file=sys.stderr)
    return bag
