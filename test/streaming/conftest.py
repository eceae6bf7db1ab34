"""Rows of samples with gaps, and a second bundle, for tests of what turns rows into estimates."""

from dataclasses import replace

import numpy as np
import pytest
from fixtures.factories import BundleFactory, RecordingFactory
from fixtures.live_estimates import Array

from imu_emg_estimator.model.bundle import Bundle


@pytest.fixture(scope="module")
def imu(make_recording: RecordingFactory) -> Array:
    """Three seconds of walking, in which sensors and parts of them come and go."""
    imu = make_recording([("walking", 3.0)]).imu
    imu[:, 5, 3:] = np.nan  # a gyroscope that never works
    imu[40:90, 0] = np.nan
    imu[60:62] = np.nan
    imu[100, 2, 1] = np.inf
    return imu


@pytest.fixture(scope="module")
def other(make_bundle: BundleFactory, bundle: Bundle) -> Bundle:
    """Another bundle of the same rig, with its own weights and normalisation."""
    other = make_bundle(seed=7)
    return replace(other, normalisation=replace(bundle.normalisation, std=0.5 * bundle.normalisation.std))
