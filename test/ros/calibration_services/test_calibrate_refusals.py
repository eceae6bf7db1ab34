"""Calls of the calibrate service that cannot be done, and bags that may not be read."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fixtures.calibration_files import stored
from fixtures.ros_lab import Lab
from imu_emg_estimator.srv import Calibrate

from imu_emg_estimator.calibration.worker_control import Worker

Answer = Calibrate.Response
StartLab = Callable[..., Lab]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("bag", "code", "said"),
    [
        ("missing", Answer.BAG_UNREADABLE, "does not exist"),
        ("corrupt", Answer.BAG_UNREADABLE, "cannot be read"),
        ("without_an_imu", Answer.MISSING_TOPIC, "no Imu messages on /imu/left_thigh"),
        ("short", Answer.TOO_SHORT, "at least"),
    ],
)
def test_calibrate_refuses_bad_bag(bag: str, code: int, said: str, lab: Lab, bags: Path) -> None:
    answer = lab.calibrated(bags / bag)
    assert (answer.success, answer.error_code) == (False, code), answer.message
    assert said in answer.message
    assert bag in answer.message
    assert "\n" not in answer.message
    assert answer.calibration_id == ""


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"subject": "../x"}, "subject_id: subject '../x' is not a valid name"),
        ({"subject": ""}, "subject_id: subject '' is not a valid name"),
        ({"bag": ""}, "bag_uri is empty"),
        ({"max_duration": -1.0}, "max_duration is -1.0; give 0 for the default, or up to 3600 s"),
        ({"max_duration": float("nan")}, "max_duration is nan"),
        ({"max_duration": float("inf")}, "max_duration is inf"),
        ({"max_duration": 4000.0}, "max_duration is 4000.0"),
        ({"emg_delay": "soon"}, "emg_delay is 'soon'; give seconds such as '0.1', 'auto', or nothing"),
        ({"method": "magic"}, "adaptation method 'magic' is not known; leave the method empty, or give 'guarded'"),
    ],
    ids=lambda value: None if isinstance(value, str) else "-".join(f"{k}={v}" for k, v in value.items()),
)
def test_calibrate_refuses_bad_request(fields: dict[str, Any], said: str, lab: Lab, bags: Path) -> None:
    answer = lab.calibrated(**({"bag": bags / "raw"} | fields))
    assert (answer.success, answer.error_code) == (False, Answer.INVALID_REQUEST), answer.message
    assert said in answer.message


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"bag": "missing"}, Answer.BAG_UNREADABLE),
        ({"bag": "."}, Answer.BAG_UNREADABLE),
        ({"bag": "/etc/passwd"}, Answer.INVALID_REQUEST),
        ({"further_bag_uris": ["/etc/missing"]}, Answer.INVALID_REQUEST),
        ({"method": "magic"}, Answer.INVALID_REQUEST),
    ],
)
def test_calibrate_refuses_wrong_call_before_any_process_starts(
    fields: dict[str, Any], code: int, lab: Lab, bags: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy computer a process takes its time."""
    monkeypatch.setattr(Worker, "run", lambda *_: pytest.fail("a process was started"))
    given = {"bag": "raw"} | fields
    answer = lab.calibrated(**(given | {"bag": bags / given["bag"]}))
    assert (answer.success, answer.error_code) == (False, code), answer.message


@pytest.mark.usefixtures("unchanged")
def test_calibrate_refuses_unknown_home_directory(lab: Lab) -> None:
    answer = lab.calibrated("~nobody-here/bag")
    assert answer.error_code == Answer.INVALID_REQUEST
    assert "names a home directory that is not known" in answer.message


def test_calibrate_refuses_bags_elsewhere(start_lab: StartLab, bags: Path, tmp_path: Path) -> None:
    allowed, missing = tmp_path / "allowed", tmp_path / "missing"
    shutil.copytree(bags / "short", allowed / "short")
    (allowed / "link").symlink_to(bags / "raw")
    (allowed / "of_links").mkdir()
    for file in (bags / "raw").iterdir():
        (allowed / "of_links" / file.name).symlink_to(file)
    lab = start_lab(bag_directories=[str(missing), str(allowed)])
    for bag in (allowed / ".." / "bag", allowed / "link", allowed / "of_links"):
        answer = lab.calibrated(allowed / "short", further_bag_uris=[str(bag)])
        assert answer.error_code == Answer.INVALID_REQUEST, answer.message
        assert f"lies outside the directories that bags are read from ({allowed})" in answer.message
        assert "\n" not in answer.message
    assert lab.calibrated(f"file://{allowed}/short").error_code == Answer.TOO_SHORT
    assert not stored(lab)


def test_calibrate_needs_an_existing_bag_directory(start_lab: StartLab, bags: Path, tmp_path: Path) -> None:
    lab = start_lab(bag_directories=[str(tmp_path / "missing")])
    answer = lab.calibrated(bags / "raw")
    assert answer.error_code == Answer.INVALID_REQUEST
    assert f"none of the directories that bags may lie in exists ({tmp_path / 'missing'})" in answer.message
