"""A bundle's own estimate shows how late a subject's EMG is; bags of one session share the answer."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fixtures.factories import RecordingFactory

from imu_emg_estimator.bags import write_bag
from imu_emg_estimator.calibration.calibrate_bags import CalibrationBag, delay_evidence, open_bags
from imu_emg_estimator.calibration.request import CalibrationRequest
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.signals.emg_delay import shift_emg


@pytest.mark.parametrize("delay", [-0.15, 0.0, 0.2])
def test_emg_delay_is_found_with_bundle(trained_bundle: Bundle, make_recording: RecordingFactory, delay: float) -> None:
    recording = make_recording([("walking", 40.0)], seed=20)
    found = delay_evidence(trained_bundle, shift_emg(recording, -delay)).delay()
    assert found.seconds == pytest.approx(delay, abs=0.05)
    assert found.corrected == (delay != 0.0)
    assert found.r_after > 0.7


def session(folder: Path, make_recording: RecordingFactory, delays: list[float]) -> tuple[Path, ...]:
    """Bags of one subject, of which only the first is long enough to show a delay by itself."""
    paths = []
    for number, (delay, seconds) in enumerate(zip(delays, (40.0, 16.0, 16.0), strict=False)):
        recording = make_recording([("walking", seconds)], seed=20 + number)
        paths.append(folder / f"bag_{number}")
        write_bag(replace(shift_emg(recording, -delay), emg=None), paths[-1])
    return tuple(paths)


def opened(bundle: Bundle, bags: tuple[Path, ...], **options: object) -> list[CalibrationBag]:
    return open_bags(bundle, CalibrationRequest(Path("unused"), bags, "anna", **options))  # type: ignore[arg-type]


@pytest.mark.slow
def test_bags_of_one_session_share_one_delay(
    trained_bundle: Bundle, make_recording: RecordingFactory, tmp_path: Path
) -> None:
    """None is shifted where its neighbour is left, though alone two of them are too short to tell."""
    bags = session(tmp_path, make_recording, [0.2, 0.2, 0.2])
    assert not opened(trained_bundle, bags[1:2], find_emg_delay=True)[0].delay.corrected
    found = opened(trained_bundle, bags, find_emg_delay=True)
    assert all(bag.delay.corrected for bag in found)
    assert len({bag.delay.seconds for bag in found}) == 1
    assert found[0].delay.seconds == pytest.approx(0.2, abs=0.05)
    for late, bag in zip(opened(trained_bundle, bags, emg_delay=0.0), found, strict=True):
        assert not np.array_equal(late.recording.envelope, bag.recording.envelope, equal_nan=True)


def test_shared_delay_is_left_open_in_all_bags_unless_asked_for(
    trained_bundle: Bundle, make_recording: RecordingFactory, tmp_path: Path
) -> None:
    bags = opened(trained_bundle, session(tmp_path, make_recording, [0.2, 0.2]))
    assert [bag.delay.is_open for bag in bags] == [True, True]


def test_bags_that_disagree_are_judged_alone(
    trained_bundle: Bundle, make_recording: RecordingFactory, tmp_path: Path
) -> None:
    late, in_time = opened(trained_bundle, session(tmp_path, make_recording, [0.2, 0.0]), find_emg_delay=True)
    assert late.delay.seconds == pytest.approx(0.2, abs=0.05)
    assert not in_time.delay.corrected
