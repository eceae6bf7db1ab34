"""`imu-emg calibrations list` and `show`."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures.calibration_actions import FIRST, SECOND, calibrated, refused_action, result, run_action

from imu_emg_estimator.calibration.calibration_store import store_calibration
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.calibration_record import Calibration


def test_list_shows_all_and_marks_those_in_use(bundle: Bundle, two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = result(two, "list")
    assert [(entry["id"], entry["in_use"]) for entry in content["calibrations"]] == [(FIRST, False), (SECOND, True)]
    assert content["remarks"] == []
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if line.startswith("*") and SECOND in line]) == 1
    row = next(line for line in lines if FIRST in line)
    assert not row.startswith("*")
    for part in ("anna", "0.50 → 0.75", "n/a → 0.40", "42 s", "walk", bundle.model_id):
        assert part in row


def test_list_shows_one_subjects(bundle: Bundle, two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store_calibration(two, calibrated(bundle, "bert-1"))
    assert [entry["id"] for entry in result(two, "list", "--subject", "bert")["calibrations"]] == ["bert-1"]
    capsys.readouterr()
    assert result(two, "list", "--subject", "carl")["calibrations"] == []
    assert "holds no calibration of subject 'carl'" in capsys.readouterr().out


def test_list_names_damaged_files(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (two / "anna" / f"{SECOND}.safetensors").write_bytes(b"half")
    content = result(two, "list")
    assert [(entry["id"], entry["in_use"]) for entry in content["calibrations"]] == [(FIRST, True)]
    assert any(SECOND in remark and "truncated" in remark for remark in content["remarks"])
    assert "truncated" in capsys.readouterr().err


def test_show_prints_the_record(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = result(two, "show", FIRST)
    assert (content["bag_hash"], content["settings"]["steps"], content["software"]) == ("0f" * 32, 60, "1.2.3")
    text = capsys.readouterr().out
    for part in (
        FIRST,
        "anna",
        "0f" * 32,
        "steps 60",
        "1.2.3",
        "42.0 s",
        "judged on [s]:       18",
        "delay of the EMG:    0.20 s (found)",
        "vastus_lateralis_left",
    ):
        assert part in text


def test_show_and_compare_records_of_earlier_releases(
    bundle: Bundle, two: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = Calibration("anna-0", "anna", "head", "bag", 30.0, "2024")
    store_calibration(two, replace(calibrated(bundle, "anna-0"), calibration=old))
    for action in ("show", "compare"):
        assert run_action(two, action, "anna-0") == 0
        assert "not known" in capsys.readouterr().out
    assert run_action(two, "list") == 0
    assert "n/a → n/a" in capsys.readouterr().out


def test_control_characters_in_names_are_masked(bundle: Bundle, two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store_calibration(two, calibrated(bundle, "anna-0", bag="\x1b[2Jwalk\n"))
    for action in (["list"], ["show", "anna-0"], ["compare", "anna-0"]):
        assert run_action(two, *action) == 0
        assert "?[2Jwalk?" in capsys.readouterr().out


def test_show_refuses_a_damaged_file_that_remove_deletes(two: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = two / "anna" / f"{FIRST}.safetensors"
    path.write_bytes(b"half")
    assert f"{path} is truncated" in refused_action(capfd, two, "show", FIRST)
    assert run_action(two, "remove", FIRST, "--yes") == 0
    assert not path.exists()


@pytest.mark.parametrize("name", ["../anna/x", "anna-9", ""])
def test_actions_refuse_unknown_ids(two: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    for action in ("show", "remove", "compare", "use"):
        assert repr(name) in refused_action(capfd, two, action, name)


def test_list_needs_no_torch(two: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None; "
        "from imu_emg_estimator.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    arguments = ["calibrations", "list", "--directory", str(two)]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert FIRST in done.stdout


def test_the_only_calibration_of_a_subject_needs_no_id(
    bundle: Bundle, two: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    store_calibration(two, calibrated(bundle, "bert-1"))
    assert result(two, "show", "--subject", "bert")["id"] == "bert-1"
    for arguments in (("show",), ("remove", "--subject", "anna", "--yes")):
        sentence = refused_action(capfd, two, *arguments)
        assert "which calibration" in sentence
        assert FIRST in sentence
        assert SECOND in sentence
    assert "there is none" in refused_action(capfd, two, "show", "--subject", "carl")
    assert result(two, "remove", "--subject", "bert", "--yes")["removed"] == "bert-1"
    assert not result(two, "list", "--subject", "bert")["calibrations"]
