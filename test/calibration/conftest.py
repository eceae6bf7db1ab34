"""Fixtures of the calibration tests."""

from pathlib import Path

import pytest
from fixtures.timed_calibrations import FIRST, SECOND, THIRD, calibrated

from imu_emg_estimator.calibration.calibration_store import store_calibration
from imu_emg_estimator.model.bundle import Bundle


@pytest.fixture
def three(bundle: Bundle, tmp_path: Path) -> Path:
    """A store with three calibrations of one subject, the third in use."""
    for time in (FIRST, SECOND, THIRD):
        store_calibration(tmp_path, calibrated(bundle, time))
    return tmp_path
