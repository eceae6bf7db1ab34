"""``imu-emg lsl``: who lacks a stream reads which there are."""

import pytest
from fixtures.lsl_outlets import lsl

from imu_emg_estimator.cli.main import main


@pytest.mark.ros
def test_absent_stream_is_one_sentence(capfd: pytest.CaptureFixture[str]) -> None:
    lsl()
    assert main(["lsl", "--stream", "nobody", "--wait", "0"]) == 2
    assert "no LSL stream 'nobody' was found within 0 s; streams there are: none" in capfd.readouterr().err
