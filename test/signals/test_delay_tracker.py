"""DelayTracker: the floor of delays by blocks of a quarter of a second, their scatter, and slow drifts."""

import pytest

from imu_emg_estimator.signals.delay_tracker import DelayTracker

BLOCK_NS = 250_000_000

MS = 1_000_000  # ns
PERIOD = 10 * MS
START = 1_700_000_000_000 * MS


def begun(delay: float = 5.0, scatter: float = 0.0) -> DelayTracker:
    tracker = DelayTracker()
    tracker.restart(START, round(delay * MS), round(scatter * MS))
    return tracker


def feed(tracker: DelayTracker, delays: list[float], start: int = START) -> list[int]:
    """Add delays [ms] every 10 ms; return the indices at which blocks ended."""
    return [index for index, delay in enumerate(delays, 1) if tracker.add(start + index * PERIOD, round(delay * MS))]


def test_blocks_end_every_quarter_of_a_second() -> None:
    tracker = begun()
    assert feed(tracker, [5.0] * 100) == [25, 50, 75, 100]
    assert tracker.blocks == 4


def test_block_tells_its_smallest_delay_and_the_step_of_the_floor() -> None:
    tracker = begun(5.0)
    feed(tracker, [9.0] * 12 + [7.0] + [9.0] * 12)
    assert (tracker.smallest, tracker.step) == (7 * MS, 2 * MS)
    assert tracker.floor.at(START + BLOCK_NS) == 5 * MS
    feed(tracker, [7.0] * 25, START + BLOCK_NS)
    assert (tracker.smallest, tracker.step) == (7 * MS, 2 * MS)
    assert tracker.floor.at(START + 2 * BLOCK_NS) == 7 * MS


def test_scatter_is_that_of_the_first_block_and_follows_by_a_quarter() -> None:
    tracker = begun(5.0)
    feed(tracker, [5.0, 9.0] * 12 + [5.0])
    first = 4 * MS * 12 // 25
    assert tracker.scatter == first
    feed(tracker, [5.0] * 25, START + BLOCK_NS)
    assert tracker.scatter == first - first // 4
    known = begun(5.0, scatter=2.0)
    feed(known, [5.0, 9.0] * 12 + [5.0])
    assert known.scatter == pytest.approx(2 * MS + (first - 2 * MS) // 4, abs=1)


def test_scatter_is_not_taken_anew_from_a_later_block() -> None:
    tracker = begun(5.0)
    feed(tracker, [5.0] * 25)
    assert tracker.scatter == 0
    feed(tracker, [5.0, 9.0] * 12 + [5.0], START + BLOCK_NS)
    assert tracker.scatter == 4 * MS * 12 // 25 // 4


@pytest.mark.parametrize("drift", [0.004, -0.004])
def test_tracker_tells_a_fast_drift_within_four_seconds(drift: float) -> None:
    tracker = begun()
    assert not tracker.is_drifting()
    feed(tracker, [5.0 + 10.0 * drift * index for index in range(1, 401)])
    assert tracker.is_drifting()
    assert tracker.drift == pytest.approx(drift, rel=1e-3)


@pytest.mark.parametrize("drift", [1e-4, -1e-4])
def test_tracker_tells_a_slow_drift_from_blocks_of_four_seconds(drift: float) -> None:
    tracker = begun()
    ended = feed(tracker, [5.0 + 10.0 * drift * index for index in range(1, 6401)])
    assert len(ended) == 256
    assert abs(tracker.floor.change()) < 3 * MS
    assert tracker.is_drifting()
    assert tracker.drift == pytest.approx(drift, rel=1e-3)


@pytest.mark.parametrize(("scatter", "drifting"), [(0.0, True), (0.5, True), (4.0, False)])
def test_drift_must_exceed_three_milliseconds_and_half_the_scatter(scatter: float, drifting: bool) -> None:
    """The floor changes by 4 ms over the blocks that are kept; so much is scatter where delays scatter."""
    tracker = begun()
    feed(tracker, [5.0 + 0.01 * index + (index % 5 > 0) * scatter * 1.25 for index in range(1, 401)])
    assert tracker.is_drifting() is drifting


@pytest.mark.parametrize(("drift", "drifting"), [(0.0007, False), (0.0009, True)])
def test_change_of_three_milliseconds_is_a_drift(drift: float, drifting: bool) -> None:
    tracker = begun()
    feed(tracker, [5.0 + 10.0 * drift * index for index in range(1, 401)])
    assert tracker.is_drifting() is drifting


@pytest.mark.parametrize("drift", [0.02, -0.02])
def test_drift_is_at_most_12_ms_a_second(drift: float) -> None:
    tracker = begun()
    feed(tracker, [5.0 + 10.0 * drift * index for index in range(1, 401)])
    assert abs(tracker.drift) == 0.012


def test_shift_moves_all_that_is_known() -> None:
    plain, shifted = begun(), begun()
    delays = [5.0 + 0.001 * index + index % 3 for index in range(1, 1301)]
    feed(plain, delays)
    feed(shifted, delays[:610])
    shifted.shift(-400 * MS)
    feed(shifted, [delay - 400.0 for delay in delays[610:]], START + 610 * PERIOD)
    now = START + 1300 * PERIOD
    assert shifted.floor.at(now) == pytest.approx(plain.floor.at(now) - 400 * MS, abs=2)
    assert shifted.slow_floor.at(now) == pytest.approx(plain.slow_floor.at(now) - 400 * MS, abs=2)
    assert shifted.scatter == pytest.approx(plain.scatter, abs=2)
    assert shifted.step == pytest.approx(plain.step, abs=2)


def test_cut_forgets_the_block_so_far() -> None:
    tracker = begun(5.0)
    feed(tracker, [1.0] * 10)
    tracker.cut(START + 10 * PERIOD, 100 * MS)
    assert feed(tracker, [8.0] * 20, START + 10 * PERIOD) == [10]
    assert (tracker.smallest, tracker.scatter) == (8 * MS, 0)


def test_restart_begins_anew() -> None:
    tracker = begun(5.0)
    feed(tracker, [5.0 + 0.1 * index for index in range(1, 1700)])
    tracker.restart(START, 30 * MS, 7 * MS)
    assert (tracker.blocks, tracker.scatter, tracker.step, tracker.smallest) == (0, 7 * MS, 0, 30 * MS)
    assert tracker.drift == 0.0
    assert not tracker.is_drifting()
    assert tracker.floor.at(START + 9 * BLOCK_NS) == 30 * MS
    assert feed(tracker, [31.0] * 25) == [25]
    assert (tracker.smallest, tracker.step) == (31 * MS, MS)
