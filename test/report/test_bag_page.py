"""The report of a bag: what a model makes of it, with EMG and without, of good sensors and of bad ones."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fixtures.factories import RecordingFactory
from fixtures.html_pages import ReadPage, read_page

from imu_emg_estimator.bags import write_bag
from imu_emg_estimator.calibration.calibrate_recordings import judge
from imu_emg_estimator.calibration.request import CalibrationRequest
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.report.bag_findings import BagFindings, findings_of_bag
from imu_emg_estimator.report.bag_page import bag_page
from imu_emg_estimator.report.html_page import number

CONTENTS = {"seconds": 20.0, "topics": {"/imu/left_foot": {"type": "sensor_msgs/msg/Imu", "messages": 7, "rate_hz": 3}}}
RIGHT = "vastus_lateralis_right"


@pytest.fixture(scope="module")
def walk(make_recording: RecordingFactory) -> Recording:
    return make_recording([("walking", 15.0)])


def findings(bundle: Bundle, recording: Recording, folder: Path, **topics: tuple[str, ...]) -> BagFindings:
    write_bag(recording, folder / "walk")
    return findings_of_bag(bundle, CalibrationRequest(folder, (folder / "walk",), "", **topics))


def page_of(found: BagFindings) -> ReadPage:
    return read_page(bag_page(found, CONTENTS).html())


@pytest.mark.slow
def test_page_compares_estimates_with_the_emg(trained_bundle: Bundle, walk: Recording, tmp_path: Path) -> None:
    found = findings(trained_bundle, walk, tmp_path)
    read, judged = page_of(found), judge(trained_bundle, walk)[RIGHT]
    assert read.row("vastus lateralis right")[1:] == [number(found.scores[RIGHT].r), number(found.scores[RIGHT].r2)]
    assert found.scores[RIGHT].r == pytest.approx(judged.r, abs=0.02)
    assert read.row("right foot")[1] == "yes"
    assert read.row("/imu/left_foot") == ["/imu/left_foot", "7", "3.0", "sensor_msgs/msg/Imu"]
    assert {"OK", "WARMING_UP"} <= {row[0] for row in read.cells}
    assert len(read.named("svg")) == 2


@pytest.mark.slow
def test_page_names_bad_sensors_with_the_reason(trained_bundle: Bundle, walk: Recording, tmp_path: Path) -> None:
    imu = walk.imu.copy()
    imu[:, walk.rig.sensor_names.index("left_foot")] *= 0.3
    read = page_of(findings(trained_bundle, replace(walk, imu=imu), tmp_path))
    name, used, reason = read.row("left foot")
    assert (name, used) == ("left foot", "left out")
    assert reason
    assert "left foot must be left out" in read.text


@pytest.mark.slow
def test_page_without_emg_shows_estimates_alone(trained_bundle: Bundle, walk: Recording, tmp_path: Path) -> None:
    silent = replace(walk, emg=None, envelope=np.full_like(walk.envelope, np.nan))
    found = findings(trained_bundle, silent, tmp_path)
    read = page_of(found)
    assert "There is no EMG to compare with" in read.text
    assert found.curves is not None
    assert [own.measured for own in found.curves.muscles.values()] == [(), ()]
    assert len(read.named("svg")) == 2


def test_page_says_why_the_model_does_not_fit(trained_bundle: Bundle, walk: Recording, tmp_path: Path) -> None:
    found = findings(trained_bundle, walk, tmp_path, imu_topics=tuple(f"/other/{index}" for index in range(6)))
    read = page_of(found)
    assert "cannot estimate from this recording" in read.text
    assert "/other/0" in read.text
    assert read.named("svg") == []
    assert read.row("/imu/left_foot")
