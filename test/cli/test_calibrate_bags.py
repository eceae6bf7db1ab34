"""`imu-emg calibrate`: the options on bags and EMG reach the reader."""

import json
from pathlib import Path

import numpy as np
import pytest
from fixtures.bag_forms import FORMS, Signal, array_entries, imu_entries, in_order, write_form
from fixtures.factories import RecordingFactory

from imu_emg_estimator.bags import write_bag
from imu_emg_estimator.bags.bag_files import hash_of
from imu_emg_estimator.cli.main import main
from imu_emg_estimator.datasets.hugadb import RIG
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.signals.emg_delay import shift_emg


@pytest.fixture(scope="module")
def bundle_path(tmp_path_factory: pytest.TempPathFactory, trained_bundle: Bundle) -> Path:
    path = tmp_path_factory.mktemp("bundles") / "trained.safetensors"
    trained_bundle.save(path)
    return path


def calibrate(*arguments: object) -> int:
    return main(["calibrate", *map(str, arguments)])


@pytest.mark.slow
def test_calibrate_maps_emg_channels_and_corrects_their_delay(
    tmp_path: Path, make_recording: RecordingFactory, bundle_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    recording = shift_emg(make_recording([("walking", 40.0)], seed=20), -0.2)
    channels = np.column_stack([np.zeros(len(recording)), np.nan_to_num(recording.envelope[:, ::-1])])
    entries = array_entries(Signal(channels, RIG.rate, (), True), 64, named=False, topic="/amplifier/data")
    bag = write_form(tmp_path / "bag", in_order(imu_entries(recording), entries), FORMS["sqlite3-zstd-message"])
    report = tmp_path / "report.json"
    status = calibrate(
        "--bundle", bundle_path, "--bag", bag, "--out", tmp_path / "out", "--json", report,
        "--emg-topic", "/amplifier/data", "--emg-channels", f"none,{RIG.muscle_names[1]},{RIG.muscle_names[0]}",
        "--emg-kind", "envelope", "--bags-within", tmp_path, "--largest-gap", "0.2", "--deadline", "0",
        "--emg-delay", "auto",
    )  # fmt: skip
    figures = json.loads(report.read_text())
    assert status in (0, 1)
    assert figures["bags"][0]["emg"]["channels"] == {RIG.muscle_names[0]: "2", RIG.muscle_names[1]: "1"}
    assert figures["bags"][0]["emg_delay"]["corrected"]
    assert figures["bags"][0]["emg_delay"]["seconds"] == pytest.approx(0.2, abs=0.08)
    errors = capfd.readouterr().err
    assert "bag: /amplifier/data has no timestamps" in errors
    assert "behind the movement" in errors


@pytest.mark.slow
def test_calibrate_takes_a_given_delay(tmp_path: Path, make_recording: RecordingFactory, bundle_path: Path) -> None:
    write_bag(make_recording([("walking", 40.0)], seed=20), tmp_path / "bag")
    report = tmp_path / "report.json"
    calibrate(
        "--bundle", bundle_path, "--bag", tmp_path / "bag", "--out", tmp_path / "out", "--json", report,
        "--emg-delay", "-0.03",
    )  # fmt: skip
    figures = json.loads(report.read_text())
    assert figures["bags"][0]["emg_delay"]["seconds"] == -0.03
    assert "; EMG delay -0.03 s (given)" in figures["message"]


@pytest.mark.slow
def test_calibrate_does_not_adopt_a_clear_delay_that_nobody_asked_for(
    tmp_path: Path, make_recording: RecordingFactory, bundle_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither by shifting the EMG nor by learning to be late."""
    write_bag(shift_emg(make_recording([("walking", 40.0)], seed=20), -0.2), tmp_path / "bag")
    report = tmp_path / "report.json"
    given = ("--bundle", bundle_path, "--bag", tmp_path / "bag", "--out", tmp_path / "out", "--json", report)
    assert calibrate(*given) == 1
    figures = json.loads(report.read_text())
    assert not figures["bags"][0]["emg_delay"]["corrected"]
    assert figures["quality"]["left_out"] == list(RIG.muscle_names)
    said = capfd.readouterr().out
    assert "behind the movement" in said
    assert "calibrate with emg-delay 0.2" in said
    assert calibrate(*given, "--emg-delay", "0") in (0, 1)
    assert "refused" not in capfd.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--emg-topic", "/nothing"], "no imu_emg_estimator/msg/Emg messages on /nothing"),
        (["--emg-channels", "biceps,triceps"], "has no muscle 'biceps'; its muscles are vastus"),
        (["--emg-channels", RIG.muscle_names[0]], "EMG of 2 channels, 1 are named"),
        (["--emg-channels", f"emg1={RIG.muscle_names[0]}"], "has no EMG channel 'emg1'; its channels are vastus"),
        (["--bags-within", "/usr/share"], "lies outside the directories that bags are read from (/usr/share)"),
        (["--deadline", "1e308"], "alignment setting 'deadline' is 1e+308 s; choose a value from 0 to"),
        (["--bags-within", "/nowhere"], "directory /nowhere, which bags may be read from, does not exist"),
    ],
)
def test_calibrate_refuses_options_that_do_not_fit_the_bag(
    options: list[str], message: str, tmp_path: Path, make_recording: RecordingFactory, bundle_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    write_bag(make_recording([("walking", 5.0)]), tmp_path / "bag")
    assert calibrate("--bundle", bundle_path, "--bag", tmp_path / "bag", "--out", tmp_path / "out", *options) == 2
    assert message in capfd.readouterr().err.replace("\n", " ")


@pytest.mark.parametrize(
    "options", [["--emg-kind", "loud"], ["--emg-rate", "-5"], ["--emg-delay", "soon"], ["--deadline", "-1"]]
)
def test_calibrate_refuses_malformed_options(options: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        calibrate("--bag", "x", "--out", "y", *options)
    assert caught.value.code == 2
    assert options[0] in capfd.readouterr().err


@pytest.mark.slow
def test_calibrate_uses_several_bags_together_and_writes_progress(
    tmp_path: Path, make_recording: RecordingFactory, bundle_path: Path
) -> None:
    bags = [tmp_path / "monday", tmp_path / "tuesday"]
    for seed, bag in enumerate(bags):
        write_bag(make_recording([("walking", 25.0)], seed=20 + seed, emg_delay=0.15), bag)
    out, report, progress = tmp_path / "out.safetensors", tmp_path / "report.json", tmp_path / "progress.jsonl"
    status = calibrate(
        "--bundle", bundle_path, "--bag", *bags, "--out", out, "--json", report, "--progress", progress,
        "--emg-delay", "0", "--subject", "anna",
    )  # fmt: skip
    assert status == 0
    figures = json.loads(report.read_text())
    assert [Path(bag["bag"]).name for bag in figures["bags"]] == ["monday", "tuesday"]
    assert figures["seconds"] == pytest.approx(50.0, abs=1.0)
    record = Bundle.load(out).calibration
    assert record is not None
    assert record.bag == "monday, tuesday"
    assert record.bag_hash == ", ".join(map(hash_of, bags))
    assert [delay["seconds"] for delay in record.figures["emg_delay"]] == [0.0, 0.0]
    reports = [json.loads(line) for line in progress.read_text().splitlines()]
    phases = ["reading", "checking", "judging", "adapting", "done"]
    assert list(dict.fromkeys(entry["phase"] for entry in reports)) == phases
    assert reports[-1]["fraction"] == 1.0


def test_calibrate_refuses_one_bag_outside_the_allowed_folders(
    tmp_path: Path, make_recording: RecordingFactory, bundle_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("inside", "outside"):
        write_bag(make_recording([("walking", 5.0)]), tmp_path / name / "bag")
    (tmp_path / "inside" / "link").symlink_to(tmp_path / "outside" / "bag")
    arguments = ("--bag", tmp_path / "inside" / "bag", tmp_path / "inside" / "link", "--out", tmp_path / "out")
    assert calibrate("--bundle", bundle_path, *arguments, "--bags-within", tmp_path / "inside") == 2
    assert "lies outside the directories" in capfd.readouterr().err
