"""The report of a calibration says what its figures say, to someone who was not there."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures.calibration_actions import calibrated
from fixtures.factories import RecordingFactory
from fixtures.html_pages import ReadPage, read_page

from imu_emg_estimator.calibration.adaptation import AdaptationSettings
from imu_emg_estimator.calibration.calibrate_recordings import CalibrationResult, calibrate
from imu_emg_estimator.calibration.calibration_report import CalibrationReport
from imu_emg_estimator.errors import BagTooShort
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.report.calibration_page import calibration_page, report_of_bundle
from imu_emg_estimator.report.html_page import number

SETTINGS = AdaptationSettings(steps=40, sequence=64, learning_rate=5e-3)
NAME = "anna-20250102T000000-aaaaaa"


@pytest.fixture(scope="module")
def found(trained_bundle: Bundle, make_recording: RecordingFactory) -> CalibrationResult:
    """A calibration of a subject whose muscles are later than the model thinks, and whose left foot is silent."""
    recording = make_recording([("walking", 40.0)], seed=20, emg_delay=0.15)
    imu = recording.imu.copy()
    imu[:, recording.rig.sensor_names.index("left_foot")] = np.nan
    return calibrate(trained_bundle, replace(recording, imu=imu), "anna", settings=SETTINGS)


def page_of(report: CalibrationReport, subject: str = "anna") -> ReadPage:
    return read_page(calibration_page(report, subject, "base-0").html())


@pytest.mark.slow
def test_page_shows_the_figures_of_the_report(found: CalibrationResult) -> None:
    read, figures = page_of(found.report), found.report.to_dict()
    for index, name in enumerate(figures["muscle_names"]):
        row = read.row(name.replace("_", " "))
        for column, figure in ((2, "r"), (3, "r2")):
            before, after = (figures[f"{figure}_{when}"][index] for when in ("before", "after"))
            assert row[column] == f"{number(before)} → {number(after)}"
        gain = figures["gain_r"][name]
        assert row[4] == f"{number(gain['change'])} ({number(gain['low'])} to {number(gain['high'])})"
    assert found.report.calibration_id in read.text
    assert "The calibration helped" in read.text
    assert len(read.named("svg")) == len(figures["muscle_names"])


@pytest.mark.slow
def test_page_names_what_was_left_out_with_the_reason(found: CalibrationResult) -> None:
    read = page_of(found.report)
    assert found.report.verdicts["left_foot"] == "left out: no samples"
    assert read.row("left foot") == ["left foot", "left out", "no samples"]
    assert read.row("right foot")[1:] == ["yes", "nothing of note"]
    assert "Left out for its whole length: left foot" in read.text


@pytest.mark.slow
def test_stored_calibration_has_the_same_page(found: CalibrationResult) -> None:
    assert found.bundle is not None
    stored, tried = (page_of(report) for report in (report_of_bundle(found.bundle), found.report))
    assert stored.cells == tried.cells
    curves = [[own["d"] for own in read.named("path")] for read in (stored, tried)]
    assert curves[0] == curves[1]


@pytest.mark.slow
def test_curves_show_estimates_of_models_that_had_not_seen_the_emg(
    found: CalibrationResult, trained_bundle: Bundle
) -> None:
    """As near to the measurement as the figures held out say, not as near as the adapted model comes."""
    assert found.report.curves is not None
    for name, own in found.report.curves.muscles.items():
        r = {kind: np.corrcoef(getattr(own, kind), own.measured)[0, 1] for kind in ("before", "estimate")}
        outcome = found.report.muscles[name]
        assert r["before"] == pytest.approx(outcome.before.r, abs=0.15)
        assert r["estimate"] == pytest.approx(outcome.after.r, abs=0.15)
        assert r["estimate"] > r["before"]
        assert 0.3 < own.inside <= 1.0


def test_page_of_a_calibration_of_an_earlier_release(bundle: Bundle) -> None:
    read = page_of(report_of_bundle(calibrated(bundle, NAME)))
    assert read.row("vastus lateralis right")[1:] == ["adapted to the subject", "0.50 → 0.75", "– → 0.40", "– (– to –)"]
    assert read.named("svg") == []


def test_page_escapes_hostile_names(bundle: Bundle) -> None:
    report = report_of_bundle(calibrated(bundle, NAME, bag="<script>", method="<b onclick=x>"))
    assert "<script>" in page_of(report, "<script>alert(1)</script>").text


@pytest.mark.parametrize(
    ("report", "part"),
    [
        (CalibrationReport.failed(BagTooShort("bag walk has 5 s")), "could not be done: bag walk has 5 s"),
        (CalibrationReport(False, "refused", refusal="the subject did not move"), "refused, and nothing was changed"),
        (CalibrationReport(False, "kept", seconds=30.0), "made nothing better"),
    ],
)
def test_page_says_why_nothing_was_changed(report: CalibrationReport, part: str) -> None:
    read = page_of(report)
    assert part in read.text
    assert "record again" in read.text
    assert "calibrations use --previous" not in read.text


def test_stored_curves_do_not_change_other_answers(bundle: Bundle) -> None:
    figures: dict[str, Any] = report_of_bundle(calibrated(bundle, NAME)).to_dict()
    assert json.dumps(figures)
    assert "curves" not in figures


def test_commands_name_the_folder_where_the_calibration_lies(tmp_path: Path) -> None:
    report = CalibrationReport(True, "taken")
    read = read_page(calibration_page(report, "anna", "base-0", tmp_path / "our store").html())
    assert f"imu-emg calibrations use --previous --subject anna --directory '{tmp_path}/our store'" in read.text
    assert "--directory" not in page_of(report).text
