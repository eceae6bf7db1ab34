"""Pauses of the input: repeated ones are one condition."""

from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.streaming.repeated_pauses import RepeatedPauses

MILLISECOND = SECOND // 1000


def pause(pauses: RepeatedPauses, begin: int, duration: float) -> None:
    """Note a pause from an instant [ms] twice, and its end."""
    for at in (begin, begin + 10):
        pauses.note(at * MILLISECOND, duration)
    pauses.end()


def test_a_single_pause_is_over_at_once() -> None:
    pauses = RepeatedPauses()
    pause(pauses, 5000, 0.2)
    assert not pauses.go_on(5020 * MILLISECOND)
    pause(pauses, 8000, 0.2)
    assert not pauses.go_on(8020 * MILLISECOND)


def test_pauses_that_follow_each_other_go_on_for_a_second() -> None:
    pauses = RepeatedPauses()
    for begin, duration in ((5000, 0.2), (5200, 0.3), (6500, 0.2)):
        pause(pauses, begin, duration)
    assert pauses.go_on(7500 * MILLISECOND)
    assert pauses.longest == 0.3
    assert not pauses.go_on(7520 * MILLISECOND)


def test_silence_before_the_pauses_does_not_count_as_the_longest_of_them() -> None:
    pauses = RepeatedPauses()
    for begin, duration in ((5000, 60.0), (5200, 0.2), (5500, 0.25)):
        pause(pauses, begin, duration)
    assert pauses.go_on(5520 * MILLISECOND)
    assert pauses.longest == 0.25


def test_pauses_do_not_go_on_when_the_clock_is_put_back() -> None:
    pauses = RepeatedPauses()
    pause(pauses, 5000, 0.2)
    pause(pauses, 5200, 0.2)
    assert not pauses.go_on(1000 * MILLISECOND)
    pause(pauses, 1000, 0.2)
    assert not pauses.go_on(1020 * MILLISECOND)
