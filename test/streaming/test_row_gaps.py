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


def test_gap_is_felt_for_a_tenth_of_a_second_unless_the_samples_were_wrong() -> None:
    def felt(rows: int, is_masked: bool = False) -> int:
        gaps = RowGaps()
        for index in range(rows):
            gaps.note(index * ROW_NS, False, is_masked)
        found = []
        for index in range(rows, rows + 30):
            gaps.note(index * ROW_NS, True, False)
            found.append(gaps.is_felt)
        return sum(found)

    assert [felt(rows) for rows in (1, 6)] == [9, 9]
    assert felt(6, is_masked=True) == 0
