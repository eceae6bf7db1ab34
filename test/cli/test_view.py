"""What `imu-emg view` refuses; what it serves: test/view."""

from pathlib import Path

import pytest

from imu_emg_estimator.cli.main import main


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["nowhere"], "nowhere does not exist"),
        (["BAG", "--topic", "/a"], "--topic and --emg-topic are for a node"),
        (["--imu-topics", "a,b"], "--bundle and --imu-topics are for a bag"),
    ],
)
def test_view_refuses_bad_input(arguments: list[str], part: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["view", *arguments]) == 2
    error = capsys.readouterr().err
    assert part in error
    assert error.count("\n") == 1


def test_view_refuses_a_port_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["view", str(tmp_path), "--port", "70000"])
    assert "'70000' is not a port from 0 to 65535" in capsys.readouterr().err
