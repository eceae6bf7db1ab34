"""TimestampRegularity: how many flawed timestamps are too many, and the period and jitter of the others."""

import pytest

from imu_emg_estimator.signals.timestamp_regularity import Flaw, TimestampRegularity, flaw_of

MS = 1_000_000  # ns
PERIOD = 10 * MS


@pytest.mark.parametrize(
    ("timestamp", "step", "flaw"),
    [
        (0, PERIOD, Flaw.ZERO),
        (-1, PERIOD, Flaw.ZERO),
        (1, 1, None),
        (PERIOD, 0, Flaw.REPEATED),
        (PERIOD, -1, Flaw.IRREGULAR),
        (PERIOD, PERIOD, None),
    ],
)
def test_flaw_of_a_timestamp(timestamp: int, step: int, flaw: Flaw | None) -> None:
    assert flaw_of(timestamp, step) is flaw


def begun(period: int = PERIOD, jitter: int = 0, index: int = 1000) -> TimestampRegularity:
    """Regularity of timestamps at a known period, whose first block begins at an index."""
    regularity = TimestampRegularity()
    regularity.begin(index, index * period, None, period, jitter)
    return regularity


@pytest.mark.parametrize(("apart", "too_many"), [((0, 1, 2, 3), True), ((0, 2, 5, 7), True), ((0, 2, 5, 8), False)])
def test_four_flaws_among_eight_samples_are_too_many_at_once(apart: tuple[int, ...], too_many: bool) -> None:
    regularity = begun()
    assert [regularity.note(Flaw.ZERO, 1100 + index) for index in apart] == [False] * 3 + [too_many]


@pytest.mark.parametrize(("every", "too_many"), [(2, True), (3, False)])
def test_flaws_are_too_many_above_two_fifths_of_the_samples(every: int, too_many: bool) -> None:
    """Of every three samples two are flawed where every third is good, so spread that no eight have four."""
    regularity = begun()
    found = [regularity.note(Flaw.ZERO, 1000 + 3 * number) for number in range(1, 30)]
    assert not any(found)
    share = [regularity.note(Flaw.ZERO, 1090 + every * number) for number in range(1, 60)]
    assert any(share) is too_many


def test_fewer_than_four_flaws_are_never_too_many() -> None:
    regularity = begun()
    assert not any(regularity.note(Flaw.ZERO, 1001) for _ in range(3))
    assert regularity.note(Flaw.ZERO, 1009)


@pytest.mark.parametrize(("after", "too_many"), [(5, True), (6, False)])
def test_flaws_of_earlier_blocks_count_by_four_fifths(after: int, too_many: bool) -> None:
    """Of 10 samples 8, of the next 5 none: the next one makes 7.4, and two fifths of 13 and those after are fewer."""
    regularity = begun()
    for index in range(8):
        regularity.note(Flaw.ZERO, 1001 + index)
    regularity.end_block(1010, 1010 * PERIOD, None, PERIOD)
    regularity.end_block(1015, 1015 * PERIOD, None, PERIOD)
    assert regularity.note(Flaw.ZERO, 1015 + after) is too_many


def test_flaw_is_the_most_frequent_one_of_late() -> None:
    regularity = begun()
    assert regularity.flaw is Flaw.IRREGULAR
    for index in range(6):
        regularity.note(Flaw.ZERO, 1001 + 10 * index)
    for index in range(4):
        regularity.note(Flaw.REPEATED, 1061 + 10 * index)
    assert regularity.flaw is Flaw.ZERO
    regularity.end_block(1110, 1110 * PERIOD, None, PERIOD)  # 4.8 and 3.2
    regularity.note(Flaw.REPEATED, 1120)
    assert regularity.flaw is Flaw.ZERO
    regularity.note(Flaw.REPEATED, 1130)
    assert regularity.flaw is Flaw.REPEATED


def test_block_is_regular_without_flaws() -> None:
    regularity = begun()
    assert regularity.end_block(1025, 1025 * PERIOD, None, PERIOD)
    regularity.note(Flaw.IRREGULAR, 1030)
    assert not regularity.end_block(1050, 1050 * PERIOD, None, PERIOD)
    assert regularity.end_block(1075, 1075 * PERIOD, None, PERIOD)


def measured(elapsed: int, samples: int, numbers: int | None = None) -> int:
    """Period [ns] after a block of so many ns, samples, and numbers of the publisher, if it counts."""
    regularity = TimestampRegularity()
    regularity.begin(1000, 50 * PERIOD, None if numbers is None else 7, PERIOD, 0)
    timestamp, sequence = 50 * PERIOD + elapsed, None if numbers is None else 7 + numbers
    regularity.end_block(1000 + samples, timestamp, sequence, PERIOD)
    return regularity.period


@pytest.mark.parametrize(
    ("elapsed", "samples", "numbers", "period"),
    [
        (250 * MS, 25, None, 10.0),
        (300 * MS, 25, None, 10.5),  # a quarter of the difference
        (200 * MS, 25, None, 9.5),
        (310 * MS, 25, None, 10.6),
        (313 * MS, 25, None, 10.0),  # samples were lost, nobody knows how many
        (1000 * MS, 25, 100, 10.0),  # lost, and counted
        (1100 * MS, 25, 100, 10.25),
        (200 * MS, 25, 10, 10.0),  # too far off to be measured
        (250 * MS, 25, 0, 10.0),  # the publisher began to count anew
        (250 * MS, 25, -5, 10.0),
    ],
)
def test_period_is_measured_over_a_block(elapsed: int, samples: int, numbers: int | None, period: float) -> None:
    assert measured(elapsed, samples, numbers) == pytest.approx(period * MS, abs=2)


def test_period_is_not_measured_over_a_leap() -> None:
    regularity = begun()
    regularity.leap()
    regularity.end_block(1025, 1025 * PERIOD + 50 * MS, None, PERIOD)
    assert regularity.period == PERIOD
    regularity.end_block(1050, 1050 * PERIOD + 70 * MS, None, PERIOD)
    assert regularity.period == PERIOD + 20 * MS // 25 // 4


@pytest.mark.parametrize(
    ("before", "step", "after"),
    [
        (0, 10.0, 0.0),
        (0, 11.0, 0.025),  # grows to an eighth of a fiftieth of the period at most
        (0, 30.16, 0.02),  # counts lost samples
        (0, 29.84, 0.02),
        (4.0, 11.0, 3.625),
        (1.0, 19.0, 1.0),
        (1.0, 14.0, 1.15),
    ],
)
def test_jitter_follows_what_steps_differ_from_whole_periods(before: float, step: float, after: float) -> None:
    regularity = begun(jitter=round(before * MS))
    regularity.end_block(1025, 1025 * PERIOD, None, round(step * MS))
    assert regularity.jitter == pytest.approx(after * MS, abs=2)


def changed_at(step: float, counted: bool, apart: int = 1) -> int | None:
    """Number of the odd step [ms] at which the period changes, of steps that many samples apart."""
    regularity = begun(jitter=MS)
    for number in range(20):
        timestamp, index = 1000 * PERIOD + round(number * apart * step * MS), 1000 + number * apart
        if regularity.has_changed(timestamp, number if counted else None, index):
            assert (regularity.period, regularity.jitter) == (round(step * MS), round(step * MS) // 10)
            return number
    assert regularity.period == PERIOD
    return None


@pytest.mark.parametrize(
    ("step", "counted", "changes"),
    [
        (5.0, False, True),
        (2.5, False, True),
        (2.4, False, False),  # bursts
        (10.0, False, False),
        (12.4, False, False),
        (12.6, False, True),
        (20.0, False, False),  # samples were lost
        (20.0, True, True),  # none was
    ],
)
def test_period_changes_where_odd_steps_are_alike(step: float, counted: bool, changes: bool) -> None:
    assert changed_at(step, counted) == (3 if changes else None)


@pytest.mark.parametrize(("apart", "number"), [(1, 3), (2, 3), (3, None)])
def test_period_does_not_change_by_single_odd_steps(apart: int, number: int | None) -> None:
    assert changed_at(5.0, False, apart) == number


def test_restart_forgets_flaws_and_period() -> None:
    regularity = begun()
    for index in range(3):
        regularity.note(Flaw.ZERO, 1001 + index)
    regularity.restart()
    assert regularity.period == 0
    regularity.begin(2000, 0, None, PERIOD, 0)
    assert not regularity.note(Flaw.REPEATED, 2001)
    assert regularity.flaw is Flaw.REPEATED
