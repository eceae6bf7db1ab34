"""The request of a calibration: the same on both sides of a process, and checked."""

import json
from pathlib import Path

import pytest
from fixtures.factories import refusal

from imu_emg_estimator.calibration.request import METHOD, CalibrationRequest
from imu_emg_estimator.signals.grid_alignment import AlignmentSettings

REQUEST = CalibrationRequest(
    bundle=Path("/b.safetensors"),
    bags=(Path("--bag"), Path("/a b")),
    subject="anna",
    running=Path("/r.safetensors"),
    bag_directories=(Path("/data"),),
    imu_topics=("/imu/a", "/imu/b"),
    emg_channels=("ch1=x",),
    emg_rate=2000.0,
    emg_delay=-0.03,
    alignment=AlignmentSettings(largest_gap=0.3),
    rotations=(0.0, 0.0, 0.0, 1.0),
    threads=2,
)


def test_request_survives_json() -> None:
    assert CalibrationRequest.from_json(REQUEST.to_json()) == REQUEST
    least = CalibrationRequest(Path("b"), (Path("bag"),), "anna")
    assert CalibrationRequest.from_json(least.to_json()) == least


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"bags": "one"}, ("calibration request.bags", "'one'")),
        ({"bags": [3]}, ("calibration request.bags[0]", "'3'")),
        ({"threads": 1.5}, ("calibration request.threads",)),
        ({"emg_rate": True}, ("calibration request.emg_rate",)),
        ({"subject": None}, ("calibration request.subject",)),
        ({"alignment": {"gap": 1}}, ("calibration request.alignment", "'gap'")),
        ({"out": "x"}, ("calibration request", "'out'")),
        ({"method": "magic"}, ("adaptation method 'magic' is not known", f"'{METHOD}'")),
    ],
    ids=str,
)
def test_request_refuses_what_does_not_belong(changes: dict[str, object], parts: tuple[str, ...]) -> None:
    content = json.loads(REQUEST.to_json()) | changes
    with refusal(*parts):
        CalibrationRequest.from_json(json.dumps(content))


def test_request_refuses_missing_fields_and_other_text() -> None:
    with refusal("calibration request lacks a field", "bags"):
        CalibrationRequest.from_json('{"subject": "anna"}')
    for text in ("[1]", "3", "null", "{", b"\xff"):
        with refusal("calibration request"):
            CalibrationRequest.from_json(text)


def test_request_accepts_default_method_by_name() -> None:
    assert CalibrationRequest(Path("b"), (), "anna", method=METHOD).method == METHOD


def test_topic_mapping_refuses_unknown_kind() -> None:
    with refusal("'loud'", "raw", "envelope"):
        CalibrationRequest(Path("b"), (), "anna", emg_kind="loud").topic_mapping()
