"""What is measured with: networks of the shape asked for, and motion like that of a subject."""

import numpy as np

from benchmarks.latency.random_bundles import Shape, at_rate, made_up_motion, random_bundle, shape_of
from imu_emg_estimator.model.bundle import Bundle


def test_random_bundle_has_the_shape_asked_for() -> None:
    shape = Shape(sensors=3, rate=400.0, width=32, layers=2, window=40, muscles=5)
    bundle = random_bundle(shape)
    assert shape_of(bundle) == shape
    assert (len(bundle.rig.sensors), len(bundle.rig.muscles), bundle.rig.rate) == (3, 5, 400.0)


def test_random_bundle_keeps_network_at_other_rate(bundle: Bundle) -> None:
    faster = at_rate(bundle, 200.0)
    assert faster.rig.rate == 200.0
    assert faster.config == bundle.config
    assert faster.weights is bundle.weights


def test_random_motion_has_size_of_subjects(bundle: Bundle) -> None:
    motion = made_up_motion(bundle, 4000)
    normalised = (motion - bundle.normalisation.mean) / bundle.normalisation.std
    assert motion.shape == (4000, len(bundle.rig.sensors), 6)
    np.testing.assert_allclose(normalised.std(axis=0), 1.0, atol=0.15)
