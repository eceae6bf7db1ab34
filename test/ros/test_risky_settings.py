"""Values of parameters that do harm are warned about with name, value and remedy; all others are not."""

from dataclasses import replace
from typing import Any

import pytest

from imu_emg_estimator.datasets.hugadb import RIG
from imu_emg_estimator.ros.parameter_schema import NodeSettings
from imu_emg_estimator.ros.risky_settings import risky_settings


@pytest.mark.parametrize("rate", [RIG.rate, 100.0])
def test_defaults_are_no_risk(rate: float) -> None:
    assert risky_settings(NodeSettings(), rate) == []


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("max_acceleration", 1.0, "parameter 'max_acceleration' is 1 m/s^2: gravity is 9.8 and every step is more"),
        ("max_acceleration", 1e5, "no IMU measures as much"),
        ("max_angular_rate", 1.0, "a leg that walks turns faster"),
        ("max_angular_rate", 1e4, "no IMU measures as much"),
        (
            "deadline",
            9.0,
            "parameter 'deadline' is 9 s: 'stale_after' is 0.15 s, so one late sensor makes the estimates",
        ),
        ("deadline", 0.0, "sensors that are hardly late are masked; choose 0.02 or more (default: 0.05)"),
        ("stale_after", 2.0, "estimates from input as old as that are called OK"),
        ("stale_after", 0.06, "a few late samples make the estimates STALE"),
        ("largest_gap", 0.001, "nearly as far apart, so sensors are masked"),
        ("largest_gap", 10.0, "movement across such a gap is invented"),
        ("sensor_timeout", 0.01, "given up"),
        ("sensor_timeout", 60.0, "estimates come later for so long"),
        ("clock_jump", 0.1, "resets all buffers"),
        ("clock_jump", 3600.0, "played again counts as late for so long"),
        ("queue_depth", 1, "parameter 'queue_depth' is 1: samples are lost whenever the node is busy"),
        ("calibration_max_duration", 1.0, "given up unfinished; choose 15 or more (default: 120)"),
        ("calibration_nice", 19, "not finished in time; choose 10 or less (default: 3)"),
        ("engine_threads", 10_000, "not as many processors"),
        ("calibration_threads", 10_000, "not as many processors"),
    ],
)
def test_harmful_value_is_named_with_remedy(name: str, value: Any, said: str) -> None:
    sentences = risky_settings(replace(NodeSettings(), **{name: value}), RIG.rate)
    (sentence,) = [each for each in sentences if each.startswith(f"parameter '{name}' is {value:g}")]
    assert said in sentence
    assert "; choose " in sentence
    assert "\n" not in sentence


def test_deadline_is_judged_by_stale_after() -> None:
    assert not risky_settings(replace(NodeSettings(), deadline=0.12), RIG.rate)
    (sentence,) = risky_settings(replace(NodeSettings(), deadline=0.12, stale_after=0.1), RIG.rate)
    assert "'stale_after' is 0.1 s" in sentence
