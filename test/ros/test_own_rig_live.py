"""The page docs/own_rig.md to its end: the node estimates live with the calibration."""

from pathlib import Path

import pytest
from fixtures.made_up_lab import SENSORS
from fixtures.page_runs import PageRun

from imu_emg_estimator.model.bundle import Bundle


@pytest.mark.slow
def test_page_leads_to_a_calibrated_live_estimate_of_the_node(tmp_path: Path) -> None:
    said = PageRun(tmp_path, "mat").follow(live=True)
    calibrated = Bundle.load(tmp_path / "eva.safetensors")
    assert (calibrated.rig.sensor_names, calibrated.rig.movement_names) == (SENSORS, ("squat",))
    assert calibrated.calibration is not None
    assert calibrated.calibration.mean("r2", "after") > calibrated.calibration.mean("r2", "before")
    assert calibrated.model_id in said[-1]
    assert "100.0 estimates a second" in said[-1] or " estimates: " in said[-1]
