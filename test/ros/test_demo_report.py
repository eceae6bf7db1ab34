"""The demo's report: estimates on the grid of the played part, in the unit of the measured envelope, and figures."""

import math
from dataclasses import replace

import numpy as np
import pytest
from fixtures.factories import RecordingFactory
from fixtures.ros_lab import to_timestamp
from imu_emg_estimator.msg import Emg, MuscleActivation
from std_msgs.msg import Header

from examples.demo.demo_playback import Listener
from examples.demo.demo_report import CalibrationAnswer, DemoRun, PlayedEstimates, make_report, report_table
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.signals.grid_alignment import SECOND

START = 1_700_000_000 * SECOND
RATE = 58.8


def _header(timestamp: int) -> Header:
    return Header(stamp=to_timestamp(timestamp))


def test_estimates_are_placed_at_the_samples_that_they_are_for() -> None:
    listener = Listener()
    listener.on_emg(Emg(header=_header(START)))
    listener.on_emg(Emg(header=_header(START + SECOND)))
    for row, status in ((1, MuscleActivation.OK), (2, MuscleActivation.STALE), (3, MuscleActivation.DEGRADED)):
        timestamp = START + round(row * SECOND / RATE)
        listener.on_activation(MuscleActivation(header=_header(timestamp), status=status, activation=[row, 2.0 * row]))
    nan = [math.nan, math.nan]
    np.testing.assert_array_equal(listener.on_grid(5, 2, RATE), [nan, [1.0, 2.0], nan, [3.0, 6.0], nan])


def test_envelopes_are_in_the_unit_of_the_measured_envelope(bundle: Bundle, make_recording: RecordingFactory) -> None:
    part = make_recording([("walking", 2.0)])
    listener = Listener()
    listener.on_emg(Emg(header=_header(START)))
    timestamp = START + round(3 * SECOND / part.rig.rate)
    listener.on_activation(MuscleActivation(header=_header(timestamp), activation=[0.5, 2.0]))
    calibrated = replace(bundle, reference=replace(bundle.reference, amplitude=(40.0, 10.0)))
    envelopes = listener.envelopes(part, calibrated)
    assert envelopes.shape == part.envelope.shape
    np.testing.assert_array_equal(envelopes[3], [20.0, 20.0])
    assert np.isnan(np.delete(envelopes, 3, axis=0)).all()


def played(part: Recording, bundle: Bundle, rows: range, age: float) -> PlayedEstimates:
    """Estimates equal to the measured envelope, one every 17 ms after a start at 100 s."""
    estimates = PlayedEstimates(first_emg=START)
    for row in rows:
        timestamp = START + round(row * SECOND / part.rig.rate)
        estimates.add(100.0 + row / RATE, timestamp, part.envelope[row] / bundle.reference.amplitude, age)
    return estimates


@pytest.fixture
def run(bundle: Bundle, make_recording: RecordingFactory) -> DemoRun:
    """A run whose estimates are perfect, three of which were lost."""
    part = make_recording([("walking", 5.0)])
    rows = range(len(part) - bundle.config.look_ahead)
    return DemoRun(
        recording=part,
        part=part,
        base=bundle,
        running=bundle,
        before=played(part, bundle, rows[2:], age=0.002),
        during=played(part, bundle, range(0, 100, 10), age=0.002),
        calibrated=played(part, bundle, rows[1:], age=0.004),
        answer=CalibrationAnswer(True, "demo-1", "adapted to 2 muscles", 3.5),
    )


def test_report_holds_rates_ages_losses_and_gaps(run: DemoRun) -> None:
    report = make_report(run)
    assert report["publish_rate_hz"] == pytest.approx(RATE)
    assert report["messages_lost"] == 3
    assert (report["age_s"]["p50"], report["age_s"]["p99"]) == (pytest.approx(0.004), pytest.approx(0.004))
    assert report["largest_gap_s"]["playing"] == pytest.approx(1 / RATE)
    assert report["largest_gap_s"]["calibrating"] == pytest.approx(10 / RATE)
    assert (report["calibrated"], report["calibration_id"], report["calibration_wall_s"]) == (True, "demo-1", 3.5)


def test_report_scores_perfect_estimates_as_perfect(run: DemoRun) -> None:
    report = make_report(run)
    for when in ("before", "after"):
        assert report[f"r_{when}"] == pytest.approx(1.0)
        assert report[f"r2_{when}"] == pytest.approx(1.0)
        assert report["r_by_muscle"][when].keys() == set(run.part.rig.muscle_names)


def test_report_table_says_what_was_lost_and_whether_it_is_calibrated(run: DemoRun) -> None:
    report = make_report(run)
    table = report_table(report)
    assert "58.8 Hz" in table
    assert "4.0 ms, 4.0 ms" in table
    assert "3.5 s from call to calibrated estimates" in table
    assert "NOT CALIBRATED: the old model was kept" in report_table(report | {"calibrated": False})
    assert "SIMULATED" in report_table(report | {"source": "simulated"})
