"""Random stories find no way out of the limits, and the checks find one where there is one."""

from random import Random
from typing import Any

import pytest

from benchmarks.__main__ import main
from benchmarks.reliability.assistance_limits import LimitCheck, LimitFigures, run_story
from benchmarks.reliability.assistance_stories import Step, random_settings, random_story
from imu_emg_estimator.assistance import assistance_controller
from imu_emg_estimator.assistance.joint_angles import JointAngles
from imu_emg_estimator.assistance.joint_torque import JointTorque


@pytest.mark.parametrize("seed", range(1000, 1008))
def test_random_stories_stay_within_limits(seed: int) -> None:
    figures = LimitFigures()
    run_story(seed, figures, steps=1000)
    assert figures.violations == []


def test_stories_have_torque_and_losses() -> None:
    figures = LimitFigures()
    for seed in range(12):
        run_story(seed, figures, steps=1000)
    assert figures.with_torque > 0.05 * figures.steps
    assert 0.1 < figures.longest_to_zero <= 0.3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "name", "broken"),
    [
        (JointTorque, "step", lambda self, *_: 1e3),
        (JointTorque, "step", lambda self, assistance, *_: min(assistance[0], 0.01)),
        (JointAngles, "_is_plausible", lambda self, name, position: True),
        (assistance_controller, "NO_DEADMAN", ""),
    ],
)
def test_checks_find_what_is_broken(kind: Any, name: str, broken: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kind, name, broken)
    figures = LimitFigures()
    for seed in range(12):
        run_story(seed, figures, steps=1000)
    assert figures.violations


def test_checks_measure_the_time_to_zero() -> None:
    settings, figures = random_settings(Random(3)), LimitFigures()
    check = LimitCheck(settings, figures, "story")
    (step,) = random_story(Random(3), settings, 1)
    check.note(Step([(message, False) for message, _ in step.activations] or [(None, False)], [], [], 0.0, 0.01))  # type: ignore[list-item]
    for _ in range(40):
        check.judge([1e-10] * len(settings.joints), 0.01)
    assert any("s after the loss of trust" in text for text in figures.violations)


def test_command_prints_what_it_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["assistance", "--messages", "2000"]) == 0
    said = capsys.readouterr().out
    assert "0 steps beyond a limit" in said
    assert "of 1 random settings" in said
