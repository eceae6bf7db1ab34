"""The closed form: the head that fits best, held near its centre as firmly as the data leave it open."""

import numpy as np
import pytest
from numpy.typing import NDArray

from imu_emg_estimator.calibration.closed_form import Moments, blocks_of, fit_head, leave_out, squared_error

CORRELATED_SAMPLES = 7.0

WIDTH = 6
IDENTITY = np.eye(WIDTH)
HEAD = np.array([0.5, -0.3, 0.2, 0.0, 0.4, 0.3])


def data(samples: int, noise: float, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    generator = np.random.default_rng(seed)
    inputs = np.append(generator.standard_normal((samples, WIDTH - 1)), np.ones((samples, 1)), axis=1)
    return inputs, inputs @ HEAD + noise * generator.standard_normal(samples)


def blocks(samples: int = 700, noise: float = 0.1, seed: int = 0) -> list[Moments]:
    inputs, target = data(samples, noise, seed)
    return blocks_of(inputs, target, np.ones(samples))


def test_ridge_minimises_its_cost() -> None:
    inputs, target = data(50, 0.3)
    weight = np.linspace(0, 1, 50)
    centre, precision, strength = np.arange(WIDTH) * 0.1, np.diag(np.arange(1.0, WIDTH + 1)), 3.0
    found = Moments.of(inputs, target, weight).ridge(centre, precision, strength)

    def cost(head: NDArray[np.float64]) -> float:
        difference = head - centre
        misfit = weight @ (target - inputs @ head) ** 2
        return float(misfit + strength * CORRELATED_SAMPLES * difference @ precision @ difference)

    least = cost(found)
    for direction in np.eye(WIDTH):
        assert cost(found + 1e-3 * direction) > least
        assert cost(found - 1e-3 * direction) > least


def test_fit_head_leaves_centre_only_with_much_data() -> None:
    centre = -HEAD
    far = np.linalg.norm(HEAD - centre)
    much = fit_head(blocks(20_000), centre, IDENTITY, 30.0).head
    little = fit_head(blocks(20), centre, IDENTITY, 300.0).head
    assert np.linalg.norm(much - HEAD) < 0.05 * far
    assert np.linalg.norm(little - centre) < 0.5 * far


def test_fit_head_chooses_strength_by_left_out_blocks() -> None:
    right = fit_head(blocks(noise=2.0), HEAD, IDENTITY, 50.0)
    wrong = fit_head(blocks(noise=0.1), -HEAD, IDENTITY, 50.0)
    assert right.strength >= 50.0 > wrong.strength


def test_fit_head_keeps_directions_of_high_precision() -> None:
    precision = np.diag([1e6, 1e6, 1.0, 1.0, 1.0, 1.0])
    centre = np.zeros(WIDTH)
    head = fit_head(blocks(), centre, precision, 1.0).head
    np.testing.assert_allclose(head[:2], 0.0, atol=1e-3)
    assert abs(head[2] - HEAD[2]) < 0.1


def test_leave_out_scores_equal_predictions() -> None:
    inputs, target = data(100, 0.5)
    parts = blocks_of(inputs, target, np.ones(100))
    left_out = leave_out(parts, np.zeros(WIDTH), IDENTITY, 2.0)
    predicted = np.empty(100)
    for start in range(0, 100, 20):
        rest = np.r_[0:start, start + 20 : 100]
        moments = Moments.of(inputs[rest], target[rest], np.ones(80))
        predicted[start : start + 20] = inputs[start : start + 20] @ moments.ridge(np.zeros(WIDTH), IDENTITY, 2.0)
    # The last sample of a block may belong to the next: shares are cumulative.
    assert left_out.error == pytest.approx(np.mean((predicted - target) ** 2), rel=0.05)
    assert left_out.r == pytest.approx(np.corrcoef(predicted, target)[0, 1], abs=0.02)


def test_leave_out_constant_target_has_no_correlation() -> None:
    inputs, _ = data(100, 0.0)
    assert leave_out(blocks_of(inputs, np.ones(100), np.ones(100)), np.zeros(WIDTH), IDENTITY, 1.0).r == 0.0


def test_blocks_ignore_samples_without_weight() -> None:
    inputs, target = data(200, 0.1)
    weight = (np.arange(200) % 3 > 0).astype(float)
    poisoned = np.where(weight > 0, target, 1e6)
    one, other = (fit_head(blocks_of(inputs, y, weight), HEAD, IDENTITY, 5.0).head for y in (target, poisoned))
    np.testing.assert_array_equal(one, other)


def test_squared_error_equals_its_formula() -> None:
    inputs, target = data(100, 0.3)
    weight = np.linspace(0.1, 1, 100)
    head = 0.7 * HEAD
    expected = weight @ (target - inputs @ head) ** 2
    assert squared_error(blocks_of(inputs, target, weight), head) == pytest.approx(expected)
