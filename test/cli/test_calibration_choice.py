"""`imu-emg calibrations use` and `remove`: what they print is what the next start finds."""

import io
import shlex
import sys
from pathlib import Path

import pytest
from fixtures.calibration_actions import (
    FIRST,
    SECOND,
    calibrated,
    calibration_in_use,
    refused_action,
    result,
    run_action,
)
from fixtures.factories import BundleFactory

from imu_emg_estimator.calibration.calibration_store import store_calibration
from imu_emg_estimator.cli.main import main
from imu_emg_estimator.guide.undo_hint import undo_command
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.utils.shipped_files import calibration_directory, shipped_bundle


def test_use_chooses_a_calibration_the_base_model_or_the_previous_one(
    bundle: Bundle, base: Path, two: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = result(two, "use", FIRST, "--bundle", base)
    assert (content["subject"], content["calibration_id"], content["model_id"]) == ("anna", FIRST, bundle.model_id)
    assert calibration_in_use(two, bundle) == FIRST
    assert f"uses calibration {FIRST}" in capsys.readouterr().out
    assert result(two, "use", "--none", "--subject", "anna", "--bundle", base)["calibration_id"] is None
    assert calibration_in_use(two, bundle) == ""
    assert "uses the base model" in capsys.readouterr().out
    assert result(two, "use", "--previous", "--subject", "anna", "--bundle", base)["calibration_id"] == FIRST
    assert calibration_in_use(two, bundle) == FIRST


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
def test_use_refuses_impossible_choices(
    bundle: Bundle, base: Path, two: Path, arguments: list[str], part: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert part in refused_action(capfd, two, "use", "--bundle", base, *arguments)
    assert calibration_in_use(two, bundle) == SECOND
    assert not (two / "carl").exists()


def test_use_refuses_another_model(
    bundle: Bundle, make_bundle: BundleFactory, two: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    make_bundle(seed=1).save(tmp_path / "other.safetensors")
    message = refused_action(capfd, two, "use", FIRST, "--bundle", tmp_path / "other.safetensors")
    assert bundle.model_id in message
    assert calibration_in_use(two, bundle) == SECOND


def test_use_finds_the_model_of_a_calibration_or_a_subject(bundle: Bundle, two: Path) -> None:
    """The calibrations are of another model than the shipped one."""
    assert result(two, "use", FIRST)["model_id"] == bundle.model_id
    assert calibration_in_use(two, bundle) == FIRST
    assert result(two, "use", "--previous", "--subject", "anna")["calibration_id"] == SECOND
    assert calibration_in_use(two, bundle) == SECOND
    assert result(two, "use", "--none", "--subject", "anna")["model_id"] == bundle.model_id
    assert calibration_in_use(two, bundle) == ""


def test_use_asks_for_the_model_where_a_subject_has_several(
    bundle: Bundle, make_bundle: BundleFactory, two: Path, base: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    other = make_bundle(seed=1)
    store_calibration(two, calibrated(other, "anna-20250701T120000-cccccc"))
    message = refused_action(capfd, two, "use", "--previous", "--subject", "anna")
    assert bundle.model_id in message
    assert other.model_id in message
    assert message.endswith("name the one that is meant with --bundle")
    assert result(two, "use", "--previous", "--subject", "anna", "--bundle", base)["calibration_id"] == FIRST


def test_undo_hint_works_as_it_is_printed(bundle: Bundle, base: Path, two: Path) -> None:
    words = shlex.split(undo_command("anna", two, base))
    assert words[0] == "imu-emg"
    assert main(words[1:]) == 0
    assert calibration_in_use(two, bundle) == FIRST


def test_undo_hint_is_short_where_all_is_as_shipped() -> None:
    hint = undo_command("anna", calibration_directory(), shipped_bundle())
    assert hint == "imu-emg calibrations use --previous --subject anna"


def test_remove_prints_what_is_used_next(bundle: Bundle, two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = result(two, "remove", SECOND, "--yes")
    assert content == {"removed": SECOND, "subject": "anna", "used_next": {bundle.model_id: FIRST}}
    assert f"{FIRST} is used with model {bundle.model_id} now" in capsys.readouterr().out
    assert calibration_in_use(two, bundle) == FIRST
    assert result(two, "remove", FIRST, "--yes")["used_next"] == {bundle.model_id: None}
    assert f"the base model is used with model {bundle.model_id} now" in capsys.readouterr().out
    assert calibration_in_use(two, bundle) == ""


def test_remove_without_yes_needs_a_terminal(bundle: Bundle, two: Path, capfd: pytest.CaptureFixture[str]) -> None:
    message = refused_action(capfd, two, "remove", SECOND)
    assert "--yes" in message
    assert f"{FIRST} will be used next" in message
    assert calibration_in_use(two, bundle) == SECOND


class Terminal(io.StringIO):
    """Standard input of a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("answer", "gone"), [("y\n", True), ("YES\n", True), ("n\n", False), ("\n", False), ("", False)]
)
def test_remove_asks(
    bundle: Bundle,
    two: Path,
    answer: str,
    gone: bool,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    assert run_action(two, "remove", SECOND) == (0 if gone else 2)
    out, error = capfd.readouterr()
    assert f"{FIRST} will be used next" in out
    assert ("nothing was removed" in error) is not gone
    assert calibration_in_use(two, bundle) == (FIRST if gone else SECOND)
