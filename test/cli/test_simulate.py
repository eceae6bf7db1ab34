"""`imu-emg simulate`."""

from pathlib import Path

import pytest
from fixtures.command_line import refused, run, strict_json

from imu_emg_estimator.bags import read_bag
from imu_emg_estimator.datasets.hugadb import RIG


def test_simulate_writes_a_bag_of_the_asked_duration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "bag"
    assert run("simulate", "--out", out, "--seconds", 10, "--seed", 3, "--json", tmp_path / "a.json") == 0
    assert "SIMULATED" in capsys.readouterr().out
    written = strict_json(tmp_path / "a.json")
    assert (written["bag"], written["seed"], written["storage"]) == (str(out), 3, "mcap")
    assert written["duration_s"] == pytest.approx(10.0, abs=0.1)
    assert read_bag(out, RIG).duration == pytest.approx(10.0, abs=0.1)


def test_simulate_refuses_to_write_nowhere(capfd: pytest.CaptureFixture[str]) -> None:
    assert "no --out" in refused(capfd, "simulate")
