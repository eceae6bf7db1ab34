"""What the bags of a calibration tell of its channels: of several the worst."""

from types import SimpleNamespace
from typing import Any

from imu_emg_estimator.calibration.calibrate_bags import stream_of
from imu_emg_estimator.signals.powerline import Powerline


def bag(rate: float, saturated: float = 0.0, powerline: Powerline | None = None, has_emg: bool = True) -> Any:
    """Return a bag with one IMU and one muscle, whose EMG is in time."""
    emg = SimpleNamespace(saturated={"quad": saturated}, powerline={"quad": powerline}) if has_emg else None
    report = SimpleNamespace(imu=[SimpleNamespace(sensor="foot", rate=rate)], emg=emg)
    return SimpleNamespace(report=report, delay=SimpleNamespace(is_open=False))


def test_stream_of_several_bags_is_that_of_the_worst() -> None:
    bags = [
        bag(100.0, 0.2, Powerline(50.0, (50.0,), 0.3)),
        bag(60.0, 0.5, Powerline(60.0, (60.0,), 0.2)),
        bag(80.0, 0.1),
    ]
    for given in (bags, bags[::-1]):
        stream = stream_of(given)
        assert stream.rate == {"foot": 60.0}
        assert stream.saturated == {"quad": 0.5}
        assert (stream.powerline, stream.powerline_frequency) == ({"quad": 0.3}, {"quad": 50.0})
        assert stream.late == ""


def test_stream_of_bags_without_emg_knows_the_rate_alone() -> None:
    stream = stream_of([bag(100.0, has_emg=False), bag(90.0, has_emg=False)])
    assert (stream.rate, stream.saturated, stream.powerline) == ({"foot": 90.0}, {}, {})
