"""Mixed sources: one topic with the samples of two sources, in whatever order they come."""

import numpy as np
import pytest

from imu_emg_estimator.signals.mixed_sources import mixed_sources
from imu_emg_estimator.signals.sample_windows import SampleWindows
from imu_emg_estimator.signals.sensor_verdict import SensorState, Verdict

Array = np.ndarray
RATE = 100  # Hz
SHORT, HALF = 4, 10  # blocks
BRIDGED = 5  # blocks in a row, for which a verdict is held


def judged(samples: Array) -> list[SensorState | None]:
    """Return what is wrong at the end of every block of samples [samples, 3]."""
    windows, found = SampleWindows(), []
    for index, (x, y, z) in enumerate(samples.tolist()):
        if windows.take(index * 1_000_000_000 // RATE, (x, y, z)) and (short := windows.window(SHORT)):
            found.append(mixed_sources(short, windows.window(HALF)))
    return found


def gaps(found: list[SensorState | None]) -> int:
    """Return the longest stretch of blocks in which nothing is wrong."""
    return max(len(stretch) for stretch in "".join("x" if state else "." for state in found).split("x"))


def walk(seconds: float = 8.0) -> Array:
    """Return accelerations [samples, 3] with an impact of 20 m/s², one sample long, at every step."""
    phase = 2.0 * np.pi * np.arange(round(seconds * RATE)) / RATE
    samples = np.stack([9.81 + 4.0 * np.sin(phase), 4.0 * np.cos(phase), 3.0 * np.sin(2.0 * phase)], axis=1)
    samples[::RATE] += 20.0
    return samples


@pytest.mark.parametrize("share", [0.15, 0.3, 0.5])
@pytest.mark.parametrize(
    ("scale", "factor", "offset", "verdict"),
    [
        (0.6, 1.0 / 9.81, 0.0, Verdict.OTHER_UNITS),  # steps too small for leaps
        (1.0, -1.0, 0.0, Verdict.TWO_PUBLISHERS),
        (1.0, 1.0, 6.0, Verdict.TWO_PUBLISHERS),
    ],
)
def test_two_sources_are_told_while_they_mix_at_random(
    share: float, scale: float, factor: float, offset: float, verdict: Verdict
) -> None:
    samples, begin, end = scale * walk(), 3 * RATE, 6 * RATE
    chosen = begin + np.flatnonzero(np.random.default_rng(0).random(end - begin) < share)
    samples[chosen] = factor * samples[chosen] + offset
    found = judged(samples)
    first, last = ((edge - RATE // 5) // 5 for edge in (begin, end))  # blocks of five, the first after 0.2 s
    assert not any(found[:first])
    assert gaps(found[first + HALF : last]) <= BRIDGED
    assert verdict in {state.verdict for state in found[first:last] if state}
    assert not any(found[last + 5 :])


def test_unit_that_changes_now_and_then_is_told_though_no_window_has_many_changes() -> None:
    """In turns 0.17 s in each unit, which no window takes for one in g."""
    samples, begin = walk(), 3 * RATE
    in_g = begin + np.flatnonzero(np.arange(len(samples) - begin) // 17 % 2)
    samples[in_g] /= 9.81
    first = (begin - RATE // 5) // 5
    found = judged(samples)
    assert not any(found[:first])
    assert gaps(found[first + HALF :]) <= BRIDGED
    assert {state.verdict for state in found if state} == {Verdict.OTHER_UNITS}
