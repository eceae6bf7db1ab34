"""Recorded timestamps that leap, or do not advance with the samples, are followed as live."""

import numpy as np
import pytest
from fixtures.simulated_arrivals import (
    Fault,
    constant,
    every_nth_on_arrival,
    in_bursts,
    lost,
    ns,
    sensor,
    sharing_timestamps,
    shifted,
)

from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.recorded_clocks import follow_clock, leaps

USUAL_DELAY_NS = SECOND * 4 // 1000


@pytest.mark.parametrize("fault", [lambda s: s, lost(0.3), in_bursts(4, stamped=False), shifted(0.03)])
def test_follow_clock_leaves_regular_timestamps_alone(fault: Fault) -> None:
    samples = fault(sensor(0))
    assert follow_clock(samples.timestamps, ns(samples.arrivals) - USUAL_DELAY_NS) is None


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (shifted(-5.0, 5.0), "its clock leaps: reconciled by receive times"),
        (shifted(0.4, 5.0), "its clock leaps: reconciled by receive times"),
        (constant(0), "its timestamps are zero: replaced by receive times"),
        (sharing_timestamps(4, 0), "its timestamps are shared by several samples: replaced by receive times"),
        (in_bursts(8, stamped=True), "its timestamps are irregular: replaced by receive times"),
    ],
)
def test_follow_clock_aligns_to_milliseconds(fault: Fault, words: str) -> None:
    samples = fault(sensor(0))
    followed = follow_clock(samples.timestamps, ns(samples.arrivals) - USUAL_DELAY_NS)
    assert followed is not None
    assert followed.fault == words
    assert followed.kept.mean() > 0.97
    errors = (followed.instants - ns(samples.true))[followed.kept & (samples.true > 1.0)] / SECOND
    assert np.percentile(np.abs(errors), 99) < 0.005


def test_follow_clock_leaves_out_samples_stamped_late() -> None:
    samples = every_nth_on_arrival(7, 0.04)(sensor(0))
    followed = follow_clock(samples.timestamps, ns(samples.arrivals) - USUAL_DELAY_NS)
    assert followed is not None
    errors = (followed.instants - ns(samples.true))[followed.kept & (samples.true > 1.0)] / SECOND
    assert (np.abs(errors) < 0.005).mean() > 0.97


def test_leaps_are_those_of_timestamps_alone() -> None:
    samples = sensor(0)
    leapt = shifted(3.0, 5.0)(samples).timestamps
    assert leaps(leapt, ns(samples.arrivals))
    assert not leaps(leapt, ns(samples.arrivals) + (leapt - samples.timestamps))
