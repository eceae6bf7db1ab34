"""BagReport notes what is unusual about a bag in one sentence each, and says nothing of what is not."""

from dataclasses import replace
from typing import Any

import pytest

from imu_emg_estimator.bags.bag_report import BagReport, EmgReport, ImuReport
from imu_emg_estimator.signals.powerline import Powerline
from imu_emg_estimator.signals.topic_clocks import Clock

IMU = ImuReport("left_foot", "/imu/left_foot", 1000, 100.0, Clock())
EMG = EmgReport(
    topic="/emg",
    type="std_msgs/msg/Float32MultiArray",
    field="",
    model="",
    channels={"vastus": "0"},
    kind="raw",
    kind_stated=True,
    unit="mV",
    rate=1000.0,
    samples=60_000,
    recorded=60_000,
    zeros=0.0,
    lost=0.0,
    shared=0.0,
    clock=Clock(),
)


def notes(pieces: int = 1, imu: ImuReport = IMU, emg: EmgReport | None = EMG) -> list[str]:
    report = BagReport("bag", seconds=60.0, recorded=70.0, pieces=pieces, imu=[imu], emg=emg)
    report.add_notes()
    return report.notes


def test_report_notes_nothing_of_a_good_bag() -> None:
    assert notes() == []
    assert notes(emg=None) == []


def test_report_notes_jumps_of_timestamps() -> None:
    (note,) = notes(pieces=3)
    assert note == (
        "its timestamps jump 2 times: 60.0 s of 70.0 s were used, the longest of 3 pieces between jumps of its "
        "timestamps"
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"left_out": 10}, ""),
        ({"left_out": 11}, "11 of 1000 messages on /imu/left_foot have impossible timestamps"),
        ({"late": 10}, ""),
        ({"late": 11}, "11 of 1000 messages on /imu/left_foot came twice or too late"),
    ],
)
def test_report_notes_more_than_one_sample_in_a_hundred_of_an_imu(change: dict[str, int], words: str) -> None:
    assert notes(imu=replace(IMU, **change)) == [words] * bool(words)


CLOCKS: list[tuple[dict[str, Any], str]] = [
    ({"missing": 1.0}, "has no timestamps: its receive times are used instead"),
    ({"missing": 1.0, "corrected": True, "offset": -1e9}, "has no timestamps"),
    ({"missing": 0.01}, ""),
    ({"missing": 0.011}, "1% of the messages on"),
    ({"missing": 0.99}, "99% of the messages on"),
    ({"fault": "its clock leaps"}, ": its clock leaps"),
    ({"drift": 0.2}, ""),
    ({"drift": 0.2, "corrected": True}, "drifts by +200 ms over the bag: it was corrected"),
    ({"drift": -0.2, "corrected": True}, "drifts by -200 ms"),
    ({"offset": 5.0}, ""),
    ({"offset": 5.0, "corrected": True}, "is 5 s behind the IMUs'"),
    ({"offset": -5.0, "corrected": True}, "is 5 s ahead of the IMUs'"),
    ({"offset": 0.24, "corrected": True}, ""),
    ({"offset": 0.26, "corrected": True}, "is 0.26 s behind"),
]


@pytest.mark.parametrize(("change", "words"), CLOCKS)
def test_report_notes_clocks_of_imus_and_emg(change: dict[str, Any], words: str) -> None:
    for topic, found in (
        ("/imu/left_foot", notes(imu=replace(IMU, clock=Clock(**change)))),
        ("/emg", notes(emg=replace(EMG, clock=Clock(**change)))),
    ):
        assert len(found) == bool(words)
        assert all(words in note and topic in note for note in found)


MAINS = Powerline(50.0, (50.0, 149.6), 0.3)
EMG_NOTES: list[tuple[dict[str, Any], str]] = [
    ({"model": "abc"}, "the values on /emg are estimates of model abc, not EMG"),
    ({"kind_stated": False}, "does not say whether it is raw: its frequencies show that it is raw"),
    ({"field": "effort"}, "the EMG is the effort on /emg"),
    ({"shared": 0.01}, ""),
    ({"shared": 0.011}, "1% of the messages on /emg share a timestamp"),
    ({"samples": 59_000}, ""),  # a second
    ({"samples": 58_990}, "59.0 s of 60.0 s of EMG are used"),
    ({"recorded": 600_000, "samples": 594_000}, ""),  # a hundredth
    ({"recorded": 600_000, "samples": 593_000}, "593.0 s of 600.0 s of EMG are used"),
    ({"zeros": 0.5}, "0.5 s of the EMG on /emg are zeros in all channels"),
    ({"constant": ["vastus"]}, "the EMG of vastus never changes"),
    ({"lost": 0.01}, ""),
    ({"lost": 0.02}, "2% of the EMG samples were lost"),
    ({"powerline": {"vastus": None}}, ""),
    ({"powerline": {"vastus": MAINS}}, "30% of the EMG of vastus, was notched out at 50, 150 Hz"),
    ({"saturated": {"vastus": 0.01}}, ""),
    ({"saturated": {"vastus": 0.02}}, "the EMG of vastus is at the amplifier's limit in 2% of its samples"),
]


@pytest.mark.parametrize(("change", "words"), EMG_NOTES)
def test_report_notes_what_was_found_in_emg(change: dict[str, Any], words: str) -> None:
    found = notes(emg=replace(EMG, **change))
    assert len(found) == bool(words)
    assert all(words in note for note in found)
