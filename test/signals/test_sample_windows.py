"""SampleWindows against a slow obvious model: the same statistics from the samples themselves."""

import math
from itertools import chain

import numpy as np
import pytest
from numpy.typing import NDArray

from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.sample_windows import SampleWindows

Array = NDArray[np.floating]
BLOCK_NS, MAX_BLOCKS = 45_000_000, 43  # 50 ms at 60 and 100 Hz, and two seconds of them
JUMP_RATIO = 3.5


def blocks_of(instants: list[int], samples: Array) -> list[list[int]]:
    """Indices of the samples of every complete block."""
    blocks: list[list[int]] = []
    members: list[int] = []
    end = instants[0] + BLOCK_NS
    for index, instant in enumerate(instants):
        members.append(index)
        if instant >= end:
            blocks.append(members)
            members, end = [], instant + BLOCK_NS
    return blocks


@pytest.mark.parametrize(("rate", "count"), [(25.0, 100), (58.8, 150), (370.0, 850)])
@pytest.mark.parametrize("seed", range(2))
def test_windows_equal_statistics_of_their_samples(rate: float, count: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    samples = np.cumsum(generator.standard_normal((count, 3)), axis=0) + 9.81
    samples[generator.random(count) < 0.05] *= 6.0
    periods = generator.uniform(0.7, 1.3, count) / rate
    instants = [round(float(instant) * SECOND) for instant in np.cumsum(periods)]
    windows, done = SampleWindows(), 0
    blocks = blocks_of(instants, samples)
    for instant, sample in zip(instants, samples.tolist(), strict=True):
        if not windows.take(instant, tuple(sample)):
            continue
        done += 1
        means = windows.block_means(MAX_BLOCKS - 1)
        assert (means is None) == (done < MAX_BLOCKS - 1)
        if means is not None:
            newest = blocks[done - MAX_BLOCKS + 1 : done]
            np.testing.assert_allclose(means, [samples[members].mean(axis=0) for members in newest], atol=1e-9)
        for length in (1, 4, 10, MAX_BLOCKS - 1):
            for before in (0, 3):
                window = windows.window(length, before)
                if done < length + before or length + before > MAX_BLOCKS:
                    assert window is windows.mean(length, before) is None
                    continue
                assert window is not None
                members = list(chain.from_iterable(blocks[done - before - length : done - before]))
                part = samples[members]
                lengths = np.linalg.norm(part, axis=1)
                assert window.samples == len(members)
                assert windows.mean(length, before) == window.mean
                np.testing.assert_allclose(window.mean, part.mean(axis=0), atol=1e-9)
                np.testing.assert_allclose(window.variances, part.var(axis=0), atol=1e-6)
                assert window.mean_length == pytest.approx(lengths.mean())
                assert window.gravity == pytest.approx(np.linalg.norm(part.mean(axis=0)))
                assert window.deviation == pytest.approx(math.sqrt(part.var(axis=0).sum()), abs=1e-4)
                assert window.length_variation == pytest.approx(lengths.std() / lengths.mean(), abs=1e-4)
                assert window.jumps == sum(is_jump(samples, index) for index in members)
                steps, double = (differences(samples, members, lag) for lag in (1, 2))
                assert window.steps == pytest.approx(steps)
                assert window.double_steps == pytest.approx(double)
    assert done == len(blocks) > MAX_BLOCKS


def is_jump(samples: Array, index: int) -> bool:
    now, before = (np.linalg.norm(samples[max(i, 0)]) for i in (index, index - 1))
    return bool(now > JUMP_RATIO * before or before > JUMP_RATIO * now)


def differences(samples: Array, members: list[int], lag: int) -> float:
    return float(sum(((samples[index] - samples[max(index - lag, 0)]) ** 2).sum() for index in members))


def test_windows_know_extremes_of_a_block() -> None:
    windows = SampleWindows()
    for index, z in enumerate([9.0, 12.0, 10.0, 10.0, 10.0, 10.0]):
        windows.take(index * 10_000_000, (0.0, 0.0, z))
    assert (windows.shortest(1), windows.longest(1), windows.step(1)) == (9.0, 12.0, 3.0)


def test_windows_begin_anew_after_a_gap_and_when_told() -> None:
    windows = SampleWindows()
    for index in range(60):
        windows.take(index * 10_000_000, (0.0, 0.0, 9.81))
    assert windows.window(4)
    windows.forget_blocks()
    assert windows.window(1)
    assert windows.window(2) is None
    windows.take(2 * SECOND, (0.0, 0.0, 9.81))
    assert windows.window(1) is None


@pytest.mark.parametrize("size", [0.05, 100.0])
def test_windows_know_extremes_of_several_blocks(size: float) -> None:
    windows = SampleWindows()
    for index, z in enumerate([5.0] + [1.0] * 10 + [2.0] * 5 + [3.0, 3.0, 4.0, 3.0, 3.0]):
        windows.take(index * 10_000_000, (0.0, 0.0, size * z))
    extremes = (windows.shortest(2), windows.longest(2), windows.longest(1), windows.step(1), windows.step(1, 1))
    assert extremes == pytest.approx(tuple(size * value for value in (2.0, 4.0, 4.0, 1.0, 1.0)))
    assert windows.step_towards((0.0, 0.0, 2.0), 1) == pytest.approx(size)
    assert windows.step_towards((0.0, 0.0, -2.0), 1) == pytest.approx(-size)


@pytest.mark.parametrize(("ratio", "jumps"), [(3.45, 0), (3.55, 5)])
def test_length_jumps_by_three_and_a_half(ratio: float, jumps: int) -> None:
    windows = SampleWindows()
    for index in range(11):
        windows.take(index * 10_000_000, (0.0, 0.0, ratio if index % 2 else 1.0))
    window = windows.window(1)
    assert window is not None
    assert (window.samples, window.jumps) == (5, jumps)
