"""GravityLoss: gravity that one sensor loses from one sample to the next."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from imu_emg_estimator.signals.gravity_loss import GravityLoss
from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.sample_windows import SampleWindows

MEMORY_NS = 5 * SECOND
WARY_NS = 60 * SECOND

RATE, GRAVITY_MPS2, LOST_S = 100.0, 9.81, 12.0


def walk(seconds: float = 14.0) -> NDArray[np.float64]:
    """Return a thigh's accelerations [samples, 3] in a walk of one stride a second."""
    phase = 2.0 * np.pi * np.arange(round(seconds * RATE)) / RATE
    return np.stack([3.0 * np.sin(phase), 1.5 * np.sin(2.0 * phase), GRAVITY_MPS2 + 3.0 * np.cos(2.0 * phase)], axis=1)


def told(samples: NDArray[np.float64], rate: float = RATE) -> list[float]:
    """Return when gravity is said to have vanished [s]."""
    loss, windows, found = GravityLoss(), SampleWindows(), []
    for index, (x, y, z) in enumerate(samples.tolist()):
        instant = round(index / rate * SECOND)
        if windows.take(instant, (x, y, z)) and loss.take(instant, windows):
            found.append(instant / SECOND)
    return found


def removed(samples: NDArray[np.float64], at: float = LOST_S) -> NDArray[np.float64]:
    """Take gravity away from an instant [s] on."""
    result = samples.copy()
    result[round(at * RATE) :, 2] -= GRAVITY_MPS2
    return result


@pytest.mark.parametrize("phase", np.arange(0.0, 1.0, 0.1))
def test_loss_is_told_within_a_quarter_of_a_second(phase: float) -> None:
    at = LOST_S + phase
    found = told(removed(walk(), at))
    assert found
    assert at + 0.14 < found[0] < at + 0.23


def test_walk_is_no_loss() -> None:
    assert told(walk(60.0)) == []


def test_nothing_is_told_before_movements_are_known() -> None:
    known = MEMORY_NS / SECOND + 1.4
    assert told(removed(walk(), known - 1.0)) == []
    assert told(removed(walk(), known + 1.0)) != []


def _aside(samples: NDArray[np.float64], begin: int) -> None:
    samples[begin:, 0] += GRAVITY_MPS2


def _twice(samples: NDArray[np.float64], begin: int) -> None:
    samples[begin:, 2] -= 2.5 * GRAVITY_MPS2


def _gradually(samples: NDArray[np.float64], begin: int) -> None:
    samples[begin:, 2] -= GRAVITY_MPS2 * np.minimum(np.arange(len(samples) - begin) / (0.1 * RATE), 1.0)


def _to_the_unit_g(samples: NDArray[np.float64], begin: int) -> None:
    samples[begin:] /= GRAVITY_MPS2


def _turned_over(samples: NDArray[np.float64], begin: int) -> None:
    samples[begin:] *= -1.0


def _for_a_moment(samples: NDArray[np.float64], begin: int) -> None:
    samples[begin : begin + 3, 2] -= GRAVITY_MPS2


@pytest.mark.parametrize("change", [_aside, _twice, _gradually, _to_the_unit_g, _turned_over, _for_a_moment])
def test_other_steps_are_no_loss(change: Callable[[NDArray[np.float64], int], None]) -> None:
    samples = walk()
    change(samples, round(LOST_S * RATE))
    assert told(samples) == []


def test_loss_that_movements_look_like_is_told_by_the_stride_before() -> None:
    samples = walk()
    for begin in range(50, len(samples), 200):
        samples[begin : begin + 40, 2] -= GRAVITY_MPS2 * np.hanning(40)
    assert told(samples) == []
    assert told(removed(samples)) == [12.2]


def test_loss_that_movements_look_like_is_not_told_without_strides() -> None:
    generator, knots = np.random.default_rng(3), np.arange(0.0, 15.0, 0.15)
    time = np.arange(round(14.0 * RATE)) / RATE
    samples = np.stack([np.interp(time, knots, 8.0 * generator.standard_normal(len(knots))) for _ in range(3)], axis=1)
    samples[:, 2] += GRAVITY_MPS2
    assert told(samples) == told(removed(samples)) == []


def test_loss_that_was_none_makes_wary_for_a_minute() -> None:
    samples, loss, windows = walk(100.0), GravityLoss(), SampleWindows()
    losses = (12.0, 40.0, 12.0 + WARY_NS / SECOND + 8.0)
    for at in losses:
        samples[round(at * RATE) : round((at + 0.4) * RATE), 2] -= GRAVITY_MPS2
    found = []
    for index, (x, y, z) in enumerate(samples.tolist()):
        instant = round(index / RATE * SECOND)
        if windows.take(instant, (x, y, z)) and loss.take(instant, windows):
            found.append(instant / SECOND)
            loss.returned(instant + SECOND // 2)
    assert [round(at) for at in found] == [12, 80]


def test_loss_that_lasts_makes_not_wary() -> None:
    samples, loss, windows = walk(40.0), GravityLoss(), SampleWindows()
    samples[round(12.0 * RATE) : round(15.0 * RATE), 2] -= GRAVITY_MPS2
    samples[round(35.0 * RATE) :, 2] -= GRAVITY_MPS2
    found = []
    for index, (x, y, z) in enumerate(samples.tolist()):
        at = index / RATE
        if (
            windows.take(round(at * SECOND), (x, y, z))
            and not 12.3 < at < 16.0
            and loss.take(round(at * SECOND), windows)
        ):
            found.append(round(at))
            loss.returned(round(15.3 * SECOND))
    assert found[0] == 12
    assert found[-1] == 35


def still(
    before: float = GRAVITY_MPS2, after: float = 0.0, ramp: Sequence[float] = (), aside: float = 4.0
) -> NDArray[np.float64]:
    """Return accelerations whose part along gravity steps, by ways between, while another swings slowly [m/s²]."""
    time = np.arange(round(14.0 * RATE)) / RATE
    begin = round(LOST_S * RATE)
    z = np.where(time < LOST_S, before, after)
    z[begin : begin + len(ramp)] = ramp
    return np.stack([aside * np.cos(2.0 * np.pi * (time - LOST_S - 0.08)), np.zeros(len(time)), z], axis=1)


@pytest.mark.parametrize(
    ("options", "is_loss"),
    [
        ({"after": 0.405 * GRAVITY_MPS2}, True),
        ({"after": 0.435 * GRAVITY_MPS2}, False),  # most of gravity is left
        ({"before": 2.9, "after": -5.9, "aside": 0.0}, False),
        ({"before": 3.2, "after": -5.9, "aside": 0.0}, True),
        ({"before": 12.9, "after": 3.1}, True),
        ({"before": 13.1, "after": 3.3}, False),
        ({"before": 4.0, "after": -5.9, "aside": 0.0}, True),
        ({"before": 4.0, "after": -6.1, "aside": 0.0}, False),  # turned over
        ({"aside": 2.4}, False),  # as if in g
        ({"aside": 2.6}, True),
        ({"ramp": (5.71, 2.8)}, True),
        ({"ramp": (5.95, 2.8)}, False),  # in no step of 4 m/s²
    ],
    ids=str,
)
def test_step_is_a_loss_at_and_beside_the_limits(options: dict[str, Any], is_loss: bool) -> None:
    assert bool(told(still(**options))) is is_loss


@pytest.mark.parametrize(("at", "is_told"), [(5.8, False), (6.7, True)])
def test_loss_is_told_once_movements_of_five_seconds_are_known(at: float, is_told: bool) -> None:
    assert bool(told(removed(walk(), at))) is is_told


@pytest.mark.parametrize(("back_s", "again_s", "is_told"), [(1.9, 59.0, False), (1.9, 61.0, True), (2.1, 30.0, True)])
def test_gravity_that_returns_within_two_seconds_makes_wary_for_sixty(
    back_s: float, again_s: float, is_told: bool
) -> None:
    samples, loss, windows, found = walk(80.0), GravityLoss(), SampleWindows(), []
    returned = LOST_S + 0.2 + back_s
    for at in (LOST_S, returned + again_s - 0.2):
        samples[round(at * RATE) : round((at + 0.4) * RATE), 2] -= GRAVITY_MPS2
    for index, (x, y, z) in enumerate(samples.tolist()):
        instant = round(index / RATE * SECOND)
        if windows.take(instant, (x, y, z)) and loss.take(instant, windows):
            found.append(round(instant / SECOND))
        if index == round(returned * RATE):
            loss.returned(round((LOST_S + 0.15 + back_s) * SECOND))
    assert len(set(found)) == 1 + is_told
