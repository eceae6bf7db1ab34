"""Injected faults: what each does to the messages, and only to those of its sensors and its time."""

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.faults.fault_injection import KINDS, inject
from imu_emg_estimator.faults.fault_kind import Fault, ImuMessage
from imu_emg_estimator.signals.grid_alignment import SECOND

START, END = 2.0, 4.0
DELAY = SECOND // 1000


@cache
def made(seconds: float, rate: float, sensors: int) -> list[ImuMessage]:
    messages = []
    for number in range(round(seconds * rate)):
        timestamp = 1_000 * SECOND + round(number * SECOND / rate)
        for sensor in range(sensors):
            sample = tuple(9.0 + sensor + axis + 3 * math.sin(number) for axis in range(6))
            messages.append(ImuMessage(timestamp + DELAY + sensor, sensor, timestamp, sample, number))
    return messages


def clean(seconds: float = 6.0, rate: float = 100.0, sensors: int = 2) -> list[ImuMessage]:
    """Samples that all differ; every sensor of its own."""
    return list(made(seconds, rate, sensors))


def injected(kind: str, magnitude: float | None = None, sensors: Sequence[int] = (0,)) -> list[ImuMessage]:
    chosen = KINDS[kind].magnitude if magnitude is None else magnitude
    return list(inject(clean(), [Fault(kind, tuple(sensors), START, END - START, chosen)]))


def during(messages: Sequence[ImuMessage], sensor: int = 0) -> list[ImuMessage]:
    """Messages of a sensor well within the fault."""
    begin = 1_000 * SECOND + DELAY
    return [m for m in messages if m.sensor == sensor and 2.5 <= (m.arrival - begin) / SECOND <= 3.9]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_fault_changes_only_its_time_and_is_in_order_and_repeatable(kind: str) -> None:
    messages = injected(kind, sensors=(0, 1) if KINDS[kind].in_pairs else (0,))
    before = [m for m in clean() if m.arrival < 1_002 * SECOND]
    assert messages[: len(before)] == before
    assert [m.arrival for m in messages] == sorted(m.arrival for m in messages)
    repr_of = [repr(m) for m in injected(kind, sensors=(0, 1) if KINDS[kind].in_pairs else (0,))]
    assert [repr(m) for m in messages] == repr_of  # as text, because NaN differs from itself
    if not KINDS[kind].in_pairs:
        assert [m for m in messages if m.sensor == 1] == [m for m in clean() if m.sensor == 1]
    assert repr_of != [repr(m) for m in clean()]


def test_no_fault_changes_nothing() -> None:
    assert list(inject(clean(), [])) == clean()


def test_frozen_repeats_one_sample_and_noise_moves_it_little() -> None:
    assert len({m.sample for m in during(injected("frozen"))}) == 1
    noisy = np.array([m.sample for m in during(injected("frozen_noise", 0.01))])
    assert 0.005 < noisy[:, :3].std(axis=0).mean() < 0.02


def test_looped_repeats_the_second_before() -> None:
    samples = [m.sample for m in during(injected("looped", 1.0))]
    assert samples[100:] == samples[: len(samples) - 100]
    assert samples[0] in {m.sample for m in clean() if m.arrival < 1_002 * SECOND}


def test_stuck_axis_leaves_the_others() -> None:
    samples = np.array([m.sample for m in during(injected("stuck_axis"))])
    assert sorted(np.ptp(samples, axis=0) > 0) == [False] + [True] * 5


def test_gravity_is_removed() -> None:
    samples = np.array([m.sample for m in during(injected("gravity_removed"))])
    assert np.abs(samples[:, :3].mean(axis=0)).max() < 0.2
    assert samples[:, 3:].mean() > 5


def test_turned_sensor_keeps_the_length_of_vectors() -> None:
    samples = np.array([m.sample for m in during(injected("turned", 90.0))])
    own = np.array([m.sample for m in during(clean())])
    assert np.allclose(np.linalg.norm(samples[:, :3], axis=1), np.linalg.norm(own[:, :3], axis=1))
    assert not np.allclose(samples, own)


def test_spike_and_one_timestamp_strike_once() -> None:
    assert sum(m.sample == (1e6,) * 6 for m in injected("spike")) == 1
    late = [m for m in injected("one_timestamp", 100.0) if m.timestamp > 1_050 * SECOND]
    assert len(late) == 1


def test_boot_time_runs_from_its_magnitude() -> None:
    messages = injected("boot_time", 5.0)
    assert next(m for m in messages if m.timestamp < 900 * SECOND).timestamp == 5 * SECOND
    assert set(np.diff([m.timestamp for m in during(messages)])) == {SECOND // 100}


def test_shared_timestamps_come_in_groups() -> None:
    timestamps = [m.timestamp for m in during(injected("shared_timestamps", 4))]
    assert np.unique(timestamps, return_counts=True)[1][1:-1].tolist() == [4] * (len(set(timestamps)) - 2)


def test_burst_arrives_together_with_or_without_its_timestamps() -> None:
    for kind, spread in (("burst", 9 * SECOND // 100), ("burst_stamped_on_arrival", 9)):
        messages = during(injected(kind, 10))
        arrivals = np.array([m.arrival for m in messages])
        first = int(np.argmax(np.diff(arrivals) > SECOND // 1000)) + 1
        group = messages[first : first + 10]
        assert group[-1].arrival - group[0].arrival == 9
        assert group[-1].timestamp - group[0].timestamp == spread


def test_delay_keeps_timestamps_or_restamps() -> None:
    assert {m.arrival - m.timestamp for m in during(injected("delayed", 0.3))} == {DELAY + 3 * SECOND // 10}
    assert {m.arrival - m.timestamp for m in during(injected("delayed_and_restamped", 0.3))} == {DELAY}


def test_loss_leaves_gaps_in_the_numbers_and_slowness_does_not() -> None:
    assert set(np.diff([m.sequence for m in during(injected("slow", 5))])) == {1}
    lost = [m.sequence for m in during(injected("lost", 0.5))]
    assert 0.35 < len(lost) / 140 < 0.65
    assert max(np.diff(lost)) > 1


def test_second_publisher_and_second_sensor_have_numbers_of_their_own() -> None:
    for kind, sensors in (("two_publishers", (0,)), ("two_sensors", (0, 1))):
        messages = during(injected(kind, sensors=sensors))
        assert {m.sequence >= 1_000_000 for m in messages} == {False, True}
    others = {c.sample for c in clean() if c.sensor == 1}
    assert {m.sample in others for m in messages} == {False, True}


def test_exchanged_sensors_send_each_others_samples() -> None:
    messages = injected("exchanged", sensors=(0, 1))
    assert [m.sample for m in during(messages, 0)] == [m.sample for m in during(clean(), 1)]
    assert [m.sample for m in during(messages, 1)] == [m.sample for m in during(clean(), 0)]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Fault("froze", (0,), 0.0, 1.0, 0.0), "there is no fault 'froze'; choose one of frozen"),
        (Fault("lost", (0,), 0.0, 1.0, 1.5), "magnitude 1.5; choose one from 0 to 1"),
        (Fault("exchanged", (0,), 0.0, 1.0, 0.0), "in pairs, not 1"),
    ],
)
def test_impossible_fault_is_refused(fault: Fault, told: str) -> None:
    with pytest.raises(InputError, match=told):
        list(inject(clean(), [fault]))
