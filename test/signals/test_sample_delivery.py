"""SampleDelivery: rates, losses and publishers of a sensor's messages."""

import random

import pytest

from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.sample_delivery import SampleDelivery
from imu_emg_estimator.signals.sensor_verdict import SensorState, Verdict

RIG_RATE = 60.0


def deliver(
    delivery: SampleDelivery, seconds: float, rate: float, sequences: list[int] | None = None, start: float = 0.0
) -> list[SensorState | None]:
    return [
        delivery.take(round((start + index / rate) * SECOND), sequences[index] if sequences else None)
        for index in range(round(seconds * rate))
    ]


@pytest.mark.parametrize("rate", [50.0, 60.0, 100.0, 400.0])
def test_delivery_accepts_rates_near_and_above_the_rigs(rate: float) -> None:
    assert set(deliver(SampleDelivery(RIG_RATE), 10.0, rate)) == {None}


@pytest.mark.parametrize(("rate", "masked"), [(45.0, False), (31.0, False), (29.0, True), (20.0, True)])
def test_delivery_tells_slow_sensor_and_masks_a_very_slow_one(rate: float, masked: bool) -> None:
    delivery = SampleDelivery(RIG_RATE)
    assert set(deliver(delivery, 5.0, 100.0)) == {None}
    found = deliver(delivery, 5.0, rate, start=5.0)
    state = found[round(2.0 * rate)]
    assert state is not None
    assert (state.verdict, state.masked) == (Verdict.SLOW, masked)
    assert f"{rate:.0f} Hz instead of 60 Hz" in state.reason
    assert deliver(delivery, 3.0, 100.0, start=10.0)[-1] is None


def test_delivery_tells_half_of_the_messages_lost() -> None:
    found = deliver(SampleDelivery(RIG_RATE), 5.0, 100.0, sequences=list(range(0, 1000, 2)))
    assert found[-1] is not None
    assert (found[-1].verdict, found[-1].masked) == (Verdict.SLOW, False)
    assert "loses 50% of its messages" in found[-1].reason


@pytest.mark.parametrize("bursts", [1, 2, 5])
@pytest.mark.parametrize("offset", [0, 3, 500, 100_000])
def test_delivery_recognises_two_publishers_within_a_second(bursts: int, offset: int) -> None:
    counts = [index + side * offset for index in range(0, 300, bursts) for side in (0, 1) for _ in range(1)]
    counts = [count + extra for count in counts for extra in range(bursts)]
    delivery = SampleDelivery(RIG_RATE)
    found = deliver(delivery, len(counts) / 120.0, 120.0, counts)
    first = next(index for index, state in enumerate(found) if state)
    assert first / 120.0 <= 0.1 * bursts
    assert all(state and state.verdict is Verdict.TWO_PUBLISHERS and state.masked for state in found[first:])
    after = deliver(delivery, 3.0, 60.0, list(range(1_000_000, 1_000_180)), start=len(counts) / 120.0)
    assert {state.verdict for state in after[25 + 2 * bursts :] if state} <= {Verdict.SLOW}
    assert after[-1] is None


def test_delivery_accepts_a_driver_that_starts_again() -> None:
    counts = [*range(5000, 5300), *range(300)]
    assert set(deliver(SampleDelivery(RIG_RATE), 10.0, 60.0, counts)) == {None}


def test_delivery_does_not_call_a_silence_slow() -> None:
    delivery = SampleDelivery(RIG_RATE)
    assert set(deliver(delivery, 3.0, 60.0)) == {None}
    assert set(deliver(delivery, 3.0, 60.0, start=33.0)) == {None}


@pytest.mark.parametrize("keeps_instants", [True, False])
def test_delivery_accepts_messages_that_overtake_each_other(keeps_instants: bool) -> None:
    draw = random.Random(0)
    order = sorted(range(1000), key=lambda index: index / 100.0 + draw.uniform(0.0, 0.03))
    assert order != sorted(order)
    delivery = SampleDelivery(RIG_RATE)
    instants = order if keeps_instants else sorted(order)
    found = [delivery.take(round(i * SECOND / 100), number) for i, number in zip(instants, order, strict=True)]
    assert set(found) == {None}


def test_delivery_recognises_two_publishers_though_messages_overtake_each_other() -> None:
    draw = random.Random(0)
    sent = [(index / 60.0, index + side * 20) for index in range(300) for side in (0, 1)]
    sent.sort(key=lambda message: message[0] + draw.uniform(0.0, 0.03))
    delivery = SampleDelivery(RIG_RATE)
    found = [delivery.take(round(instant * SECOND), number) for instant, number in sent]
    assert all(state and state.verdict is Verdict.TWO_PUBLISHERS for state in found[60:])


@pytest.mark.parametrize("again", [1, 2, 3])
def test_delivery_recognises_two_publishers_by_numbers_that_come_again_after_a_loss(again: int) -> None:
    """A number is missing until it comes, and those before and after it are not."""
    found: list[SensorState | None] = []
    delivery = SampleDelivery(RIG_RATE)
    for index in range(40):
        first = 5 * index
        for place, number in enumerate([first, first + 1, first + 2, first + 4, first + 4 - again]):
            found.append(delivery.take(round((5 * index + place) * SECOND / 100), number))
    told = {state.verdict for state in found[50:] if state}
    assert told == (set() if again == 1 else {Verdict.TWO_PUBLISHERS})


def test_delivery_masks_a_sensor_that_becomes_very_slow_within_300_ms() -> None:
    delivery = SampleDelivery(RIG_RATE)
    deliver(delivery, 5.0, 100.0)
    found = deliver(delivery, 5.0, 20.0, start=5.0)
    first = next(index for index, state in enumerate(found) if state and state.masked)
    assert first / 20.0 <= 0.3
    assert all(state and state.verdict is Verdict.SLOW and state.masked for state in found[first:])


def first_told(found: list[SensorState | None]) -> int | None:
    return next((index for index, state in enumerate(found) if state), None)


def test_delivery_counts_the_rate_over_two_half_seconds() -> None:
    first = first_told(deliver(SampleDelivery(RIG_RATE), 5.0, 45.0))
    assert first is not None
    assert 0.95 <= first / 45.0 <= 1.05


@pytest.mark.parametrize(("interval", "told"), [(0.49, True), (0.51, False)])
def test_delivery_takes_half_a_second_for_a_silence(interval: float, told: bool) -> None:
    assert any(deliver(SampleDelivery(RIG_RATE), 10.0, 1 / interval)) is told


@pytest.mark.parametrize(("ratio", "told"), [(1.0, True), (1.45, True), (1.55, False)])
def test_delivery_tells_a_very_slow_sensor_by_five_intervals_of_one_and_a_half(ratio: float, told: bool) -> None:
    delivery, instant, found = SampleDelivery(RIG_RATE), 0.0, []
    for index in range(6):
        found.append(delivery.take(round(instant * SECOND)))
        instant += 0.04 * (ratio if index % 2 else 1.0)
    assert found[:5] == [None] * 5
    assert (found[5] is not None) is told


@pytest.mark.parametrize(("kept", "told"), [(0.81, False), (0.79, True)])
def test_delivery_tells_losses_from_a_fifth_on(kept: float, told: bool) -> None:
    numbers = [int(index / kept) for index in range(500)]
    assert any(deliver(SampleDelivery(RIG_RATE), 5.0, 100.0, numbers)[200:]) is told


@pytest.mark.parametrize(("skipped", "told"), [(999, True), (1000, False)])
def test_delivery_takes_a_thousand_numbers_for_another_count(skipped: int, told: bool) -> None:
    numbers = [*range(150), *range(150 + skipped, 400 + skipped)]
    assert any(deliver(SampleDelivery(RIG_RATE), 4.0, 100.0, numbers)) is told


@pytest.mark.parametrize(("numbers", "two"), [([0, 71, 7, 72, 9], False), ([0, 71, 6, 72, 7], True)])
def test_delivery_waits_for_64_messages_that_were_overtaken(numbers: list[int], two: bool) -> None:
    delivery, instants_ms = SampleDelivery(RIG_RATE), [0, 10, 5, 20, 6]
    found = [delivery.take(at * SECOND // 1000, number) for at, number in zip(instants_ms, numbers, strict=True)]
    assert (found[-1] is not None) is two


@pytest.mark.parametrize(("behind", "two"), [(2, False), (1, True)])
def test_delivery_takes_a_number_four_behind_for_overtaken_whatever_its_instant(behind: int, two: bool) -> None:
    numbers = [10 * group + number for group in range(10) for number in (0, 6, behind)]
    states = {state.verdict for state in deliver(SampleDelivery(RIG_RATE), 0.3, 100.0, numbers) if state}
    assert (Verdict.TWO_PUBLISHERS in states) is two


def test_delivery_tells_two_publishers_for_300_ms_after_their_last_turn() -> None:
    for after_ms, told in ((299, True), (301, False)):
        delivery = SampleDelivery(RIG_RATE)
        for index, number in enumerate((100, 50, 101, 51)):
            delivery.take(index * SECOND // 100, number)
        assert (delivery.take((30 + after_ms) * SECOND // 1000, 52) is not None) is told
