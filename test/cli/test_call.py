"""`imu-emg call`: usage; calls are in test/ros/calibration_services/test_node_calls.py."""

import pytest

from imu_emg_estimator.cli.main import main


def test_call_reset_refuses_two_choices(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["call", "reset", "--id", "anna-1", "--previous"]) == 2
    assert "--id and --previous were given; give one of them" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["calibrate", "--subject", "anna"], ["calibrate", "--bag", "walk"], ["dance"], []]
)
def test_call_needs_an_action_with_its_options(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["call", *arguments])
    assert caught.value.code == 2
