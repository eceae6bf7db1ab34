"""The demo, shortened: node, player and calibration as processes, and a report of what came."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fixtures.factories import RecordingFactory
from fixtures.ros_lab import to_timestamp
from imu_emg_estimator.msg import Emg, MuscleActivation
from std_msgs.msg import Header

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.ros import demo
from imu_emg_estimator.signals.grid_alignment import SECOND

START = 1_700_000_000 * SECOND
RATE = 58.8


def test_simulated_subject_from_end_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "CALIBRATION_SECONDS", 16.0)
    assert demo.main(["--seconds", "10", "--out", str(tmp_path)]) == 0
    said = capfd.readouterr().out
    assert "SIMULATED subject" in said
    assert "vastus_lateralis_right" in said  # the bars
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["source"] == "simulated"
    assert report["publish_rate_hz"] == pytest.approx(RATE, rel=0.05)
    assert 0 <= report["messages_lost"] < 0.05 * 2 * 10 * RATE  # none, unless the machine stalls
    assert 0 < report["age_s"]["p50"] <= report["age_s"]["p99"] < 0.5
    assert all(math.isfinite(report[f"{figure}_{when}"]) for figure in ("r", "r2") for when in ("before", "after"))
    assert report["r2_by_muscle"]["before"].keys() == {"vastus_lateralis_right", "vastus_lateralis_left"}
    assert "R² before, after" in said
    assert report["calibration_wall_s"] > 0
    assert report["calibration_message"] in said
    assert "held out in turn" in report["calibration_message"]  # it was judged, not refused
    assert report["calibrated"] == ("adapted to" in report["calibration_message"])
    assert ("NOT CALIBRATED" in said) != report["calibrated"]
    assert (tmp_path / "before_and_after.png").read_bytes().startswith(b"\x89PNG")


def _header(timestamp: int) -> Header:
    return Header(stamp=to_timestamp(timestamp))


def test_estimates_lie_at_the_instants_that_they_are_for() -> None:
    listener = demo.Listener()
    listener.on_emg(Emg(header=_header(START)))
    listener.on_emg(Emg(header=_header(START + SECOND)))
    for row, status in ((1, MuscleActivation.OK), (2, MuscleActivation.STALE), (3, MuscleActivation.DEGRADED)):
        timestamp = START + round(row * SECOND / RATE)
        listener.on_activation(MuscleActivation(header=_header(timestamp), status=status, activation=[row, 2.0 * row]))
    nan = [math.nan, math.nan]
    np.testing.assert_array_equal(listener.estimates(5, 2, RATE), [nan, [1.0, 2.0], nan, [3.0, 6.0], nan])


def test_estimates_in_the_unit_of_the_measured_envelope(bundle: Bundle, make_recording: RecordingFactory) -> None:
    part = make_recording([("walking", 2.0)])
    listener = demo.Listener()
    listener.on_emg(Emg(header=_header(START)))
    timestamp = START + round(3 * SECOND / part.rig.rate)
    listener.on_activation(MuscleActivation(header=_header(timestamp), activation=[0.5, 2.0]))
    calibrated = replace(bundle, reference=replace(bundle.reference, amplitude=(40.0, 10.0)))
    envelopes = listener.envelopes(part, calibrated)
    assert envelopes.shape == part.envelope.shape
    np.testing.assert_array_equal(envelopes[3], [20.0, 20.0])
    assert np.isnan(np.delete(envelopes, 3, axis=0)).all()


def test_data_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.main(["--data", str(tmp_path / "missing"), "--out", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("demo: ")
    assert str(tmp_path / "missing") in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("arguments", [["--seconds", "5"], ["--seconds", "1e9"], ["--seed", "-1"]])
def test_arguments_out_of_bounds(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        demo.main(arguments)
    assert end.value.code == 2
