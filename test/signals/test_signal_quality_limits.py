"""Limits of the judgement of channels, by figures on both sides."""

from dataclasses import replace

import numpy as np
import pytest

from imu_emg_estimator.signals.recording_checks import StateTime
from imu_emg_estimator.signals.sensor_verdict import SensorState, Verdict
from imu_emg_estimator.signals.signal_quality import (
    MuscleFigures,
    SensorFigures,
    judge_muscle,
    judge_sensor,
    judge_states,
)

SOUND = SensorFigures(60.0, 60.0, 0.0, 0.0, 0.0, 0.0, 9.81, True, 9.81, 3.0, 1.0)


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        ({"missing": 0.0195}, {}),
        ({"missing": 0.0205}, {"gaps": False}),
        ({"missing": 0.245}, {"gaps": False}),
        ({"missing": 0.255}, {"gaps": True}),
        ({"missing": 0.89, "movement": 0.1}, {"gaps": True, "still": False}),
        ({"missing": 0.91, "movement": 0.1}, {"gaps": True}),
        ({"movement": 0.51}, {}),
        ({"movement": 0.49}, {"still": False}),
        ({"longest_gap": 0.49}, {}),
        ({"longest_gap": 0.51}, {"gaps": False}),
    ],
)
def test_judge_sensor_at_its_limits(change: dict[str, float], kinds: dict[str, bool]) -> None:
    assert {finding.kind: finding.bad for finding in judge_sensor("foot", replace(SOUND, **change))} == kinds


@pytest.mark.parametrize(("share", "bad"), [(0.0195, None), (0.0205, False), (0.245, False), (0.255, True)])
def test_judge_states_reports_from_a_fiftieth_of_the_time_and_leaves_out_from_a_quarter(
    share: float, bad: bool | None
) -> None:
    frozen = StateTime(SensorState(Verdict.FROZEN, "stands still", "restart it", True), 100.0 * share)
    assert [finding.bad for finding in judge_states("foot", [frozen], 100.0)] == ([] if bad is None else [bad])


@pytest.mark.parametrize(("level", "is_unit"), [(0.0095, True), (0.0105, False), (95.0, False), (105.0, True)])
def test_judge_muscle_takes_a_hundredth_and_a_hundredfold_for_another_unit(level: float, is_unit: bool) -> None:
    figures = MuscleFigures(30.0, 0.0, 1.0, level, 5.0, np.nan, np.nan, np.nan)
    assert ("unit" in {finding.kind for finding in judge_muscle("vastus", figures, True)}) is is_unit
