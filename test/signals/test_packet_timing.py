"""Samples of packets lie where they were taken, whatever jitter, bursts and losses there were."""

from contextlib import nullcontext

import numpy as np
import pytest
from numpy.typing import NDArray

from imu_emg_estimator.signals.packet_timing import measured_rate, sample_clock
from imu_emg_estimator.signals.topic_clocks import SECOND

Instants = NDArray[np.int64]
START = 1_700_000_000 * SECOND


def ns(seconds: NDArray[np.float64] | float) -> Instants:
    return np.round(np.asarray(seconds) * SECOND).astype(np.int64)


def steady(rate: float = 100.0, seconds: float = 30.0) -> Instants:
    return START + ns(np.arange(round(rate * seconds)) / rate)


def transported(timestamps: Instants, seed: int, delay: float = 0.003, jitter: float = 0.004) -> Instants:
    """Times of receipt: a delay, now and then much more."""
    late = delay + np.random.default_rng(seed).exponential(jitter, len(timestamps))
    return np.sort(timestamps + ns(late))


def packets(rate: float, size: int, count: int) -> tuple[Instants, Instants]:
    timestamps = START + ns(np.arange(count) * size / rate)
    return timestamps, np.full(count, size, dtype=np.int64)


@pytest.mark.parametrize(("rate", "size"), [(58.8, 1), (1000.0, 1), (1000.0, 10), (2148.1481, 27), (4000.0, 80)])
def test_sample_clock_of_regular_packets(rate: float, size: int) -> None:
    timestamps, counts = packets(rate, size, 500)
    clock = sample_clock(timestamps, timestamps + SECOND, counts, rate)
    np.testing.assert_array_equal(clock.starts, np.arange(500) * size)
    assert (clock.length, clock.lost, clock.shared) == (500 * size, 0, 0.0)
    assert clock.rate == pytest.approx(rate, rel=1e-6)
    expected = START + ns(np.arange(500 * size) / rate)
    assert np.abs(clock.instants() - expected).max() < 1000
    assert measured_rate(timestamps, counts) == pytest.approx(rate, rel=1e-3)


def test_sample_clock_keeps_gaps_of_lost_packets() -> None:
    timestamps, counts = packets(1000.0, 10, 300)
    there = np.ones(300, dtype=bool)
    there[[50, 100, 101, 102, 200]] = False
    clock = sample_clock(timestamps[there], timestamps[there] + SECOND, counts[there], 1000.0)
    np.testing.assert_array_equal(clock.starts, np.flatnonzero(there) * 10)
    assert clock.lost == 50


def test_sample_clock_averages_jitter() -> None:
    rng = np.random.default_rng(0)
    timestamps, counts = packets(1000.0, 10, 1000)
    jittered = timestamps + ns(rng.uniform(-0.002, 0.002, 1000))
    clock = sample_clock(jittered, jittered + SECOND, counts, 1000.0)
    assert clock.lost == 0
    assert np.abs(clock.instants()[::10] - timestamps).max() < ns(0.001)


def test_sample_clock_of_bursts_stamped_on_arrival() -> None:
    """Single samples at 100 Hz that come as 10 us, 10 us, 10 us, 40 ms, stamped when they come."""
    true = steady(100.0, 20.0)
    index = np.arange(len(true))
    arrived = true[np.minimum(index // 4 * 4 + 3, len(true) - 1)] + (index % 4) * 10_000
    clock = sample_clock(arrived, arrived, np.ones(len(true), dtype=np.int64), 100.0)
    assert clock.lost == 0
    assert clock.shared == pytest.approx(0.75)
    assert np.abs(clock.instants() - true).max() < ns(0.002)


def test_sample_clock_of_shared_timestamps() -> None:
    true = steady(100.0, 20.0)
    twins = true[np.arange(len(true)) // 2 * 2]
    clock = sample_clock(twins, true, np.ones(len(true), dtype=np.int64), 100.0)
    assert clock.shared == pytest.approx(0.5)
    assert np.abs(clock.instants() - true).max() < ns(0.002)


def test_sample_clock_follows_drift() -> None:
    timestamps, counts = packets(1003.0, 10, 3000)
    clock = sample_clock(timestamps, timestamps + SECOND, counts, 1000.0)
    assert clock.lost == 0
    assert clock.rate == pytest.approx(1003.0, rel=1e-5)
    assert np.abs(clock.instants()[::10] - timestamps).max() < ns(0.0005)


def test_sample_clock_keeps_pauses_despite_jitter() -> None:
    rng = np.random.default_rng(1)
    timestamps, counts = packets(1000.0, 1, 8000)
    there = (np.arange(8000) < 3000) | (np.arange(8000) >= 3500)
    jittered = np.sort(timestamps + ns(rng.uniform(0, 0.004, 8000)))[there]
    clock = sample_clock(jittered, jittered + SECOND, counts[there], 1000.0)
    assert clock.lost == pytest.approx(500, abs=5)
    assert np.median(np.abs(clock.instants()[clock.starts] - timestamps[there])) < ns(0.005)


def test_measured_rate_of_degenerate_timestamps() -> None:
    timestamps, counts = packets(58.8, 4, 100)
    assert sample_clock(timestamps, timestamps, counts, 30.0).rate == pytest.approx(58.8, rel=0.01)
    with pytest.raises(ValueError, match=r"samples came where timestamps imply"):
        sample_clock(timestamps, timestamps, counts, 5000.0)
    with pytest.raises(ValueError, match=r"do not advance"):
        measured_rate(np.full(10, START), np.ones(10, dtype=np.int64))


def test_measured_rate_counts_samples_of_unequal_packets() -> None:
    counts = np.resize(np.array([30, 10, 20], dtype=np.int64), 100)
    timestamps = START + ns((np.cumsum(counts) - counts) / 5.0)  # at 5 Hz the rate spans two packets, not many
    assert measured_rate(timestamps, counts) == pytest.approx(5.0, rel=1e-6)


def test_sample_clock_starts_at_the_earliest_packet() -> None:
    """The first packets come from after the others: what precedes them is before the grid point of the first."""
    late, early = packets(1000.0, 10, 5), packets(1000.0, 10, 300)
    timestamps, counts = np.concatenate([late[0] + 4 * SECOND, early[0]]), np.concatenate([late[1], early[1]])
    clock = sample_clock(timestamps, timestamps + 5 * SECOND, counts, 1000.0)
    expected = np.concatenate([4000 + 10 * np.arange(5), 10 * np.arange(300)])
    np.testing.assert_array_equal(clock.starts, expected)
    assert clock.length == 4050


def test_rate_is_exact_where_timestamps_are_uneven_within_each_second() -> None:
    """Seventy packets of ten samples every 8 ms, then thirty every 14.7 ms: 1000 Hz."""
    steps = np.tile(np.repeat([0.008, 0.44 / 30], [70, 30]), 20)
    timestamps = START + ns(np.cumsum(steps))
    assert measured_rate(timestamps, np.full(2000, 10)) == pytest.approx(1000.0, rel=1e-6)


@pytest.mark.parametrize(("apart_ms", "shared"), [(0.95, 0.5), (1.05, 0.0)])
def test_packets_stamped_within_a_tenth_of_their_distance_share_a_timestamp(apart_ms: float, shared: float) -> None:
    timestamps, counts = packets(1000.0, 10, 200)
    timestamps[1::2] = timestamps[::2] + ns(apart_ms / 1000)
    assert sample_clock(timestamps, timestamps + SECOND, counts, 1000.0).shared == pytest.approx(shared)


def late_packets(late: int, pause_s: float) -> Instants:
    """211 packets of ten samples at 1000 Hz, some 6 ms late; a pause before the last ten of them."""
    timestamps = packets(1000.0, 10, 211)[0]
    timestamps[5 : 5 + 6 * late : 6] += ns(0.006)
    timestamps[-10:] += ns(pause_s)
    return timestamps


@pytest.mark.parametrize(("late", "pause_s", "lost"), [(10, 0.02, 20), (11, 0.02, 0), (20, 0.095, 0), (20, 0.105, 105)])
def test_pause_is_a_loss_from_100_ms_on_where_more_than_one_timestamp_in_twenty_steps_back(
    late: int, pause_s: float, lost: int
) -> None:
    timestamps = late_packets(late, pause_s)
    clock = sample_clock(timestamps, timestamps + SECOND, np.full(211, 10, dtype=np.int64), 1000.0)
    assert clock.lost == lost


@pytest.mark.parametrize(("late", "moved"), [(1, 0), (2, 12)])
def test_two_of_three_packets_must_agree_on_a_loss(late: int, moved: int) -> None:
    timestamps, counts = packets(1000.0, 10, 100)
    timestamps[50 : 50 + late] += ns(0.012)
    clock = sample_clock(timestamps, timestamps + SECOND, counts, 1000.0)
    assert (clock.starts[50] - 500, clock.starts[60] - 600) == (moved, 0)


@pytest.mark.parametrize(("pause", "is_refused"), [(1895, False), (1905, True)])
def test_grid_has_at_most_twenty_points_for_a_sample(pause: int, is_refused: bool) -> None:
    timestamps, counts = packets(1000.0, 1, 100)
    timestamps[50:] += ns(pause / 1000)
    with pytest.raises(ValueError, match="imply") if is_refused else nullcontext():
        assert sample_clock(timestamps, timestamps + SECOND, counts, 1000.0).length == 100 + pause


def test_jitter_is_averaged_over_two_seconds() -> None:
    timestamps, counts = packets(1000.0, 10, 2190)
    nominal, _ = sample_clock(timestamps, timestamps + SECOND, counts, 1000.0).bends
    np.testing.assert_allclose(np.diff(nominal[1:-2]), 2.0 * SECOND)
