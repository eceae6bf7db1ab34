"""What `imu-emg watch` shows."""

import math
from dataclasses import replace

import pytest

from imu_emg_estimator.guide.watch_panel import EstimatorView, SensorView
from imu_emg_estimator.streaming.activation_status import DEGRADED, OK, STALE

VIEW = EstimatorView(
    title="/node, model",
    status=DEGRADED,
    cause="left_shank repeats one sample",
    rate=58.8,
    age=0.0031,
    muscles=("vastus_right", "vastus_left"),
    activation=(0.5, math.nan),
    deviation=(0.1, math.nan),
    sensors=(SensorView("left_foot", 100.0, "ok"), SensorView("left_shank", 99.6, "frozen", "repeats one; reset it")),
    seen={"OK": 90, "DEGRADED": 10},
    faults={"left_shank frozen": 10},
)


def test_view_shows_status_bars_and_verdicts() -> None:
    lines = VIEW.lines(200)
    assert lines == [
        "DEGRADED (left_shank repeats one sample), 58.8 estimates a second, age 3.1 ms; /node, model",
        f"  vastus_right  {'█' * 15}{'░' * 15} 0.50 ± 0.10",
        f"  vastus_left   {'░' * 30} not available",
        "  left_foot       100 Hz  ok",
        "  left_shank      100 Hz  frozen: repeats one; reset it",
    ]


def test_lines_fit_the_terminal() -> None:
    """A line that wraps would spoil the panel, whose lines change in place."""
    lines = VIEW.lines(30)
    assert max(map(len, lines)) == 30
    assert lines[0].endswith("…")


def test_summary_gives_shares() -> None:
    assert VIEW.summary() == "100 estimates: OK 90%, DEGRADED 10%\nsensors: left_shank frozen 10%"
    assert replace(VIEW, seen={}, faults={}).summary() == "no estimate was seen"


@pytest.mark.parametrize(
    ("seen", "good"),
    [({"OK": 5, "WARMING_UP": 2}, True), ({"OK": 5, "STALE": 1}, False), ({"WARMING_UP": 2}, False), ({}, False)],
)
def test_good_is_ok_after_warming_up(seen: dict[str, int], good: bool) -> None:
    assert replace(VIEW, seen=seen).is_good is good


@pytest.mark.parametrize(("status", "name"), [(OK, "OK"), (STALE, "STALE"), (None, "no estimate yet"), (9, "status 9")])
def test_json_has_name_of_status(status: int | None, name: str) -> None:
    content = replace(VIEW, status=status).to_dict()
    assert content["status"] == name
    assert content["activation"] == [0.5, None]
