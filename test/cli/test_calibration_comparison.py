"""`imu-emg calibrations compare`, together with `imu-emg calibrate --store`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from fixtures.calibration_actions import FIRST, SECOND, calibration_in_use, refused_action, result

from imu_emg_estimator.bags.bag_files import hash_of
from imu_emg_estimator.cli.main import main
from imu_emg_estimator.model.bundle import Bundle


def test_compare_prints_what_differs(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = result(two, "compare", FIRST, SECOND)
    assert [entry["id"] for entry in content["calibrations"]] == [FIRST, SECOND]
    lines = {line.split("  ")[0].strip(): line for line in capsys.readouterr().out.splitlines()}
    assert lines["steps"].split()[1:] == ["60", "90"]  # what differs
    assert lines["in use"].split()[2:] == ["no", "yes"]
    assert lines["r"].count("0.50 → 0.75") == 2


@pytest.mark.slow
def test_compare_on_a_bag_scores_the_stored_calibration_and_the_base_model(
    trained_bundle: Bundle, bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, store = tmp_path / "base.safetensors", tmp_path / "store"
    trained_bundle.save(base)
    arguments = ["--bundle", base, "--bag", bag, "--store", store, "--subject", "anna", "--json", tmp_path / "a.json"]
    assert main(["calibrate", *map(str, arguments)]) == 0
    report = json.loads((tmp_path / "a.json").read_text())
    name = report["calibration"]["id"]
    assert report["calibration"]["bag_hash"] == hash_of(bag)
    assert calibration_in_use(store, trained_bundle) == name
    assert str(store / "anna" / name) in capsys.readouterr().out
    # The same bag again does not improve on what is in use.
    assert main(["calibrate", *map(str, arguments)]) == 1
    assert calibration_in_use(store, trained_bundle) == name

    content = result(store, "compare", name, "--bag", bag)["on_bag"]  # the base model is where it was
    assert content["seen"] == [name]
    for muscle in trained_bundle.rig.muscle_names:
        assert content["figures"][name][muscle]["r"] > content["figures"]["base model"][muscle]["r"] + 0.02
    late = result(store, "compare", name, "--bag", bag, "--emg-delay", 0.3)["on_bag"]["figures"]
    assert late["base model"] != content["figures"]["base model"]
    said = capsys.readouterr().out
    assert "its figures are optimistic" in said
    assert len(content["verdicts"]) == 8
    assert "sensors and muscles: " in said


def test_compare_on_a_bag_refuses_other_models(two: Path, bag: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert "is not among the shipped bundles; give it with --bundle" in refused_action(
        capfd, two, "compare", FIRST, "--bag", bag
    )
    assert "none" in refused_action(
        capfd, two, "compare", FIRST, "--bag", bag.parent / "none", "--bundle", two / "none"
    )


def test_calibrate_refuses_to_write_nowhere(
    base: Path, bag: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--bundle", str(base), "--bag", str(bag)]
    assert main(["calibrate", *arguments]) == 2
    assert "neither --out nor --store" in capfd.readouterr().err
    (tmp_path / "file").touch()
    assert main(["calibrate", *arguments, "--store", str(tmp_path / "file")]) == 2
    assert str(tmp_path / "file") in capfd.readouterr().err


@pytest.mark.slow
def test_calibrate_refuses_a_wrong_bag_before_importing_torch(base: Path, tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None; "
        "from imu_emg_estimator.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    arguments = ["calibrate", "--bundle", str(base), "--bag", str(tmp_path / "none"), "--out", str(tmp_path / "out")]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=600)
    assert done.returncode == 2
    assert f"{tmp_path / 'none'} does not exist" in done.stderr
    assert done.stderr.count("\n") == 1
