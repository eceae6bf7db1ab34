"""The published standard deviation follows its formula; scales that make no sense are refused."""

import numpy as np
import pytest
from fixtures.factories import refusal

from imu_emg_estimator.model.conformal_uncertainty import DeviationScale, Uncertainty


def scale(**change: object) -> DeviationScale:
    values = {"factor": (2.0, 0.5), "deviation_power": (1.0, 0.5), "activation_power": (0.0, 2.0)}
    return DeviationScale(**{**values, "multiples": ((0.6, 0.7), (1.2, 1.3))} | change)  # type: ignore[arg-type]


def test_published_deviation_is_a_product_of_powers() -> None:
    activation, deviation = np.array([[0.5, 0.47], [0.0, 0.0]], np.float32), np.array([[0.1, 0.04]] * 2, np.float32)
    published = scale().apply(activation, deviation)
    assert published.dtype == np.float32
    expected = [[2.0 * 0.1, 0.5 * 0.2 * 0.5**2], [2.0 * 0.1, 0.5 * 0.2 * 0.03**2]]  # an activation counts 0.03 more
    np.testing.assert_allclose(published, expected, rtol=1e-6)


def test_scale_of_a_calibrated_bundle_is_its_own_where_there_is_one() -> None:
    everybody, own = scale(), scale(factor=(1.0, 1.0))
    assert Uncertainty("", (0.5, 0.8), everybody, own).scale(calibrated=True) is own
    assert Uncertainty("", (0.5, 0.8), everybody, own).scale(calibrated=False) is everybody
    assert Uncertainty("", (0.5, 0.8), everybody).scale(calibrated=True) is everybody


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, ""),
        ({"deviation_power": (0.0, 4.0)}, ""),
        ({"deviation_power": (0.0, 4.01)}, "not within 0 to 4"),
        ({"activation_power": (-0.01, 1.0)}, "not within 0 to 4"),
        ({"factor": (0.0, 1.0)}, "a factor that is not a positive number"),
        ({"multiples": ((0.0, 0.7), (1.2, 1.3))}, "a factor that is not a positive number"),
        ({"factor": (1.0, float("inf"))}, "a factor that is not a positive number"),
        ({"factor": (1.0,)}, "not of 2 muscles and 2 levels"),
        ({"activation_power": (1.0,) * 3}, "not of 2 muscles and 2 levels"),
        ({"multiples": ((0.6, 0.7),)}, "not of 2 muscles and 2 levels"),
        ({"multiples": ((0.6, 0.7), (0.6, 1.3))}, "do not widen with their level"),
    ],
)
def test_check_refuses_scales_that_make_no_sense(change: dict[str, object], words: str) -> None:
    for uncertainty in (
        Uncertainty("", (0.5, 0.8), scale(**change)),
        Uncertainty("", (0.5, 0.8), scale(), scale(**change)),
    ):
        if words:
            with refusal(words):
                uncertainty.check(2)
        else:
            uncertainty.check(2)


@pytest.mark.parametrize("levels", [(), (0.0, 0.8), (0.5, 1.0), (0.8, 0.5), (0.5, 0.5)])
def test_check_refuses_levels_that_do_not_ascend_between_none_and_all(levels: tuple[float, ...]) -> None:
    with refusal("uncertainty levels are not ascending shares between 0 and 1"):
        Uncertainty("", levels, scale()).check(2)
