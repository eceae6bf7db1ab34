"""Values of parameters that are allowed, since a laboratory may want them, and do harm on a person."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import NamedTuple

from imu_emg_estimator.ros.parameter_schema import PARAMETERS, NodeSettings
from imu_emg_estimator.streaming.live_estimator import LiveSettings

USUAL_STALE_AFTER_S = LiveSettings.stale_after
MIN_CALIBRATION_S = 15.0  # of processor time, on an ordinary computer that has nothing else to do
NEEDED_ACCELERATION_MPS2 = 20.0  # twice gravity, the smallest range that is sold
NEEDED_RATE_RADPS = 8.0  # of a shank that swings; the smallest range that is sold is 8.7
LARGEST_ACCELERATION_MPS2 = 4000.0  # the largest range that is sold
LARGEST_RATE_RADPS = 140.0


class _Risk(NamedTuple):
    """What happens where a parameter is below a bound, or above it if ``is_above``."""

    name: str
    bound: float
    is_above: bool
    harm: str


def risky_settings(settings: NodeSettings, rate: float) -> list[str]:
    """Return a sentence for every parameter whose value does harm: its name, its value, what happens, what to choose.

    Args:
        rate: of the rig [Hz].
    """
    schema = {entry.name: entry for entry in PARAMETERS}
    sentences = []
    for name, bound, is_above, harm in _risks(settings, 1.0 / rate):
        value = getattr(settings, name)
        if value > bound if is_above else value < bound:
            unit, beyond = f" {schema[name].unit}" if schema[name].unit else "", "less" if is_above else "more"
            sentences.append(
                f"parameter '{name}' is {value:g}{unit}: {harm}; choose {bound:.3g} or {beyond} "
                f"(default: {schema[name].default:g})"
            )
    return sentences


def _risks(settings: NodeSettings, period: float) -> Iterator[_Risk]:
    """Yield the risks of a rig with this period [s]."""
    yield from _risks_of_age(settings, period)
    yield from _risks_of_gaps(settings, period)
    nonsense = "no IMU measures as much, so nonsense up to there is taken for a measurement"
    yield _Risk(
        "max_acceleration",
        NEEDED_ACCELERATION_MPS2,
        False,
        "gravity is 9.8 and every step is more, so it masks sensors",
    )
    yield _Risk("max_acceleration", LARGEST_ACCELERATION_MPS2, True, nonsense)
    yield _Risk("max_angular_rate", NEEDED_RATE_RADPS, False, "a leg that walks turns faster, so it masks sensors")
    yield _Risk("max_angular_rate", LARGEST_RATE_RADPS, True, nonsense)
    yield _Risk("calibration_max_duration", MIN_CALIBRATION_S, False, "most calibrations are given up unfinished")
    yield _Risk("calibration_nice", 10, True, "on a computer that is busy, calibrations are not finished in time")
    processors, slower = os.cpu_count() or 1, "there are not as many processors, so it is slower and late"
    yield _Risk("engine_threads", processors, True, slower)
    yield _Risk("calibration_threads", processors, True, slower)


def _risks_of_age(settings: NodeSettings, period: float) -> Iterator[_Risk]:
    stale_after = settings.stale_after
    yield _Risk(
        "stale_after",
        USUAL_STALE_AFTER_S,
        True,
        "estimates from input as old as that are called OK, and a controller acts on them",
    )
    yield _Risk("stale_after", math.ceil(400 * period) / 100, False, "a few late samples make the estimates STALE")
    yield _Risk(
        "deadline",
        max(stale_after - period, 0.0),
        True,
        f"'stale_after' is {stale_after:g} s, so one late sensor makes the estimates STALE instead of being masked",
    )
    yield _Risk("deadline", math.ceil(100 * period) / 100, False, "sensors that are hardly late are masked")


def _risks_of_gaps(settings: NodeSettings, period: float) -> Iterator[_Risk]:
    yield _Risk(
        "largest_gap",
        math.ceil(200 * period) / 100,
        False,
        "samples at the rig's rate are nearly as far apart, so sensors are masked",
    )
    yield _Risk("largest_gap", 0.25, True, "movement across such a gap is invented, and called OK")
    yield _Risk("sensor_timeout", math.ceil(300 * period) / 100, False, "a sensor that is a little late is given up")
    yield _Risk("sensor_timeout", 2.0, True, "estimates come later for so long once a sensor has fallen silent")
    yield _Risk("clock_jump", 0.5, False, "an ordinary delay resets all buffers, and the estimates warm up again")
    yield _Risk("clock_jump", 10.0, True, "a bag that is played again counts as late for so long: STALE")
    yield _Risk("queue_depth", math.ceil(0.15 / period), False, "samples are lost whenever the node is busy")
