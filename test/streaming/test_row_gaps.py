"""RowGaps: what gaps that lie behind mean for the next one."""

from imu_emg_estimator.streaming.row_gaps import RowGaps

ROW_NS = 10_000_000


def test_gaps_long_past_do_not_prolong_that_of_a_sensor_with_another_fault() -> None:
    gaps, instant = RowGaps(), 0

    def rows(count: int, is_present: bool = True, is_masked: bool = False) -> None:
        nonlocal instant
        for _ in range(count):
            instant += ROW_NS
            gaps.note(instant, is_present, is_masked)

    for _ in range(4):
        rows(1, is_present=False)
        rows(20)
    assert gaps.recur
    assert gaps.is_held
    rows(100)
    rows(30, is_present=False, is_masked=True)
    rows(1)
    assert not gaps.recur
    assert not gaps.is_held
