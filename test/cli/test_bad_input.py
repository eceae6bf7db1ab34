"""Bad input that several commands know ends in one line and status 2."""

from pathlib import Path

import pytest
from fixtures.command_line import refused

from imu_emg_estimator.cli.main import main
from imu_emg_estimator.training import recipe


@pytest.mark.parametrize("command", ["train", "evaluate", "bag"])
def test_commands_refuse_missing_data(command: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = [] if command == "evaluate" else ["--out", tmp_path / "out"]
    assert "none does not exist" in refused(capfd, command, "--data", tmp_path / "none", *out)
    (tmp_path / "empty").mkdir()
    assert "empty holds no HuGaDB" in refused(capfd, command, "--data", tmp_path / "empty", *out)


@pytest.mark.parametrize("command", ["train", "evaluate", "bag"])
def test_commands_refuse_unknown_subjects(
    command: str, data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = [] if command == "evaluate" else ["--out", tmp_path / "out"]
    message = refused(capfd, command, "--data", data, "--subjects", "9,77", *out)
    assert "subject 77" in message
    assert "1, 2, 9" in message


@pytest.mark.parametrize("command", ["inspect", "export", "evaluate", "calibrate", "calibrate --running"])
def test_commands_refuse_bad_bundles(
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
def test_arguments_are_refused_before_any_work(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert ": error: " in refused(capfd, *arguments)  # before anything is looked for


def test_unwritable_outputs_are_refused_before_any_work(
    data: Path,
    tiny: Path,
    bag: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
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


def test_emg_delay_that_is_no_number_is_refused_with_what_to_give(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["calibrate", "--bag", "walk", "--emg-delay", "nonsense"])
    assert end.value.code == 2
    assert "'nonsense' is not a number; give one such as 0.1, or auto" in capsys.readouterr().err
