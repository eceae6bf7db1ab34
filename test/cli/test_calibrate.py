"""`imu-emg calibrate`: the table of its figures."""

import numpy as np

from imu_emg_estimator.cli.calibrate import calibration_table


def test_calibration_table_shows_undefined_figures_as_na() -> None:
    figures = {"r_before": [0.5, 0.1], "r_after": [0.75, 0.2], "r2_before": [np.nan] * 2, "r2_after": [0.5, -1.0]}
    figures |= {"nrmse_before": [np.nan] * 2, "nrmse_after": [0.1, 0.2]}
    lines = calibration_table({"muscle_names": ["a", "b"], **figures}).splitlines()
    assert lines[2:] == [
        "| a | 0.50 → 0.75 | n/a → 0.50 | n/a → 0.10 |",
        "| b | 0.10 → 0.20 | n/a → -1.00 | n/a → 0.20 |",
    ]
