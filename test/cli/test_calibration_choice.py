"""`imu-emg calibrations use` and `remove`: what they print is what the next start finds."""

import io
import sys
from pathlib import Path

import pytest
from fixtures.calibration_actions import (
    FIRST,
    SECOND,
    calibration_in_use,
    refused_action,
    result,
    run_action,
)
from fixtures.factories import BundleFactory

from imu_emg_estimator.model.bundle import Bundle


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
    assert "hugadb" in refused_action(capfd, two, "use", FIRST)  # the shipped bundle is the default
    assert calibration_in_use(two, bundle) == SECOND


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
