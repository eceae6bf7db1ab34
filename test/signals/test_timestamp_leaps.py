"""Leaps of a clock told from single impossible timestamps, and long steps from samples stamped late."""

import pytest

from imu_emg_estimator.signals.timestamp_leaps import CountedPause, LongSteps, SuspectedLeap

MS = 1_000_000  # ns
PERIOD = 10 * MS


def agree(times: list[float], delays: list[float], indices: list[int]) -> list[bool]:
    """Whether each impossible timestamp [ms] with its delay [ms] shows a leap."""
    leap = SuspectedLeap()
    return [
        leap.add(round(time * MS), round(delay * MS), PERIOD, index)
        for time, delay, index in zip(times, delays, indices, strict=True)
    ]


@pytest.mark.parametrize(
    ("times", "delays", "indices", "expected"),
    [
        ([1000, 1010, 1020], [-400, -400, -400], [7, 8, 9], True),
        ([1000, 1010, 1020], [-400, -371, -400], [7, 8, 9], True),  # within 30 ms
        ([1000, 1010, 1020], [-400, -370, -400], [7, 8, 9], False),
        ([1000, 1010, 1020], [-400, -425, -396], [7, 8, 9], True),  # of the smallest that agree
        ([1000, 1010, 1020], [-400, -425, -395], [7, 8, 9], False),
        ([1000, 1003, 1006], [-400, -400, -400], [7, 8, 9], True),  # 0.3 periods apart
        ([1000, 1003, 1005.9], [-400, -400, -400], [7, 8, 9], False),
        ([1000, 1000, 1000], [-400, -400, -400], [7, 8, 9], False),  # one timestamp, sent again
        ([1000, 1020, 1040], [-400, -400, -400], [7, 9, 11], True),  # good ones between them
        ([1000, 1020, 1050], [-400, -400, -400], [7, 9, 12], False),
    ],
)
def test_leap_is_told_when_three_timestamps_in_a_row_agree(
    times: list[float], delays: list[float], indices: list[int], expected: bool
) -> None:
    assert agree(times, delays, indices) == [False, False, expected]


def test_leap_knows_the_smallest_delay_of_those_that_agree() -> None:
    leap = SuspectedLeap()
    for index, delay in enumerate((900, -400, -410, -395)):
        leap.add(1000 * MS + index * PERIOD, delay * MS, PERIOD, index)
    assert leap.delay == -410 * MS


def test_leap_is_forgotten_when_timestamps_are_possible_again() -> None:
    leap = SuspectedLeap()
    for index in (1, 2):
        leap.add(1000 * MS + index * PERIOD, -400 * MS, PERIOD, index)
    leap.clear()
    assert not leap.add(1000 * MS + 3 * PERIOD, -400 * MS, PERIOD, 3)


def test_leaps_are_too_many_from_the_fourth_on_and_are_forgotten_slowly() -> None:
    leap = SuspectedLeap()
    assert [leap.count() for _ in range(4)] == [False, False, False, True]
    leap.end_block()
    assert leap.count()


@pytest.mark.parametrize(("blocks", "many"), [(9, True), (10, False)])
def test_leaps_are_forgotten_by_a_twentieth_a_block(blocks: int, many: bool) -> None:
    leap = SuspectedLeap()
    for _ in range(4):
        leap.count()
    for _ in range(blocks):
        leap.end_block()
    assert leap.count() is many  # 4 * 0.95 ** 9 = 2.52


def test_long_step_is_believed_until_the_next_timestamp_lies_before_its_end() -> None:
    steps = LongSteps()
    assert steps.may_take(1000, 5)
    assert steps.taken_back(1500, 2000, 6) == 1000
    assert not steps.may_take(2000, 20)


@pytest.mark.parametrize(
    ("timestamp", "index"), [(1000, 6), (999, 6), (2000, 6), (2001, 6), (1500, 7), (1500, 5)]
)  # not within the step from 1000 to 2000, or not the next sample
def test_long_step_stays_believed_otherwise(timestamp: int, index: int) -> None:
    steps = LongSteps()
    assert steps.may_take(1000, 5)
    assert steps.taken_back(timestamp, 2000, index) is None
    assert steps.may_take(2000, 20)


def test_long_step_right_after_another_is_believed() -> None:
    steps = LongSteps()
    steps.may_take(1000, 5)
    assert steps.taken_back(1500, 2000, 6) == 1000
    assert not steps.may_take(2000, 20)
    assert steps.may_take(2100, 21)


def test_long_steps_are_believed_where_one_in_six_or_fewer_are_taken_back() -> None:
    steps, believed = LongSteps(), []
    for number in range(60):
        believed.append(steps.may_take(1000 * number, 10 * number))
        if number % 6 == 5:
            steps.taken_back(1000 * number + 500, 1000 * number + 900, 10 * number + 1)
    assert all(believed)


@pytest.mark.parametrize(("taken_back", "explained"), [(1, 4), (2, 9), (4, 16), (50, 16)])
def test_long_steps_are_doubted_until_five_times_as_many_follow_each_other(taken_back: int, explained: int) -> None:
    """A step right after another explains it; what was long ago does not count."""
    steps = LongSteps()
    for number in range(taken_back):
        steps.may_take(1000 * number, 2 * number)
        steps.taken_back(1000 * number + 500, 1000 * number + 900, 2 * number + 1)
    assert not any(steps.may_take(0, index) for index in range(200, 300, 2))
    for index in range(299, 299 + explained - 1):
        assert steps.may_take(0, index)
    assert not steps.may_take(0, 400)
    assert steps.may_take(0, 401)
    assert steps.may_take(0, 500)


def test_long_steps_are_believed_from_the_start_and_from_clear() -> None:
    steps = LongSteps()
    assert steps.may_take(1000, 0)
    steps.taken_back(1500, 2000, 1)
    steps.clear()
    assert steps.may_take(1000, 40)


@pytest.mark.parametrize(("beyond", "is_left_out"), [(14, False), (16, True)])
def test_counted_pause_leaves_out_the_sample_after_one_and_a_half_periods_too_many(
    beyond: int, is_left_out: bool
) -> None:
    pause = CountedPause()
    assert pause.ends_with(1000, 1003, 7, beyond, 10) is is_left_out
    assert pause.ends_with(1010, 1013, 8, 300, 10) is not is_left_out, "one sample is left out, not the next, too"


@pytest.mark.parametrize(
    ("timestamp", "arrival", "index", "is_burst"),
    [(1001, 1004, 8, True), (1010, 1004, 8, False), (1001, 1013, 8, False), (1001, 1004, 9, False)],
)
def test_counted_pause_hid_a_burst_where_the_next_sample_comes_and_is_stamped_with_the_first(
    timestamp: int, arrival: int, index: int, is_burst: bool
) -> None:
    pause = CountedPause()
    pause.ends_with(1000, 1003, 7, 90, 10)
    assert pause.hid_burst(timestamp, arrival, index, 10) is is_burst
