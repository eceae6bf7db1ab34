"""Another bundle between two steps: the estimates go on as if it had always run."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from fixtures.factories import BundleFactory, refusal
from fixtures.live_estimates import TOLERANCE, Array, live

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.streaming.streaming_estimator import PreparedBundle, StreamingEstimator


@pytest.fixture(scope="module")
def alone(bundle: Bundle, imu: Array) -> Array:
    return live(StreamingEstimator(bundle), imu)


@pytest.fixture(scope="module")
def other_alone(other: Bundle, imu: Array) -> Array:
    return live(StreamingEstimator(other), imu)


@pytest.mark.parametrize("prepared_at", [0, 1, 100])
@pytest.mark.parametrize("wait", [0, 1, 24, 25, 26, 70])
def test_adopt_continues_as_if_bundle_had_always_run(
    bundle: Bundle, other: Bundle, imu: Array, alone: Array, other_alone: Array, prepared_at: int, wait: int
) -> None:
    """At once, not only when the receptive field has passed: the new engine is warm."""
    estimator = StreamingEstimator(bundle)
    live(estimator, imu[:prepared_at])
    prepared = estimator.prepare(other)
    before = live(estimator, imu[prepared_at : prepared_at + wait])
    estimator.adopt(prepared)
    after = live(estimator, imu[prepared_at + wait :])
    assert estimator.bundle is other
    assert estimator.steps == len(imu)
    np.testing.assert_array_equal(before, alone[prepared_at : prepared_at + wait])
    np.testing.assert_allclose(after, other_alone[prepared_at + wait :], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("shape", [{"band": 30}, {"layers": 3}, {"band": 5}, {"width": 32}], ids=str)
def test_adopt_network_of_other_shape(
    make_bundle: BundleFactory, bundle: Bundle, imu: Array, shape: dict[str, int]
) -> None:
    other = make_bundle(seed=7, **shape)
    estimator = StreamingEstimator(bundle)
    live(estimator, imu[:50])
    estimator.adopt(estimator.prepare(other))
    after = live(estimator, imu[50:])
    covered = other.config.receptive_field
    expected = live(StreamingEstimator(other), imu)[50:]
    np.testing.assert_allclose(after[covered:], expected[covered:], rtol=0, atol=TOLERANCE)


def test_adopt_tracks_age_of_oldest_changed_row(make_bundle: BundleFactory, imu: Array) -> None:
    """Networks that see three rows and nothing else, so that each counts."""
    first, second = (make_bundle(seed=seed, band=1, kernel=3) for seed in (7, 8))
    estimator = StreamingEstimator(first)
    live(estimator, imu[:50])
    estimator.adopt(estimator.prepare(second))
    expected = live(StreamingEstimator(second), imu)[50:]
    np.testing.assert_allclose(live(estimator, imu[50:]), expected, rtol=0, atol=TOLERANCE)


def test_adopt_longer_memory_after_swap_is_warm(make_bundle: BundleFactory, bundle: Bundle, imu: Array) -> None:
    """After the first swap as many rows are kept as the new network looks back."""
    longer = [make_bundle(seed=seed, band=30) for seed in (7, 8)]
    estimator = StreamingEstimator(bundle)
    live(estimator, imu[:20])
    estimator.adopt(estimator.prepare(longer[0]))
    live(estimator, imu[20:120])
    estimator.adopt(estimator.prepare(longer[1]))
    expected = live(StreamingEstimator(longer[1]), imu)[120:]
    np.testing.assert_allclose(live(estimator, imu[120:]), expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("rows", [0, 3, 10, 11, 40])
def test_reset_while_bundle_is_prepared(bundle: Bundle, other: Bundle, imu: Array, rows: int) -> None:
    """What was before the jump of the clock must not come back with the new bundle."""
    estimator = StreamingEstimator(bundle)
    live(estimator, 3 * imu[-10:])
    prepared = estimator.prepare(other)
    estimator.reset()
    live(estimator, imu[:rows])
    estimator.adopt(prepared)
    expected = live(StreamingEstimator(other), imu)[rows:]
    np.testing.assert_allclose(live(estimator, imu[rows:]), expected, rtol=0, atol=TOLERANCE)


def test_estimator_copies_its_row(bundle: Bundle, other: Bundle, imu: Array, other_alone: Array) -> None:
    """A caller may use one array for all its rows, a swap included."""
    estimator = StreamingEstimator(bundle)
    row = np.empty_like(imu[0])
    for values_ in imu[:100]:
        row[:] = values_
        estimator.step(row)
    estimator.adopt(estimator.prepare(other))
    np.testing.assert_allclose(live(estimator, imu[100:]), other_alone[100:], rtol=0, atol=TOLERANCE)


def test_prepare_in_other_thread_while_stepping(bundle: Bundle, other: Bundle, imu: Array) -> None:
    rows = np.concatenate([imu] * 20)
    estimator = StreamingEstimator(bundle)
    prepared = []
    thread = threading.Thread(target=lambda: prepared.extend(estimator.prepare(other) for _ in range(10)))
    live(estimator, rows[:30])
    thread.start()
    while thread.is_alive() and estimator.steps < len(rows) - 100:
        estimator.step(rows[estimator.steps])
    thread.join()
    assert len(prepared) == 10
    start, stop = estimator.steps, estimator.steps + 100
    estimator.adopt(prepared[-1])
    expected = live(StreamingEstimator(other), rows[:stop])[start:]
    np.testing.assert_allclose(live(estimator, rows[start:stop]), expected, rtol=0, atol=TOLERANCE)


def test_prepare_refuses_incompatible_bundle(
    make_bundle: BundleFactory, bundle: Bundle, imu: Array, alone: Array
) -> None:
    estimator = StreamingEstimator(bundle)
    live(estimator, imu[:30])
    faster = replace(bundle, rig=replace(bundle.rig, rate=100.0))
    with refusal(faster.model_id, "rig"):
        estimator.prepare(faster)
    later = make_bundle(look_ahead=5)
    with refusal(later.model_id, "look-ahead"):
        estimator.prepare(later)
    np.testing.assert_array_equal(live(estimator, imu[30:]), alone[30:])


def test_prepared_bundle_takes_rows_once_and_starts_anew_after_a_gap(bundle: Bundle, imu: Array) -> None:
    rows = list(enumerate(imu[:30]))
    prepared, alone = PreparedBundle(bundle), PreparedBundle(bundle)
    expected = [alone.step(row) for _, row in rows]
    prepared.catch_up(rows[:20])
    prepared.catch_up([])
    prepared.catch_up([(index, row * (2.0 if index < 20 else 1.0)) for index, row in rows[10:29]])
    assert prepared.engine.steps == 29
    np.testing.assert_array_equal(prepared.step(rows[29][1]), expected[29])
    prepared.catch_up([(40, imu[40]), (41, imu[41])])
    assert prepared.engine.steps == 42
