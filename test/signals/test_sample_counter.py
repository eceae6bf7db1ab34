"""SampleCounter: arrivals smoothed by counting, through jitter, bursts, losses and pauses."""

import random
from itertools import pairwise

import pytest

from imu_emg_estimator.signals.sample_counter import SampleCounter

MS = 1_000_000  # ns
START = 1_700_000_000_000 * MS
FIRST = 50_000  # by the publisher's count


def count(
    arrivals: list[float], sequences: list[int] | None = None, counter: SampleCounter | None = None
) -> list[float | None]:
    """Return the instants of samples that arrive at these times, both in ms since the start."""
    counter = counter or SampleCounter()
    found = [
        counter.instant(START + round(arrival * MS), FIRST + sequences[index] if sequences else None)
        for index, arrival in enumerate(arrivals)
    ]
    return [None if instant is None else (instant - START) / MS for instant in found]


REGULAR = [10.0 * index for index in range(100)]  # until 990 ms


def known(counted: bool) -> SampleCounter:
    """Return a counter of samples every 10 ms, 5 ms before their arrivals, counted by their publisher or not."""
    counter = SampleCounter()
    counter.start(START - 5 * MS, 1, 10 * MS, FIRST if counted else None)
    counter.expect(START, 5 * MS)
    count(REGULAR[1:], list(range(1, 100)) if counted else None, counter)
    return counter


@pytest.mark.parametrize("period", [2.0, 10.0, 17.0])
@pytest.mark.parametrize("counted", [True, False])
def test_counter_learns_for_300_ms_and_leaves_regular_arrivals(period: float, counted: bool) -> None:
    arrivals = [period * index for index in range(400)]
    found = count(arrivals, list(range(400)) if counted else None)
    first = next(index for index, arrival in enumerate(arrivals) if arrival >= 300.0)
    assert found[:first] == [None] * first
    assert found[first:] == pytest.approx(arrivals[first:], abs=1e-3)


@pytest.mark.parametrize("burst", [2, 4, 10])
@pytest.mark.parametrize("counted", [True, False])
def test_counter_spreads_bursts_evenly_below_their_arrivals(burst: int, counted: bool) -> None:
    arrivals = [10.0 * (index - index % burst) for index in range(600)]
    found = count(arrivals, list(range(600)) if counted else None)
    later = [instant for instant in found[200:] if instant is not None]
    assert len(later) == 400
    for index, instant in enumerate(later, 200):
        assert instant == pytest.approx(10.0 * (index - burst + 1), abs=0.2)


def test_counter_learns_from_the_ends_of_four_bursts() -> None:
    found = count([10.0 * (index - index % 10) for index in range(60)])
    assert found[:40] == [None] * 40
    assert found[40:] == pytest.approx([10.0 * (index - 9) for index in range(40, 60)], abs=0.2)


def test_counter_learns_the_period_though_samples_are_lost_and_counted() -> None:
    numbers = [number for number in range(300) if number % 3]
    found = count([10.0 * number for number in numbers], numbers)
    assert found[-100:] == pytest.approx([10.0 * number for number in numbers[-100:]], abs=1e-3)


@pytest.mark.parametrize(("late", "lost"), [(16.9, False), (17.1, True), (26.9, False)])
def test_counter_takes_a_sample_for_lost_from_1_7_periods_on(late: float, lost: bool) -> None:
    """Late by that much, a sample is the next one, which then is laid a period or two after the last."""
    (instant,) = count([990.0 + late], counter=known(counted=False))
    assert instant == pytest.approx(990.0 + (late if lost else 10.0 * (1 + (late > 20.0))), abs=1e-3)


@pytest.mark.parametrize(
    ("step", "after"), [(2, 1010.0), (999, 1010.0), (-2, 980.0), (-999, -8990.0), (-1000, 1010.0), (0, 1010.0)]
)
def test_counter_follows_the_publishers_count_but_not_beyond_the_arrival(step: int, after: float) -> None:
    found = count([1000.0, 1010.0], [99 + step, 100 + step], known(counted=True))
    assert found == pytest.approx([after - 10.0, after], abs=0.2)


@pytest.mark.parametrize(("pause", "followed"), [(49.0, False), (51.0, True)])
def test_counter_follows_a_pause_of_50_ms_at_the_third_sample(pause: float, followed: bool) -> None:
    arrivals = [1000.0 + pause + 10.0 * index for index in range(5)]
    found = count(arrivals, list(range(100, 105)), known(counted=True))
    assert found[:2] == pytest.approx([1000.0, 1010.0], abs=1e-3)
    assert found[2:] == pytest.approx([x if followed else x - pause for x in arrivals[2:]], abs=1e-3)


def test_counter_takes_a_burst_after_a_gap_for_no_pause() -> None:
    """Ten samples were held back and come at once: all keep their instants."""
    arrivals = [1100.0 + 0.1 * index for index in range(10)] + [1100.0 + 10.0 * index for index in range(1, 9)]
    found = count(arrivals, list(range(100, 118)), known(counted=True))
    assert found[1:10] == pytest.approx([1010.0 + 10.0 * index for index in range(9)], abs=1e-3)
    assert found[10:] == pytest.approx([1100.0 + 10.0 * index for index in range(8)], abs=1e-3)


def test_counter_never_returns_an_instant_after_the_arrival() -> None:
    found = count([1000.0, 1008.0, 1016.0], [100, 101, 102], known(counted=True))
    assert found == pytest.approx([1000.0, 1008.0, 1016.0], abs=1e-3)


@pytest.mark.parametrize(("sequence", "instant"), [(7, 1015.0), (None, 1015.0)])
def test_counter_continues_after_a_known_sample(sequence: int | None, instant: float) -> None:
    counter = SampleCounter()
    counter.start(START + 1000 * MS, 1, 10 * MS, None if sequence is None else FIRST + sequence)
    counter.expect(START + 1002 * MS, 5 * MS)
    (found,) = count([1020.0], None if sequence is None else [8], counter)
    assert found == pytest.approx(instant, abs=1e-3)


def test_counter_continues_with_samples_lost_meanwhile() -> None:
    counted, uncounted = SampleCounter(), SampleCounter()
    for counter, sequence in ((counted, 7), (uncounted, None)):
        counter.start(START + 1000 * MS, 3, 10 * MS, None if sequence is None else FIRST + sequence)
        counter.expect(START + 1002 * MS, 5 * MS)
    assert count([1040.0], [10], counted) == pytest.approx([1035.0], abs=1e-3)
    assert count([1036.0], None, uncounted) == pytest.approx([1035.0], abs=1e-3)


def test_counter_learns_anew_after_restart() -> None:
    counter = known(counted=True)
    counter.restart()
    assert counter.period == 0
    found = count([2000.0 + 20.0 * index for index in range(20)], list(range(20)), counter)
    assert found[:15] == [None] * 15
    assert found[15:] == pytest.approx([2000.0 + 20.0 * index for index in range(15, 20)], abs=1e-3)
    assert counter.period == 20 * MS


def test_counter_takes_back_a_sample_that_was_late_and_not_lost() -> None:
    """The second sample takes the place of the first, which was taken for the one after a lost one."""
    found = count([1007.5, 1010.0, 1020.0], counter=known(counted=False))
    assert found == pytest.approx([1007.5, 1007.5, 1017.5], abs=0.3)


def test_counter_counts_every_sample_of_a_sensor_that_begins_to_send_bursts() -> None:
    arrivals = [1000.0 + 10.0 * (index - index % 4 + 3) for index in range(400)]
    found = count(arrivals, counter=known(counted=False))
    steps = [after - before for before, after in pairwise(found[-101:]) if before is not None and after is not None]
    assert steps == pytest.approx([10.0] * 100, abs=0.2)


def test_counter_sees_through_jitter() -> None:
    draw = random.Random(0)
    arrivals = [1000.0 + 10.0 * index + draw.uniform(0.0, 6.0) for index in range(1000)]
    found = count(arrivals, list(range(100, 1100)), known(counted=True))
    assert found == pytest.approx([995.0 + 10.0 * index + 5.0 for index in range(1000)], abs=1.5)


def test_counter_counts_the_samples_of_a_publisher_that_does_not() -> None:
    found = count([1000.0, 1010.0, 1020.0], [99, 99, 99], known(counted=True))
    assert found == pytest.approx([1000.0, 1010.0, 1020.0], abs=1e-3)


def test_counter_learns_from_200_samples_though_they_come_in_bursts_of_seventy() -> None:
    found = count([10.0 * (index - index % 70) for index in range(280)])
    assert found[:199] == [None] * 199
    assert found[210:280] == pytest.approx([10.0 * (index - 69) for index in range(210, 280)], abs=0.2)


def test_counter_learns_anew_when_the_publisher_counts_anew_meanwhile() -> None:
    counter = SampleCounter()
    found = count(REGULAR, [*range(500, 520), *range(80)], counter)
    assert counter.period == 10 * MS
    assert found[60:] == pytest.approx(REGULAR[60:], abs=1e-3)


@pytest.mark.parametrize(("shift", "followed"), [(29.0, False), (31.0, True)])
def test_counter_follows_a_delay_within_a_block_from_15_ms_and_one_and_a_half_periods_on(
    shift: float, followed: bool
) -> None:
    arrivals = [1000.0 + shift + 10.0 * index for index in range(50)]
    found = count(arrivals, list(range(100, 150)), known(counted=True))
    assert found[40:] == pytest.approx([x if followed else x - shift for x in arrivals[40:]], abs=1e-3)


@pytest.mark.parametrize(("period", "learned", "after"), [(11.2, 10.0, None), (11.5, 11.5, 88), (13.0, 13.0, 80)])
def test_counter_learns_anew_after_three_blocks_that_are_off(period: float, learned: float, after: int | None) -> None:
    """In bursts of two, with another period than before: a block of a quarter of a second is off by 30 ms or more."""
    counter = known(counted=True)
    found = count([1000.0 + period * (index - index % 2 + 1) for index in range(200)], list(range(100, 300)), counter)
    assert counter.period == learned * MS
    assert (found.index(None) if None in found else None) == after


def with_late_ones(first: int, places: list[int], late: float) -> list[float]:
    """Return arrivals from a number on; those in these places are late, and the next ones follow them closely."""
    return [10.0 * index + (late if index in places else 0.0) for index in range(first, places[-1] + 2)]


@pytest.mark.parametrize(
    ("late", "between", "counted"), [(6.2, 4, False), (6.2, 5, True), (5.8, 4, True)], ids=lambda value: str(value)
)
def test_counter_counts_losses_until_a_tenth_of_the_intervals_is_short(
    late: float, between: int, counted: bool
) -> None:
    """Short is less than two fifths of a period; the share is that of some sixteen samples."""
    arrivals = with_late_ones(100, [100, 101 + between], late)
    found = count([*arrivals, 10.0 * (104 + between)], counter=known(counted=False))
    assert found[-1] == pytest.approx(10.0 * (104 + between - (not counted)), abs=1e-3)


@pytest.mark.parametrize(
    ("shorts", "late", "counted"),
    [(0, 0.0, True), (3, 6.1, True), (4, 6.1, False), (4, 5.95, True)],
    ids=lambda value: str(value),
)
def test_counter_learns_whether_samples_come_in_bursts(shorts: int, late: float, counted: bool) -> None:
    """Of the thirty intervals learned from, at most three may be short, or a sample lost at once is not counted."""
    arrivals = with_late_ones(0, [2 + 5 * index for index in range(shorts)] or [0], late)
    arrivals += [10.0 * index for index in range(len(arrivals), 31)]
    found = count([*arrivals, 320.0])
    assert found[30] is not None
    assert found[-1] == pytest.approx(320.0 if counted else 310.0, abs=1e-3)


def test_counter_counts_a_loss_after_one_short_interval_at_the_beginning() -> None:
    counter = SampleCounter()
    counter.start(START - 5 * MS, 1, 10 * MS, None)
    counter.expect(START, 5 * MS)
    assert count([16.2, 20.0, 40.0], counter=counter) == pytest.approx([10.0, 20.0, 40.0], abs=1e-3)


def test_counter_expects_the_next_of_uncounted_samples_after_the_lost_ones() -> None:
    """The third sample after the known one is due at 1035 ms; one that comes sooner is not taken for an earlier one."""
    counter = SampleCounter()
    counter.start(START + 1000 * MS, 3, 10 * MS, None)
    counter.expect(START + 1002 * MS, 5 * MS)
    assert count([1027.5], counter=counter) == pytest.approx([1027.5], abs=1e-3)


def delayed(*late: float) -> list[float]:
    """Return the instants after 990 ms of samples that are late by so many ms, less their places."""
    arrivals = [1000.0 + 10.0 * index + delay for index, delay in enumerate(late)]
    found = count(arrivals, list(range(100, 100 + len(late))), known(counted=True))
    return [round(instant - 1000.0 - 10.0 * index, 3) for index, instant in enumerate(found) if instant is not None]


def test_counter_follows_a_pause_at_the_third_late_sample_in_a_row() -> None:
    assert delayed(60.0, 60.0, 0.0, 60.0, 60.0, 60.0) == [0.0, 0.0, 0.0, 0.0, 0.0, 60.0]
    assert delayed(60.0, 60.0, 60.0, 120.0, 120.0, 120.0) == [0.0, 0.0, 60.0, 60.0, 60.0, 120.0]
    assert delayed(60.0, 51.0, 60.0, 60.0, 60.0) == [0.0, 0.0, 0.0, 0.0, 60.0]  # the second came in a burst


def test_counter_follows_a_pause_right_after_the_known_sample() -> None:
    counter = SampleCounter()
    counter.start(START - 5 * MS, 1, 10 * MS, FIRST)
    counter.expect(START, 5 * MS)
    assert count([70.0, 80.0, 90.0], [1, 2, 3], counter) == pytest.approx([10.0, 20.0, 90.0], abs=1e-3)
