"""All placement errors at once give the statistics that each gives alone."""

from dataclasses import replace

import numpy as np
import pytest
from fixtures.factories import RecordingFactory

from imu_emg_estimator.model.motion_distribution import Distribution
from imu_emg_estimator.model.motion_hypotheses import Hypotheses
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.motion_statistics import MotionStatistics, motion_moments


def distribution_of(sensors: int) -> Distribution:
    size = len(MotionStatistics(sensors))
    factor = np.random.default_rng(1).standard_normal((size, size)) / size
    return Distribution("random", ("walking",), 1.7, np.zeros((1, size)), np.eye(size) + factor @ factor.T)


@pytest.mark.parametrize("present", [(True,) * 6, (True, True, False, True, True, True)])
def test_hypotheses_equal_statistics_of_remounted_sensors(
    rig: Rig, make_recording: RecordingFactory, present: tuple[bool, ...]
) -> None:
    available = np.array(present)
    imu = np.where(available[:, None], make_recording([("walking", 6.0)]).imu, np.nan)
    statistics = MotionStatistics(6)
    moments = motion_moments(imu, rig.rate)[-1]
    hypotheses = Hypotheses(rig)
    whitening = hypotheses.whitening(distribution_of(6), available)
    all_at_once = hypotheses.whitened(statistics.describe(moments)[0], statistics.covariance(moments), whitening)
    for index in np.flatnonzero(hypotheses.possible(available)):
        remedy = hypotheses.remedies[index]
        one = statistics.describe(statistics.remounted(moments, remedy.sources, remedy.rotations()))[0]
        np.testing.assert_allclose(all_at_once[index], one @ whitening.matrix, atol=1e-9)


def test_hypotheses_of_missing_sensor_are_impossible(rig: Rig) -> None:
    hypotheses = Hypotheses(rig)
    possible = hypotheses.possible(np.array([True, True, False, True, True, True]))
    concerned = np.array([2 in remedy.sensors for remedy in hypotheses.remedies])
    assert np.array_equal(possible, ~concerned)


def test_hypotheses_work_for_one_sensor(rig: Rig) -> None:
    alone = replace(rig, sensors=rig.sensors[:1], muscles=rig.muscles[:1])
    statistics, hypotheses = MotionStatistics(1), Hypotheses(alone)
    moments = motion_moments(np.random.default_rng(0).standard_normal((100, 1, 6)), rig.rate)[-1]
    whitening = hypotheses.whitening(distribution_of(1), np.array([True]))
    white = hypotheses.whitened(statistics.describe(moments)[0], statistics.covariance(moments), whitening)
    assert np.isfinite(white).all()
