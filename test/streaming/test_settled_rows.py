"""SettledRows: rows that statistics see late, without what was found wrong meanwhile."""

import numpy as np

from imu_emg_estimator.streaming.settled_rows import SettledRows

RATE = 60.0
DELAY = 15  # rows: a quarter of a second


def test_rows_come_out_in_order_after_they_settled() -> None:
    rows = SettledRows(2, RATE)
    out = [rows.push(np.full((2, 6), float(k))) for k in range(50)]
    assert np.isnan(out[:DELAY]).all()
    assert [row[0, 0] for row in out[DELAY:]] == list(range(50 - DELAY))


def test_sensor_found_wrong_is_masked_in_rows_that_have_not_settled() -> None:
    rows = SettledRows(2, RATE)
    for k in range(30):
        rows.push(np.full((2, 6), float(k)))
    rows.mask(1)
    out = [rows.push(np.full((2, 6), float(k))) for k in range(30, 60)]
    assert np.isnan([row[1] for row in out[:DELAY]]).all()
    assert np.isfinite([row[1] for row in out[DELAY:]]).all()
    assert np.isfinite([row[0] for row in out]).all()
