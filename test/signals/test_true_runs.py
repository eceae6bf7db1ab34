"""Runs of True are found with their start and stop."""

import numpy as np

from imu_emg_estimator.signals.true_runs import true_runs


def test_true_runs_leaves_out_short_ones() -> None:
    chosen = np.array([1, 1, 0, 1, 0, 0, 1, 1, 1], bool)
    assert true_runs(chosen, 1) == [(0, 2), (3, 4), (6, 9)]
    assert true_runs(chosen, 2) == [(0, 2), (6, 9)]
    assert true_runs(np.zeros(4, bool), 1) == []
    assert true_runs(np.ones(4, bool), 4) == [(0, 4)]
