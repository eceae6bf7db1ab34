"""Curves to look at: in time with the recording, small, with the share of measured values that the interval held."""

import json
from dataclasses import replace

import numpy as np
import pytest

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.conformal_uncertainty import DeviationScale, Uncertainty, interval_multiples
from imu_emg_estimator.model.envelope_curves import (
    EnvelopeCurves,
    Envelopes,
    curves_of,
    interval_half_width,
    typical_stretch,
)
from imu_emg_estimator.utils.json_values import from_json, to_json

SHOWN_S = 12.0

RATE = 60.0
NAMES = ("right", "left")


def envelopes(seconds: float = 40.0, before: bool = True) -> Envelopes:
    """Two muscles, whose estimates are 1 too high and 3 too high, with intervals of ±2."""
    time = np.arange(round(seconds * RATE)) / RATE
    measured = np.stack([5.0 + time, 50.0 - time], axis=1)
    off = np.array([1.0, 3.0])
    return Envelopes(measured, measured + off, np.full_like(measured, 2.0), measured - 4.0 if before else None)


def test_curves_follow_the_recording_at_their_rate() -> None:
    curves = curves_of(envelopes(), NAMES, RATE, "mV")
    right = curves.muscles["right"]
    assert curves.rate == 20.0
    assert len(right.measured) == 12 * 20
    instants = curves.start + np.arange(len(right.measured)) / curves.rate
    np.testing.assert_allclose(right.measured, 5.0 + instants + 1 / RATE, atol=0.02)  # the middle of three samples
    np.testing.assert_allclose(np.subtract(right.estimate, right.measured), 1.0, atol=0.02)
    np.testing.assert_allclose(np.subtract(right.before, right.measured), -4.0, atol=0.02)


def test_curves_state_the_share_that_the_interval_held() -> None:
    muscles = curves_of(envelopes(), NAMES, RATE, "mV").muscles
    assert (muscles["right"].inside, muscles["left"].inside) == (1.0, 0.0)


def test_curves_are_the_same_after_json() -> None:
    given = envelopes()
    given.measured[:, 1] = np.nan
    curves = curves_of(replace(given, before=None), NAMES, RATE, "mV")
    assert list(curves.muscles) == ["right"]  # the other has no EMG
    assert curves.muscles["right"].before == ()
    assert from_json(EnvelopeCurves, to_json(curves), "curves") == curves
    assert len(json.dumps(json.loads(to_json(curves)))) < 10_000


def test_curves_without_any_emg_are_the_estimates_alone() -> None:
    given = envelopes(before=False)
    given.measured[:] = np.nan
    muscles = curves_of(given, NAMES, RATE, "mV").muscles
    assert [own.measured for own in muscles.values()] == [(), ()]
    assert all(len(own.estimate) == SHOWN_S * 20.0 for own in muscles.values())
    assert np.isnan(muscles["left"].inside)


def test_typical_stretch_is_neither_the_best_nor_the_worst_nor_a_gap() -> None:
    measured = np.tile(np.sin(np.arange(600.0) / 5)[:, None], (5, 1))
    error = np.repeat([0.0, 5.0, 1.0, np.nan, 0.9], 600)[:, None]
    start, stop = typical_stretch(measured, measured + error, 600)
    assert stop - start == 600
    assert 0.4 <= float(np.mean(error[start:stop])) <= 3.0
    assert typical_stretch(measured[:100], measured[:100], 600) == (0, 100)


def test_typical_stretch_ends_with_the_recording() -> None:
    measured = np.zeros((100, 1))
    assert typical_stretch(measured, measured + np.linspace(5.0, 1.0, 100)[:, None], 60) == (30, 90)


def test_interval_multiples_lie_between_those_that_were_measured() -> None:
    scale = DeviationScale((1.0,), (1.0,), (0.0,), ((0.6,), (1.2,), (2.4,)))
    levels = (0.5, 0.8, 0.95)
    assert interval_multiples(scale, levels, 0.8) == pytest.approx([1.2])
    assert 1.7 < interval_multiples(scale, levels, 0.9)[0] < 1.9
    assert interval_multiples(None, (), 0.9) == pytest.approx([1.645], abs=1e-3)


def test_interval_half_width_is_in_the_unit_of_the_reference(bundle: Bundle) -> None:
    deviation = np.full((3, 2), 0.1)
    scale = DeviationScale((1.0,) * 2, (1.0,) * 2, (0.0,) * 2, ((2.0,) * 2, (3.0,) * 2))
    stated = replace(bundle, uncertainty=Uncertainty("made up", (0.9, 0.95), scale))
    expected = np.tile(0.2 * np.array(bundle.reference.amplitude), (3, 1))
    np.testing.assert_allclose(interval_half_width(stated, deviation), expected)


def test_curves_are_rounded_to_four_digits() -> None:
    given = envelopes()
    given.measured[:, 0] = 1.23456
    assert set(curves_of(given, NAMES, RATE, "mV").muscles["right"].measured) == {1.235}
