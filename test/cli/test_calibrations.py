"""``imu-emg calibrations``: what it says is what the next start finds, and bad input changes nothing."""

import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fixtures.factories import BundleFactory, RecordingFactory

from imu_emg_estimator.bags import write_bag
from imu_emg_estimator.calibration.calibration_store import current_calibration, store_calibration
from imu_emg_estimator.cli.main import main
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.calibration_record import Calibration
from imu_emg_estimator.utils.file_hash import hash_of

FIRST, SECOND = "anna-20250102T000000-aaaaaa", "anna-20250601T120000-bbbbbb"


def calibrated(base: Bundle, name: str, **change: Any) -> Bundle:
    judged = {"before": {"r": 0.5, "r2": None, "nrmse": 0.3}, "after": {"r": 0.75, "r2": 0.4, "nrmse": 0.2}}
    calibration = Calibration(
        id=name,
        subject=name.split("-")[0],
        method="guarded",
        bag="walk",
        seconds=42.0,
        created="2025-01-02T00:00:00+00:00",
        bag_hash="0f" * 32,
        software="1.2.3",
        settings={"steps": 60, "method": "guarded"},
        figures={"judged_seconds": 18.0, "muscles": dict.fromkeys(base.rig.muscle_names, judged)},
    )
    return replace(base, parent_id=base.model_id, calibration=replace(calibration, **change))


@pytest.fixture
def base(bundle: Bundle, tmp_path: Path) -> Path:
    bundle.save(tmp_path / "base.safetensors")
    return tmp_path / "base.safetensors"


@pytest.fixture
def two(bundle: Bundle, tmp_path: Path) -> Path:
    """A store with two calibrations of Anna, the second in use."""
    for name, steps in ((FIRST, 60), (SECOND, 90)):
        store_calibration(tmp_path / "store", calibrated(bundle, name, settings={"steps": steps, "method": "guarded"}))
    return tmp_path / "store"


def run(directory: Path, action: str, *arguments: object) -> int:
    return main(["calibrations", action, "--directory", str(directory), *map(str, arguments)])


def told(directory: Path, action: str, *arguments: object) -> Any:
    """The JSON of an action that must succeed."""
    path = directory.parent / "told.json"
    assert run(directory, action, *arguments, "--json", path) == 0
    return json.loads(path.read_text(), parse_constant=lambda constant: pytest.fail(f"{constant} is not JSON"))


def refused(capfd: pytest.CaptureFixture[str], directory: Path, action: str, *arguments: object) -> str:
    capfd.readouterr()
    try:
        status = run(directory, action, *arguments)
    except SystemExit as exit_:  # argparse
        status = int(exit_.code or 0)
    error = capfd.readouterr().err
    assert status == 2, error
    assert "Traceback" not in error
    return error.splitlines()[-1]


def used(directory: Path, bundle: Bundle) -> str:
    found, remarks = current_calibration(directory, "anna", bundle)
    assert remarks == []
    return found.calibration_id if found else ""


def test_list(bundle: Bundle, two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = told(two, "list")
    assert [(entry["id"], entry["in_use"]) for entry in content["calibrations"]] == [(FIRST, False), (SECOND, True)]
    assert content["remarks"] == []
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if line.startswith("*") and SECOND in line]) == 1
    row = next(line for line in lines if FIRST in line)
    assert not row.startswith("*")
    for part in ("anna", "0.50 → 0.75", "n/a → 0.40", "42 s", "walk", bundle.model_id):
        assert part in row


def test_list_of_one_subject(bundle: Bundle, two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store_calibration(two, calibrated(bundle, "bert-1"))
    assert [entry["id"] for entry in told(two, "list", "--subject", "bert")["calibrations"]] == ["bert-1"]
    capsys.readouterr()
    assert told(two, "list", "--subject", "carl")["calibrations"] == []
    assert "holds no calibration of subject 'carl'" in capsys.readouterr().out


def test_list_names_what_is_damaged(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (two / "anna" / f"{SECOND}.safetensors").write_bytes(b"half")
    content = told(two, "list")
    assert [(entry["id"], entry["in_use"]) for entry in content["calibrations"]] == [(FIRST, True)]
    assert any(SECOND in remark and "truncated" in remark for remark in content["remarks"])
    assert "truncated" in capsys.readouterr().err


def test_show(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = told(two, "show", FIRST)
    assert (content["bag_hash"], content["settings"]["steps"], content["software"]) == ("0f" * 32, 60, "1.2.3")
    text = capsys.readouterr().out
    for part in (
        FIRST,
        "anna",
        "0f" * 32,
        "steps 60",
        "1.2.3",
        "42.0 s",
        "judged seconds:      18",
        "vastus_lateralis_left",
    ):
        assert part in text


def test_show_of_a_calibration_of_an_earlier_release(bundle: Bundle, two: Path, capsys: Any) -> None:
    old = Calibration("anna-0", "anna", "head", "bag", 30.0, "2024")
    store_calibration(two, replace(calibrated(bundle, "anna-0"), calibration=old))
    for action in ("show", "compare"):
        assert run(two, action, "anna-0") == 0
        assert "not known" in capsys.readouterr().out
    assert run(two, "list") == 0
    assert "n/a → n/a" in capsys.readouterr().out


def test_name_of_a_bag_cannot_command_a_terminal(bundle: Bundle, two: Path, capsys: Any) -> None:
    store_calibration(two, calibrated(bundle, "anna-0", bag="\x1b[2Jwalk\n"))
    for action in (["list"], ["show", "anna-0"], ["compare", "anna-0"]):
        assert run(two, *action) == 0
        assert "?[2Jwalk?" in capsys.readouterr().out


def test_use(bundle: Bundle, base: Path, two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = told(two, "use", FIRST, "--bundle", base)
    assert (content["subject"], content["calibration_id"], content["model_id"]) == ("anna", FIRST, bundle.model_id)
    assert used(two, bundle) == FIRST
    assert f"uses calibration {FIRST}" in capsys.readouterr().out
    assert told(two, "use", "--none", "--subject", "anna", "--bundle", base)["calibration_id"] is None
    assert used(two, bundle) == ""
    assert "uses the base model" in capsys.readouterr().out
    assert told(two, "use", "--previous", "--subject", "anna", "--bundle", base)["calibration_id"] == FIRST
    assert used(two, bundle) == FIRST


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ([], "exactly one"),
        ([FIRST, "--none"], "exactly one"),
        (["--none"], "no --subject"),
        (["--previous"], "no --subject"),
        (["--none", "--subject", "carl"], "carl"),
        (["--previous", "--subject", "carl"], "carl"),
        (["--none", "--subject", "../anna"], "../anna"),
        (["anna-9"], "anna-9"),
        (["../anna/" + FIRST], "is not the id"),
        ([FIRST, "--subject", "bert"], "bert"),
    ],
    ids=" ".join,
)
def test_impossible_use(
    bundle: Bundle, base: Path, two: Path, arguments: list[str], part: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert part in refused(capfd, two, "use", "--bundle", base, *arguments)
    assert used(two, bundle) == SECOND
    assert not (two / "carl").exists()


def test_use_with_another_model_is_refused(
    bundle: Bundle, make_bundle: BundleFactory, two: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    make_bundle(seed=1).save(tmp_path / "other.safetensors")
    message = refused(capfd, two, "use", FIRST, "--bundle", tmp_path / "other.safetensors")
    assert bundle.model_id in message
    assert "hugadb" in refused(capfd, two, "use", FIRST)  # the shipped bundle is the default
    assert used(two, bundle) == SECOND


def test_remove_tells_what_is_used_next(bundle: Bundle, two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = told(two, "remove", SECOND, "--yes")
    assert content == {"removed": SECOND, "subject": "anna", "used_next": {bundle.model_id: FIRST}}
    assert f"{FIRST} is used with model {bundle.model_id} now" in capsys.readouterr().out
    assert used(two, bundle) == FIRST
    assert told(two, "remove", FIRST, "--yes")["used_next"] == {bundle.model_id: None}
    assert f"the base model is used with model {bundle.model_id} now" in capsys.readouterr().out
    assert used(two, bundle) == ""


def test_remove_without_yes_wants_a_person(bundle: Bundle, two: Path, capfd: pytest.CaptureFixture[str]) -> None:
    message = refused(capfd, two, "remove", SECOND)
    assert "--yes" in message
    assert f"{FIRST} will be used next" in message
    assert used(two, bundle) == SECOND


class Person(io.StringIO):
    """Somebody at a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("answer", "gone"), [("y\n", True), ("YES\n", True), ("n\n", False), ("\n", False), ("", False)]
)
def test_remove_asks(
    bundle: Bundle, two: Path, answer: str, gone: bool, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    monkeypatch.setattr(sys, "stdin", Person(answer))
    assert run(two, "remove", SECOND) == (0 if gone else 2)
    out, error = capfd.readouterr()
    assert f"{FIRST} will be used next" in out
    assert ("nothing was removed" in error) is not gone
    assert used(two, bundle) == (FIRST if gone else SECOND)


def test_compare(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = told(two, "compare", FIRST, SECOND)
    assert [entry["id"] for entry in content["calibrations"]] == [FIRST, SECOND]
    lines = {line.split("  ")[0].strip(): line for line in capsys.readouterr().out.splitlines()}
    assert lines["steps"].split()[1:] == ["60", "90"]  # what differs
    assert lines["in use"].split()[2:] == ["no", "yes"]
    assert lines["r"].count("0.50 → 0.75") == 2


@pytest.mark.parametrize("name", ["../anna/x", "anna-9", ""])
def test_unknown_calibration(two: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    for action in ("show", "remove", "compare", "use"):
        assert repr(name) in refused(capfd, two, action, name)


def test_damaged_calibration_is_not_shown_but_can_be_removed(two: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = two / "anna" / f"{FIRST}.safetensors"
    path.write_bytes(b"half")
    assert f"{path} is truncated" in refused(capfd, two, "show", FIRST)
    assert run(two, "remove", FIRST, "--yes") == 0
    assert not path.exists()


def test_answers_without_torch(two: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None; "
        "from imu_emg_estimator.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    arguments = ["calibrations", "list", "--directory", str(two)]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert FIRST in done.stdout


# together with `imu-emg calibrate`


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory, make_recording: RecordingFactory) -> Path:
    path = tmp_path_factory.mktemp("bags") / "walk"
    write_bag(make_recording([("walking", 40.0)], seed=20, emg_delay=0.06), path)  # less than what is put right
    return path


def test_calibrate_into_the_store_and_compare_on_a_bag(
    trained_bundle: Bundle, bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, store = tmp_path / "base.safetensors", tmp_path / "store"
    trained_bundle.save(base)
    arguments = ["--bundle", base, "--bag", bag, "--store", store, "--subject", "anna", "--json", tmp_path / "a.json"]
    assert main(["calibrate", *map(str, arguments)]) == 0
    report = json.loads((tmp_path / "a.json").read_text())
    name = report["calibration"]["id"]
    assert report["calibration"]["bag_hash"] == hash_of(bag)
    assert used(store, trained_bundle) == name
    assert str(store / "anna" / name) in capsys.readouterr().out
    # What is in use must be bettered, and is not by the same bag again.
    assert main(["calibrate", *map(str, arguments), "--method", "none"]) == 1
    assert used(store, trained_bundle) == name

    content = told(store, "compare", name, "--bag", bag, "--bundle", base)["on_bag"]
    assert content["seen"] == [name]
    for muscle in trained_bundle.rig.muscle_names:
        assert content["figures"][name][muscle]["r"] > content["figures"]["base model"][muscle]["r"] + 0.02
    assert "its figures are optimistic" in capsys.readouterr().out


def test_comparison_on_a_bag_needs_its_model(two: Path, bag: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert "--bundle" in refused(capfd, two, "compare", FIRST, "--bag", bag)  # the shipped one is another
    assert "none" in refused(capfd, two, "compare", FIRST, "--bag", bag.parent / "none", "--bundle", two / "none")


def test_calibrate_needs_a_place(base: Path, bag: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["--bundle", str(base), "--bag", str(bag)]
    assert main(["calibrate", *arguments]) == 2
    assert "neither --out nor --store" in capfd.readouterr().err
    (tmp_path / "file").touch()
    assert main(["calibrate", *arguments, "--store", str(tmp_path / "file")]) == 2
    assert str(tmp_path / "file") in capfd.readouterr().err


def test_wrong_bag_is_told_before_torch_is_loaded(base: Path, tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None; "
        "from imu_emg_estimator.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    arguments = ["calibrate", "--bundle", str(base), "--bag", str(tmp_path / "none"), "--out", str(tmp_path / "out")]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert f"{tmp_path / 'none'} does not exist" in done.stderr
    assert done.stderr.count("\n") == 1
