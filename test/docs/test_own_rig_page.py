"""The page docs/own_rig.md leads from a lab's exports to a calibrated live estimate, without code."""

from pathlib import Path

import pytest
from fixtures.made_up_lab import MUSCLES, SENSORS
from fixtures.page_runs import PageRun, commands

from imu_emg_estimator.model.bundle import Bundle

MOST_COMMANDS = 12


def test_page_takes_few_commands() -> None:
    assert 8 <= len(commands()) <= MOST_COMMANDS


@pytest.mark.slow
def test_page_leads_from_exports_to_a_calibrated_estimate(tmp_path: Path) -> None:
    """Of CSV; test_own_rig_live follows it with MAT."""
    said = PageRun(tmp_path, "csv").follow(live=False)
    calibrated = Bundle.load(tmp_path / "eva.safetensors")
    assert calibrated.rig.sensor_names == SENSORS
    assert len(calibrated.rig.muscle_names) == len(MUSCLES)
    assert calibrated.rig.movement_names == ("squat",)
    assert calibrated.calibration is not None
    assert calibrated.calibration.mean("r2", "after") > calibrated.calibration.mean("r2", "before")
    assert calibrated.model_id in said[-1]
    assert "3995 estimates" in said[-1]
    assert (tmp_path / "our_rig.png").stat().st_size > 0
