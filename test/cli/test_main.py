"""The command line: what it writes can be read by others, and bad input ends in one line and status 2."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures.factories import RecordingFactory

from imu_emg_estimator.bags import read_bag, write_bag
from imu_emg_estimator.cli.main import main
from imu_emg_estimator.datasets.hugadb import ACCELEROMETER_SCALE, CONDITIONS, GYROSCOPE_SCALE, RIG
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.network_config import ModelConfig
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.training import evaluation as evaluate
from imu_emg_estimator.training import recipe

COMMANDS = ("train", "evaluate", "calibrate", "calibrations", "bag", "simulate", "replay", "export", "inspect")
SUBJECTS = ("1", "2", "9")
PROGRESS = re.compile(r"^\w+ \[#*\.*\] ")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, make_recording: RecordingFactory) -> Path:
    """A folder in the form of HuGaDB v1: three subjects who stand, walk and run."""
    folder = tmp_path_factory.mktemp("hugadb")
    for seed, subject in enumerate(SUBJECTS):
        recording = make_recording([("standing", 3.0), ("walking", 20.0), ("running", 12.0)], seed=seed)
        write_hugadb(recording, folder / f"HuGaDB_v1_various_{int(subject):02d}_00.txt")
    return folder


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory, make_recording: RecordingFactory) -> Path:
    """A bag of an unknown subject whose muscles fire late."""
    path = tmp_path_factory.mktemp("bags") / "walk"
    write_bag(make_recording([("walking", 40.0)], seed=20, emg_delay=0.06), path)  # less than what is put right
    return path


@pytest.fixture
def tiny(trained_bundle: Bundle, tmp_path: Path) -> Path:
    """A trained bundle in a file; the subjects of its data set have other names than those of the folder."""
    trained_bundle.save(tmp_path / "tiny.safetensors")
    return tmp_path / "tiny.safetensors"


@pytest.fixture
def small_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands train with the recipe, only smaller and shorter."""

    def config(rig: Any, **_: Any) -> ModelConfig:
        return ModelConfig(72, 2, width=8, layers=1, heads=1, band=8, kernel=3, feedforward=8)

    monkeypatch.setattr(recipe, "model_config", config)
    monkeypatch.setattr(evaluate, "RECIPE", replace(recipe.RECIPE, steps=2))


def write_hugadb(recording: Recording, path: Path) -> None:
    codes = {name: code for code, name in CONDITIONS.items()}
    assert recording.emg is not None
    imu = recording.imu / np.repeat([ACCELEROMETER_SCALE, GYROSCOPE_SCALE], 3)
    columns = [
        np.clip(imu, -32768, 32767).reshape(len(recording), -1),
        np.clip(recording.emg.data + 128, 0, 255),
        np.array([codes[name] for name in recording.condition])[:, None],
    ]
    header = f"#Activity\tvarious\n#ActivityID\t1\n#Date 01-31-12-0{path.stem[-4]}\nacc_rf_x\t..."
    np.savetxt(path, np.hstack(columns).round(), fmt="%d", delimiter="\t", header=header, comments="")


def require_ros() -> None:
    for module in ("rclpy", "imu_emg_estimator.msg"):
        pytest.importorskip(module, reason=f"replay needs {module}, which is not there; make setup")


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def refused(capfd: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What a command that must fail says last on standard error."""
    capfd.readouterr()
    try:
        status = run(*arguments)
    except SystemExit as exit_:  # argparse
        status = int(exit_.code or 0)
    error = capfd.readouterr().err
    assert status == 2, error
    assert "Traceback" not in error
    lines = [line for line in error.splitlines() if not line.startswith("reading ") and not PROGRESS.search(line)]
    if not lines[0].startswith("usage:"):
        assert len(lines) == 1, error
    return lines[-1]


def strict_json(path: Path) -> Any:
    def never(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(path.read_text(), parse_constant=never)


# help


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS if name != "replay")], ids=str)
def test_help(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        run(*command, "--help")
    assert exit_.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: imu-emg{''.join(f' {name}' for name in command)}")
    if not command:
        assert [name for name in COMMANDS if name not in text] == []


def test_help_of_replay(capsys: pytest.CaptureFixture[str]) -> None:
    require_ros()
    with pytest.raises(SystemExit) as exit_:
        run("replay", "--help")
    assert exit_.value.code == 0
    assert "--loop" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["--version"], ["nonsense"]])
def test_answers_at_once_without_torch(arguments: list[str]) -> None:
    code = "import sys; sys.modules['torch'] = None; from imu_emg_estimator.cli.main import main; main(sys.argv[1:])"
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == (2 if arguments == ["nonsense"] else 0), done.stderr
    assert "Traceback" not in done.stderr


def test_runs_as_a_module_in_a_process_of_its_own(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "imu_emg_estimator", "inspect", str(tmp_path / "none")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert str(tmp_path / "none") in done.stderr


# what the commands do


def test_inspect_tells_what_is_in_a_bundle(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("inspect", tiny, "--json", tmp_path / "a.json", "--card", tmp_path / "card.md") == 0
    described = strict_json(tmp_path / "a.json")
    assert described["model_id"] == Bundle.load(tiny).model_id
    assert described["muscles"] == list(RIG.muscle_names)
    assert described["model_id"] in capsys.readouterr().out
    assert described["model_id"] in (tmp_path / "card.md").read_text()


def test_card_replaces_no_bundle(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = tiny.read_bytes()
    with pytest.raises(SystemExit):
        run("inspect", "--card", tiny)
    assert ".md" in capsys.readouterr().err
    assert tiny.read_bytes() == content


def test_exported_model_is_the_bundles(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    assert run("export", "--bundle", tiny, "--out", tmp_path / "a.onnx", "--json", tmp_path / "a.json") == 0
    model_id = Bundle.load(tiny).model_id
    session = onnxruntime.InferenceSession(tmp_path / "a.onnx")
    assert json.loads(session.get_modelmeta().custom_metadata_map["model_id"]) == model_id
    written = strict_json(tmp_path / "a.json")
    assert written["model_id"] == model_id
    assert written["largest_difference"] < 1e-4
    assert model_id in capsys.readouterr().out


def test_shipped_bundle_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("inspect") == 0
    assert "model_id: hugadb-" in capsys.readouterr().out


def test_train_leaves_subjects_out(data: Path, tmp_path: Path, small_recipe: None) -> None:
    out = tmp_path / "new" / "a.safetensors"
    assert (
        run(
            "train",
            "--data",
            data,
            "--out",
            out,
            "--leave-out",
            "2",
            "--steps",
            "2",
            "--name",
            "own",
            "--interval-folds",
            "0",
        )
        == 0
    )
    bundle = Bundle.load(out)
    assert bundle.name == "own"
    assert bundle.training["dataset"] == "hugadb"
    assert bundle.training["subjects"] == ["1", "9"]
    assert bundle.training["settings"]["steps"] == 2


def test_train_without_gyroscopes(data: Path, tmp_path: Path, small_recipe: None) -> None:
    out = tmp_path / "blind.safetensors"
    arguments = ("train", "--data", data, "--out", out, "--steps", 2, "--interval-folds", 0)
    assert run(*arguments) == 0
    assert Bundle.load(out).normalisation.used.all()
    assert run(*arguments, "--without-gyroscopes") == 0
    used = Bundle.load(out).normalisation.used
    assert used[:, :3].all()
    assert not used[:, 3:].any()


def test_trained_bundle_knows_how_far_off_it_is(data: Path, tmp_path: Path, small_recipe: None) -> None:
    out = tmp_path / "a.safetensors"
    assert run("train", "--data", data, "--out", out, "--steps", 2) == 0
    uncertainty = Bundle.load(out).uncertainty
    assert uncertainty is not None
    assert "3 subjects" in uncertainty.definition


def test_intervals_are_refused_before_anything_is_trained(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipe, "train_bundle", lambda *_, **__: pytest.fail("the work was begun"))
    out = tmp_path / "a.safetensors"
    assert "9 folds" in refused(capfd, "train", "--data", data, "--out", out, "--interval-folds", 9)
    assert "there are 2" in refused(capfd, "train", "--data", data, "--out", out, "--leave-out", "2")


def test_evaluate_writes_the_promised_path(
    data: Path, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, picture = tmp_path / "scores.json", tmp_path / "picture.png"
    arguments = ["--calibration-seconds", "8,0", "--json", path, "--picture", picture, "--workers", "1"]
    assert run("evaluate", "--bundle", tiny, "--data", data, *arguments) == 0
    scores = strict_json(path)
    for seconds in ("0", "8"):
        for condition in ("all", "locomotion", "walking", "running"):
            for figure in ("r", "r2", "nrmse"):
                assert isinstance(scores["mean"][seconds][condition][figure], float)
    assert scores["mean"]["0"]["locomotion"]["r"] > 0.9  # in counts and 8 bits, still the synthetic subjects
    assert set(scores["subjects"]) == set(SUBJECTS)
    assert scores["not_scored"] == []
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "| 8 | walking | 3 |" in capsys.readouterr().out


def test_evaluate_by_folds_feeds_the_scores_of_a_bundle(data: Path, tmp_path: Path, small_recipe: None) -> None:
    path, keep = tmp_path / "scores.json", tmp_path / "folds"
    assert run("evaluate", "--data", data, "--folds", 3, "--keep", keep, "--json", path, "--workers", 1) == 0
    scores = strict_json(path)
    assert set(scores["subjects"]) == set(SUBJECTS)
    trained = sorted(Bundle.load(file).training["subjects"] for file in keep.iterdir())
    assert trained == [["1", "2"], ["1", "9"], ["2", "9"]]
    out = tmp_path / "a.safetensors"
    assert run("train", "--data", data, "--out", out, "--steps", 1, "--interval-folds", 0, "--scores", path) == 0
    assert Bundle.load(out).scores["mean"] == scores["mean"]


def test_subjects_that_were_trained_on_are_not_scored(
    data: Path, tiny: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    trained = replace(Bundle.load(tiny), training={"dataset": "hugadb", "subjects": ["1", "9"]})
    trained.save(tiny)
    path = tmp_path / "scores.json"
    assert run("evaluate", "--bundle", tiny, "--data", data, "--json", path, "--workers", 1) == 0
    assert set(strict_json(path)["subjects"]) == {"2"}
    assert "subject 9" in refused(capfd, "evaluate", "--bundle", tiny, "--data", data, "--subjects", "2,9")
    replace(trained, training={"dataset": "hugadb", "subjects": list(SUBJECTS)}).save(tiny)
    assert "every subject" in refused(capfd, "evaluate", "--bundle", tiny, "--data", data)


def test_calibrate_from_a_bag(bag: Path, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, path = tmp_path / "anna.safetensors", tmp_path / "a.json"
    arguments = ["--bundle", tiny, "--bag", bag, "--out", out, "--json", path]
    assert run("calibrate", *arguments, "--subject", "anna") == 0
    report = strict_json(path)
    assert report["success"] is True
    assert np.mean(report["r_after"]) > np.mean(report["r_before"]) + 0.03
    calibrated = Bundle.load(out)
    assert calibrated.calibration_id == report["calibration"]["id"]
    assert calibrated.parent_id == Bundle.load(tiny).model_id
    assert report["message"] in capsys.readouterr().out


def test_calibration_that_is_not_better_is_status_1(
    tiny: Path, tmp_path: Path, make_recording: RecordingFactory
) -> None:
    recording = make_recording([("walking", 40.0)], seed=21)
    noise = np.abs(np.random.default_rng(0).standard_normal(recording.envelope.shape))
    write_bag(replace(recording, envelope=noise, envelope_unit="mV", emg=None), tmp_path / "bag")
    out, path = tmp_path / "a.safetensors", tmp_path / "a.json"
    assert run("calibrate", "--bundle", tiny, "--bag", tmp_path / "bag", "--out", out, "--json", path) == 1
    assert not out.exists()
    report = strict_json(path)
    assert (report["success"], report["calibration"]) == (False, None)
    assert report["muscle_names"] == []  # EMG that does not go with the movement is not judged
    assert "not locked to the movement" in report["message"]
    assert "old model was kept" in report["message"]


def test_turned_mounts_are_turned_back(tiny: Path, tmp_path: Path, make_recording: RecordingFactory, bag: Path) -> None:
    """IMUs worn upside down, and said so, calibrate like those worn right."""
    recording = make_recording([("walking", 40.0)], seed=20, emg_delay=0.06)
    half_turn = np.array([1, -1, -1] * 2)  # about x
    write_bag(replace(recording, imu=recording.imu * half_turn), tmp_path / "bag")
    reports = []
    for path, rotations in ((bag, "0,0,0,1"), (tmp_path / "bag", "1,0,0,0")):
        arguments = ["--sensor-rotations", rotations, "--json", tmp_path / "a.json", "--out", tmp_path / "b"]
        assert run("calibrate", "--bundle", tiny, "--bag", path, *arguments) == 0
        reports.append(strict_json(tmp_path / "a.json"))
    np.testing.assert_allclose(reports[0]["r_before"], reports[1]["r_before"], atol=1e-3)


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_bag_of_a_subject(data: Path, tmp_path: Path, storage: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("bag", "--data", data, "--subjects", 9, "--list") == 0
    assert "HuGaDB_v1_various_09_00" in capsys.readouterr().out
    out = tmp_path / "bag"
    assert run("bag", "--data", data, "--subjects", 9, "--out", out, "--storage", storage) == 0
    assert read_bag(out, RIG).duration == pytest.approx(35.0, abs=0.1)


def test_simulated_subject(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "bag"
    assert run("simulate", "--out", out, "--seconds", 10, "--seed", 3) == 0
    assert "SIMULATED" in capsys.readouterr().out
    assert read_bag(out, RIG).duration == pytest.approx(10.0, abs=0.1)


# bad input


@pytest.mark.parametrize("command", ["train", "evaluate", "bag"])
def test_data_that_is_not_there(command: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = [] if command == "evaluate" else ["--out", tmp_path / "out"]
    assert "none does not exist" in refused(capfd, command, "--data", tmp_path / "none", *out)
    (tmp_path / "empty").mkdir()
    assert "empty holds no HuGaDB" in refused(capfd, command, "--data", tmp_path / "empty", *out)


@pytest.mark.parametrize("command", ["train", "evaluate", "bag"])
def test_unknown_subject(command: str, data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = [] if command == "evaluate" else ["--out", tmp_path / "out"]
    message = refused(capfd, command, "--data", data, "--subjects", "9,77", *out)
    assert "subject 77" in message
    assert "1, 2, 9" in message


def test_unknown_subject_to_leave_out(data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A slip of the pen must not train on the subject that was to be left out."""
    out = tmp_path / "a.safetensors"
    assert "subject 22" in refused(capfd, "train", "--data", data, "--out", out, "--leave-out", "22")
    assert "there are 0" in refused(capfd, "train", "--data", data, "--out", out, "--leave-out", "1,2,9")
    assert not out.exists()


@pytest.mark.parametrize("command", ["inspect", "export", "evaluate", "calibrate", "calibrate --running"])
def test_bad_bundle(
    command: str, data: Path, bag: Path, tiny: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.safetensors"
    arguments: dict[str, list[object]] = {
        "inspect": ["inspect", bad],
        "export": ["export", "--bundle", bad, "--out", tmp_path / "out"],
        "evaluate": ["evaluate", "--bundle", bad, "--data", data],
        "calibrate": ["calibrate", "--bundle", bad, "--bag", bag, "--out", tmp_path / "out"],
        "calibrate --running": [
            "calibrate",
            "--bundle",
            tiny,
            "--running",
            bad,
            "--bag",
            bag,
            "--out",
            tmp_path / "out",
        ],
    }
    assert f"{bad} does not exist" in refused(capfd, *arguments[command])
    bad.write_bytes(tiny.read_bytes()[:-1])
    assert f"{bad} is truncated" in refused(capfd, *arguments[command])


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate", "--data", "x", "--calibration-seconds", "10,many"],
        ["evaluate", "--data", "x", "--calibration-seconds", "-1"],
        ["evaluate", "--data", "x", "--calibration-seconds", "nan"],
        ["evaluate", "--data", "x", "--calibration-seconds", "1e9"],
        ["evaluate", "--data", "x", "--folds", "0"],
        ["evaluate", "--data", "x", "--workers", "-2"],
        ["evaluate", "--data", "x", "--subjects", " , "],
        ["evaluate", "--data", "x", "--dataset", "imagenet"],
        ["evaluate", "--data", "x", "--colour", "red"],
        ["train", "--data", "x", "--out", "y", "--steps", "1.5"],
        ["train", "--data", "x", "--out", "y", "--seed", "-1"],
        ["train", "--data", "x", "--out", "y", "--seed", "4294967296"],
        ["train", "--data", "x"],
        ["calibrate", "--bag", "x", "--out", "y", "--sensor-rotations", "0,0,up,1"],
        ["calibrate", "--bag", "x", "--out", "y", "--threads", "0"],
        ["simulate", "--out", "x", "--seconds", "0"],
        ["simulate", "--out", "x", "--seconds", "inf"],
        ["simulate", "--out", "x", "--seed", "-3"],
        ["simulate", "--out", "x", "--storage", "tape"],
        ["nonsense"],
        [],
    ],
    ids=" ".join,
)  # fmt: skip
def test_bad_arguments(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert ": error: " in refused(capfd, *arguments)  # before anything is looked for


def test_nothing_to_write_to(capfd: pytest.CaptureFixture[str]) -> None:
    for arguments in (["simulate"], ["bag", "--data", "x"]):
        assert "no --out" in refused(capfd, *arguments)


def test_impossible_folds(data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for folds in (1, 4):
        assert f"{folds} folds" in refused(capfd, "evaluate", "--data", data, "--folds", folds)


def test_calibration_longer_than_any_subjects_data(data: Path, tiny: Path, capfd: pytest.CaptureFixture[str]) -> None:
    message = refused(
        capfd, "evaluate", "--bundle", tiny, "--data", data, "--calibration-seconds", "600", "--workers", 1
    )
    assert "calibrate on less" in message


def test_bad_scores(data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    scores = tmp_path / "scores.json"
    for content in (None, b"\xff", b"[]", b'{"mean": {}}'):
        if content is not None:
            scores.write_bytes(content)
        arguments = ["--data", data, "--out", tmp_path / "a", "--scores", scores]
        assert str(scores) in refused(capfd, "train", *arguments)


def test_wrong_bags(tiny: Path, tmp_path: Path, make_recording: RecordingFactory, capfd: Any) -> None:
    """Missing, no bag, without EMG, without one IMU, too short: told on standard error and in the JSON."""
    recording = make_recording([("walking", 20.0)])
    write_bag(replace(recording, emg=None, envelope=np.full_like(recording.envelope, np.nan)), tmp_path / "no_emg")
    five = replace(RIG, sensors=RIG.sensors[:5])
    write_bag(replace(recording, rig=five, imu=recording.imu[:, :5]), tmp_path / "five")
    write_bag(recording.slice(0, 300), tmp_path / "short")
    (tmp_path / "text.mcap").write_text("no bag")
    for name, part in (
        ("none", "none"),
        ("text.mcap", "text.mcap"),
        ("no_emg", "Emg"),
        ("five", "left_thigh"),
        ("short", "5.1 s"),
    ):
        path = tmp_path / f"{name}.json"
        arguments = ["--bag", tmp_path / name, "--out", tmp_path / "out", "--json", path]
        message = refused(capfd, "calibrate", "--bundle", tiny, *arguments)
        assert part in message
        failure = strict_json(path)
        assert failure["success"] is False
        assert failure["message"] in message
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("option", "value", "part"),
    [
        ("--subject", "../anna", "../anna"),
        ("--method", "magic", "'magic'"),
        ("--sensor-rotations", "1,2,3", "3 numbers"),
        ("--sensor-rotations", "0,0,0,2", "length"),
        ("--imu-topics", "/a,/b", "2"),
        ("--emg-topic", "/other", "/other"),
    ],
)
def test_bad_option_of_calibrate(
    option: str, value: str, part: str, bag: Path, tiny: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert part in refused(capfd, "calibrate", "--bundle", tiny, "--bag", bag, "--out", out, option, value)


def test_replay_of_a_missing_bag(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    require_ros()
    assert str(tmp_path / "none") in refused(capfd, "replay", tmp_path / "none")


def test_place_that_cannot_be_written_is_refused_before_the_work(
    data: Path, tiny: Path, bag: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    def work(*_: object, **__: object) -> None:
        raise AssertionError("the work was begun")

    monkeypatch.setattr(recipe, "train_bundle", work)
    file = tmp_path / "file"
    file.touch()
    for place in (file / "a", tmp_path):
        assert str(place) in refused(capfd, "train", "--data", data, "--out", place)
        assert str(place) in refused(capfd, "inspect", tiny, "--json", place)
        assert str(place) in refused(capfd, "evaluate", "--bundle", tiny, "--data", data, "--picture", place)
        assert str(place) in refused(capfd, "calibrate", "--bundle", tiny, "--bag", bag, "--out", place)
        assert str(place) in refused(capfd, "simulate", "--out", place)
        assert str(place) in refused(capfd, "export", "--bundle", tiny, "--out", place)


def test_reader_that_has_seen_enough_is_no_fault() -> None:
    command = [sys.executable, "-m", "imu_emg_estimator", "inspect"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        error = process.stderr.read().decode()
        assert process.wait(60) == 0, error
    assert "Traceback" not in error


def test_interrupt_ends_quietly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: Path) -> Bundle:
        raise KeyboardInterrupt

    monkeypatch.setattr(Bundle, "load", interrupt)
    assert run("inspect") == 130
