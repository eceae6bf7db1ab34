"""The reset service: back to the base model, to an earlier calibration, and forth again."""

import secrets
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fixtures.calibration_files import stored
from fixtures.ros_lab import HOUR, Lab
from imu_emg_estimator.msg import CalibrationStatus
from imu_emg_estimator.srv import ResetCalibration

from imu_emg_estimator.calibration.calibration_store import store_calibration
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.calibration_record import Calibration
from imu_emg_estimator.recording import Recording

Reset = ResetCalibration.Response
StartLab = Callable[..., Lab]


def test_reset_to_base_and_earlier_calibration(
    start_lab: StartLab, alices: Bundle, walking: Recording, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    newer = replace(alices, calibration=Calibration.made_now("alice", "guarded", "walking", 30.0))
    assert alices.calibration is not None
    older = replace(alices, calibration=replace(alices.calibration, id="alice-20200101T000000-000000"))
    for bundle in (older, newer):
        store_calibration(tmp_path / "calibrations", bundle)
    lab = start_lab(subject_id="alice", stale_after=HOUR)
    statuses = lab.statuses()

    def assert_running(calibration_id: str) -> None:
        """Here at once, and in a node that starts now."""
        for each in (lab, start_lab(subject_id="alice", namespace=f"/again_{secrets.token_hex(4)}", stale_after=HOUR)):
            timestamps = each.play(walking.imu[:20], hurry=True)
            each.wait_beyond(timestamps[-5 - each.look_ahead])  # the grid may lie between two samples
            newest = each.messages[-1]
            assert (newest.calibration_id, newest.header.frame_id) == (calibration_id, "alice")

    assert_running(newer.calibration_id)
    assert (
        f"calibration {newer.calibration_id} of subject 'alice', made {newer.calibration.created}"
        in capfd.readouterr().err
    )
    for fields, before, after in (
        ({"calibration_id": older.calibration_id}, newer, older),
        ({"subject_id": "alice"}, older, None),
        ({"previous": True}, None, older),
    ):
        answer = lab.reset(**fields)
        assert (answer.success, answer.error_code) == (True, Reset.OK), answer.message
        expected = after.calibration_id if after else ""
        assert (answer.calibration_id_before, answer.calibration_id) == (
            before.calibration_id if before else "",
            expected,
        )
        assert_running(expected)
        lab.wait(lambda message=answer.message: statuses[-1].message == message, "status of the reset")
        assert (statuses[-1].state, statuses[-1].calibration_id) == (CalibrationStatus.IDLE, expected)
    assert len(stored(lab)) == 2


def test_reset_refuses_bad_requests(start_lab: StartLab, alices: Bundle, make_bundle: Any, tmp_path: Path) -> None:
    directory = tmp_path / "calibrations"
    path = store_calibration(directory, alices)
    bobs = replace(make_bundle(seed=5), parent_id="another", calibration=Calibration.made_now("bob", "", "bag", 30.0))
    store_calibration(directory, bobs)
    lab = start_lab()
    for fields, code, said in (
        ({}, Reset.INVALID_REQUEST, "subject_id is empty and the node has no subject"),
        ({"subject_id": "../x"}, Reset.INVALID_REQUEST, "'../x' is not a valid name"),
        ({"calibration_id": alices.calibration_id, "previous": True}, Reset.INVALID_REQUEST, "give one of them"),
        ({"calibration_id": "nobody-20200101T000000-000000"}, Reset.NOT_FOUND, "holds no calibration"),
        ({"calibration_id": "../../x"}, Reset.NOT_FOUND, "is not the id of a calibration"),
        ({"subject_id": "carol", "previous": True}, Reset.NOT_FOUND, "nothing was in use before for subject 'carol'"),
        ({"calibration_id": bobs.calibration_id}, Reset.FAILED, "was made for model another"),
    ):
        answer = lab.reset(**fields)
        assert (answer.success, answer.error_code, answer.calibration_id) == (False, code, ""), answer.message
        assert said in answer.message
    path.write_bytes(path.read_bytes()[:1000])
    answer = lab.reset(calibration_id=alices.calibration_id)
    assert (answer.error_code, answer.calibration_id) == (Reset.FAILED, "")
    assert "is truncated or not a bundle" in answer.message
    assert lab.estimator.bundle.calibration is None
