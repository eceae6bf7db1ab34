"""Clocks that disagree are brought to one; timestamps that leap, or do not advance, are followed as live."""

import numpy as np
import pytest
from fixtures.simulated_arrivals import (
    Fault,
    constant,
    every_nth_on_arrival,
    in_bursts,
    lost,
    ns,
    sensor,
    sharing_timestamps,
    shifted,
)
from numpy.typing import NDArray

from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.topic_clocks import (
    _clock,
    _is_complete,
    _keeps_time,
    _prompt_delays,
    _windows,
    follow_clock,
    leaps,
    plausible_receipts,
    receipts_are_useless,
    reconcile,
)

Instants = NDArray[np.int64]
START = 1_700_000_000 * SECOND
USUAL_DELAY_NS = SECOND * 4 // 1000


def span_ns(seconds: NDArray[np.float64] | float) -> Instants:
    return np.round(np.asarray(seconds) * SECOND).astype(np.int64)


def steady(rate: float = 100.0, seconds: float = 30.0) -> Instants:
    return START + span_ns(np.arange(round(rate * seconds)) / rate)


def transported(timestamps: Instants, seed: int, delay: float = 0.003, jitter: float = 0.004) -> Instants:
    """Times of receipt: a delay, now and then much more."""
    late = delay + np.random.default_rng(seed).exponential(jitter, len(timestamps))
    return np.sort(timestamps + span_ns(late))


def test_reconcile_keeps_transport_delay() -> None:
    """Two hundred milliseconds of radio are no other clock: the timestamps know better."""
    timestamps = [steady(), steady(50.0), steady(20.0)]
    receipts = [transported(timestamps[seed], seed, delay) for seed, delay in enumerate((0.003, 0.01, 0.2))]
    results, _, clocks = reconcile(timestamps, receipts, [0, 1])
    for timestamp, result, clock in zip(timestamps, results, clocks, strict=True):
        np.testing.assert_array_equal(result, timestamp)
        assert not clock.corrected
    assert clocks[2].offset == pytest.approx(0.19, abs=0.02)


@pytest.mark.parametrize("offset", [-1e9, -37.0, 0.5, 5.0, 1e6])
@pytest.mark.parametrize("drift", [0.0, 1e-3, -0.01])
def test_reconcile_corrects_other_clock(offset: float, drift: float) -> None:
    true = steady()
    receipts = [transported(true, seed) for seed in range(4)]
    timestamps = [true, true, true, true + span_ns(offset + drift * np.arange(len(true)) / 100.0)]
    results, _, clocks = reconcile(timestamps, receipts, [0, 1, 2])
    assert clocks[3].corrected
    assert clocks[3].drift == pytest.approx(-drift * 30, abs=0.003)
    assert np.abs(results[3] - true).max() < span_ns(0.01)
    for result in results[:3]:
        np.testing.assert_array_equal(result, true)


def test_reconcile_tolerates_one_bad_reference_clock() -> None:
    true = steady()
    receipts = [transported(true, seed) for seed in range(3)]
    results, _, clocks = reconcile([true, true + span_ns(100.0), true], receipts, [0, 1, 2])
    assert [clock.corrected for clock in clocks] == [False, True, False]
    assert np.abs(results[1] - true).max() < span_ns(0.01)


def test_reconcile_fills_absent_timestamps() -> None:
    true = steady()
    receipts = [transported(true, seed) for seed in range(3)]
    zeros = np.zeros_like(true)
    results, arrivals, clocks = reconcile([true, zeros, None], receipts, [0])
    assert [clock.missing for clock in clocks] == [0.0, 1.0, 1.0]
    for index in (1, 2):
        assert np.median(np.abs(results[index] - true)) < span_ns(0.006)
        np.testing.assert_array_equal(results[index], arrivals[index])


def test_reconcile_fills_some_missing_timestamps() -> None:
    true = steady()
    some = np.where(np.arange(len(true)) % 10 == 3, 0, true)
    results, _, clocks = reconcile([true, some], [transported(true, seed) for seed in range(2)], [0])
    assert clocks[1].missing == pytest.approx(0.1)
    assert np.abs(results[1] - true).max() < span_ns(0.05)
    np.testing.assert_array_equal(results[1][some != 0], true[some != 0])


def test_reconcile_ignores_shared_jumps_and_recorder_lag() -> None:
    true = steady()
    jumped = true + np.where(np.arange(len(true)) > 1700, span_ns(1000.0), 0)
    lagging = [transported(true, seed) + span_ns(0.1 * np.arange(len(true)) / len(true)) for seed in range(3)]
    results, _, clocks = reconcile([jumped] * 3, lagging, [0, 1])
    for result, clock in zip(results, clocks, strict=True):
        np.testing.assert_array_equal(result, jumped)
        assert not clock.corrected


def test_reconcile_keeps_wandering_clock() -> None:
    """Neither an offset nor a drift: nothing could be put right."""
    true = steady()
    wandering = true + span_ns(0.2 * np.sin(np.arange(len(true)) / 300.0))
    results, _, clocks = reconcile([true, wandering], [transported(true, seed) for seed in range(2)], [0])
    assert not clocks[1].corrected
    np.testing.assert_array_equal(results[1], wandering)


def test_receipts_are_useless_when_constant_or_copied() -> None:
    true = steady()
    assert receipts_are_useless([true, true], [np.full_like(true, START)] * 2)
    assert not receipts_are_useless([true, np.zeros_like(true)], [transported(true, 0)] * 2)
    rolled_over = true.copy()
    rolled_over[[0, 5, 100]] = (1 << 63) - 1
    np.testing.assert_array_equal(plausible_receipts(rolled_over)[[5, 100]], true[[4, 99]])
    assert plausible_receipts(rolled_over).max() == true.max()


@pytest.mark.parametrize(("share", "useless"), [(0.095, True), (0.105, False)])
def test_receipts_are_useless_when_they_span_under_a_tenth(share: float, useless: bool) -> None:
    timestamps = steady()
    receipts = START + np.round((timestamps - START) * share).astype(np.int64)
    assert receipts_are_useless([timestamps], [receipts]) is useless


def test_plausible_receipts_keep_good_and_hopeless_ones() -> None:
    good = steady()
    assert plausible_receipts(good) is good
    scattered = np.array([0, 10_000_000, 20_000_000, 30_000_000]) * SECOND
    assert plausible_receipts(scattered) is scattered


def test_reconcile_fills_missing_timestamps_by_the_delay_of_their_topic() -> None:
    true = steady()
    some = np.where(np.arange(len(true)) % 10 == 3, 0, true)
    results, _, _ = reconcile([true, some], [transported(true, 0), transported(true, 1, delay=0.2)], [0])
    assert np.abs(results[1] - true).max() < span_ns(0.05)


def test_receipts_are_useless_only_for_most_topics() -> None:
    timestamps = steady()
    copied = np.full_like(timestamps, START)
    assert not receipts_are_useless([timestamps, timestamps], [timestamps, copied])
    assert receipts_are_useless([timestamps] * 3, [timestamps, copied, copied])


@pytest.mark.parametrize(("zeros", "missing"), [(50, 0.5), (51, 1.0)])  # of a hundred
def test_reconcile_uses_timestamps_that_are_there_for_half_of_the_messages(zeros: int, missing: float) -> None:
    true = steady()
    some = np.where(np.arange(len(true)) * 37 % 100 < zeros, 0, true)
    _, _, clocks = reconcile([true, some], [transported(true, seed) for seed in range(2)], [0])
    assert clocks[1].missing == pytest.approx(missing)


@pytest.mark.parametrize("fault", [lambda s: s, lost(0.3), in_bursts(4, stamped=False), shifted(0.03)])
def test_follow_clock_leaves_regular_timestamps_alone(fault: Fault) -> None:
    samples = fault(sensor(0))
    assert follow_clock(samples.timestamps, ns(samples.arrivals) - USUAL_DELAY_NS) is None


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (shifted(-5.0, 5.0), "its clock leaps: reconciled by receive times"),
        (shifted(0.4, 5.0), "its clock leaps: reconciled by receive times"),
        (constant(0), "its timestamps are zero: replaced by receive times"),
        (sharing_timestamps(4, 0), "its timestamps are shared by several samples: replaced by receive times"),
        (in_bursts(8, stamped=True), "its timestamps are irregular: replaced by receive times"),
    ],
)
def test_follow_clock_aligns_to_milliseconds(fault: Fault, words: str) -> None:
    samples = fault(sensor(0))
    followed = follow_clock(samples.timestamps, ns(samples.arrivals) - USUAL_DELAY_NS)
    assert followed is not None
    assert followed.fault == words
    assert followed.kept.mean() > 0.97
    errors = (followed.instants - ns(samples.true))[followed.kept & (samples.true > 1.0)] / SECOND
    assert np.percentile(np.abs(errors), 99) < 0.005


def test_follow_clock_leaves_out_samples_stamped_late() -> None:
    samples = every_nth_on_arrival(7, 0.04)(sensor(0))
    followed = follow_clock(samples.timestamps, ns(samples.arrivals) - USUAL_DELAY_NS)
    assert followed is not None
    errors = (followed.instants - ns(samples.true))[followed.kept & (samples.true > 1.0)] / SECOND
    assert (np.abs(errors) < 0.005).mean() > 0.97


def test_leaps_are_those_of_timestamps_alone() -> None:
    samples = sensor(0)
    leapt = shifted(3.0, 5.0)(samples).timestamps
    assert leaps(leapt, ns(samples.arrivals))
    assert not leaps(leapt, ns(samples.arrivals) + (leapt - samples.timestamps))


@pytest.mark.parametrize(("seconds", "windows"), [(10.0, 10), (63.5, 63), (100.0, 64)])
def test_windows_are_seconds_and_at_most_64(seconds: float, windows: int) -> None:
    assert len(_windows(steady(100.0, seconds + 0.02))) == windows + 1


def test_prompt_delay_is_the_tenth_percentile_of_a_window() -> None:
    delays = np.arange(101.0)
    assert _prompt_delays(delays, START + np.arange(101), np.array([START, START + 101.0])) == pytest.approx([10.0])


@pytest.mark.parametrize(
    ("offset", "drift", "scatter", "corrected"),
    [
        (0.245, 0.0, 0.0, False),
        (0.255, 0.0, 0.0, True),
        (0.0, 0.019, 0.0, False),
        (0.0, 0.021, 0.0, True),
        (1.0, 0.0, 0.049, True),
        (1.0, 0.0, 0.051, False),
        (0.0, 0.058, 0.01, False),
        (0.0, 0.062, 0.01, True),
    ],
)
def test_clock_is_corrected_at_a_quarter_of_a_second_or_20_ms_of_drift_unless_it_wanders(
    offset: float, drift: float, scatter: float, corrected: bool
) -> None:
    centres = START + SECOND * (np.arange(40) + 0.5)
    turns = np.where(np.arange(40) // 2 % 2, -scatter, scatter)
    behind = offset + drift * (np.arange(40) - 19.5) / 40 + turns
    assert _clock(behind, centres).corrected is corrected


@pytest.mark.parametrize(("off_s", "replaced"), [(86_000, False), (86_800, True)])
def test_receive_time_a_day_off_is_replaced(off_s: int, replaced: bool) -> None:
    receipts = steady(100.0, 1.0)
    receipts[50] -= off_s * SECOND
    assert (plausible_receipts(receipts)[50] != receipts[50]) == replaced


@pytest.mark.parametrize(("messages", "is_followed"), [(49, False), (50, True)])
def test_clock_is_followed_from_50_messages_on(messages: int, is_followed: bool) -> None:
    arrivals = steady(100.0, messages / 100.0)
    assert (follow_clock(np.zeros_like(arrivals), arrivals) is not None) is is_followed


@pytest.mark.parametrize(
    ("share", "short_ms", "late_ms", "keeps"),
    [
        (0.06, 2.8, 0, False),
        (0.06, 3.0, 0, True),
        (0.048, 1.0, 0, True),
        (0.052, 1.0, 0, False),
        (0.0, 0.0, 49, True),
        (0.0, 0.0, 51, False),
    ],
)
def test_timestamps_keep_time_with_few_short_steps_near_their_arrivals(
    share: float, short_ms: float, late_ms: int, keeps: bool
) -> None:
    steps = np.full(1000, 0.01)
    steps[np.linspace(0, 999, round(1000 * share)).astype(int)] = short_ms / 1000
    timestamps = START + span_ns(np.cumsum(steps))
    assert _keeps_time(timestamps, timestamps + late_ms * SECOND // 1000) is keeps


@pytest.mark.parametrize(("fewer", "is_complete"), [(78, True), (77, False)])
def test_messages_are_complete_where_seconds_differ_by_less_than_a_quarter(fewer: int, is_complete: bool) -> None:
    seconds = [START + second * SECOND + np.arange(n) for second, n in enumerate([100, fewer] * 10 + [100])]
    assert _is_complete(np.concatenate(seconds)) is is_complete


def test_drift_is_told_by_two_windows() -> None:
    clock = _clock(np.array([0.0, 0.5]), START + SECOND * np.array([0.5, 1.5]))
    assert (clock.offset, clock.drift) == pytest.approx((0.25, 1.0))
