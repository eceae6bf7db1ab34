"""MotionMonitor: what it keeps, and for how long."""

import gc
import weakref
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from imu_emg_estimator.model.motion_distribution import Distribution, Metric
from imu_emg_estimator.signals.motion_statistics import MotionStatistics
from imu_emg_estimator.streaming.motion_monitor import MotionMonitor

SENSORS, RATE = 5, 10.0  # Hz; a score with every row


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> list[weakref.ref[Metric]]:
    """All metrics that distributions make."""
    made: list[weakref.ref[Metric]] = []
    original = Distribution.metric

    def metric(self: Distribution, available: NDArray[np.bool_]) -> Metric:
        result = original(self, available)
        made.append(weakref.ref(result))
        return result

    monkeypatch.setattr(Distribution, "metric", metric)
    return made


@pytest.fixture
def distribution() -> Distribution:
    size = len(MotionStatistics(SENSORS))
    return Distribution("made up", ("walking",), 2.0, np.zeros((1, size)), np.eye(size))


def rows(missing: Any = (), count: int = 60) -> NDArray[np.float64]:
    """Rows in which sensors are missing, for longer than they are remembered."""
    imu = np.random.default_rng(0).standard_normal((count, SENSORS, 6))
    imu[:, list(missing)] = np.nan
    return imu


def scores(monitor: MotionMonitor, imu: NDArray[np.float64], distribution: Distribution) -> list[float]:
    return [monitor.step(row, distribution) for row in imu]


def test_motion_monitor_bounds_kept_metrics(metrics: list[weakref.ref[Metric]], distribution: Distribution) -> None:
    monitor = MotionMonitor(SENSORS, RATE)
    for present in product([True, False], repeat=SENSORS):
        scores(monitor, rows(missing=[s for s, there in enumerate(present) if not there]), distribution)
    gc.collect()
    assert len(metrics) > 2**SENSORS - 2
    assert sum(metric() is not None for metric in metrics) == 8


def test_motion_monitor_reuses_metrics_of_calibrated_bundle(
    metrics: list[weakref.ref[Metric]], distribution: Distribution
) -> None:
    monitor = MotionMonitor(SENSORS, RATE)
    before = scores(monitor, rows(), distribution)[-1]
    count = len(metrics)
    loaded = replace(distribution, centres=distribution.centres.copy(), threshold=3.0)
    after = scores(monitor, rows(), loaded)[-1]
    assert len(metrics) == count
    assert np.isfinite(before)
    another = replace(distribution, centres=distribution.centres + 1.0)
    assert scores(monitor, rows(), another)[-1] != pytest.approx(after, rel=0.1)


def test_motion_monitor_scores_ten_times_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    scored: list[None] = []
    monkeypatch.setattr(MotionMonitor, "_scored", lambda self, distribution: scored.append(None) or 0.0)
    monitor = MotionMonitor(sensors=1, rate=200.0)
    for _ in range(400):
        monitor.step(np.zeros((1, 6)), None)
    assert len(scored) == 20
