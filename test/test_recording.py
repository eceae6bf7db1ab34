"""Recording: shapes are checked, and a slice keeps all parts of the same time."""

from dataclasses import replace

import numpy as np
import pytest
from fixtures.factories import RecordingFactory

from imu_emg_estimator.recording import RawEmg

SCHEDULE = (("standing", 2.0), ("walking", 2.0), ("bicycling", 2.0), ("stairs_up", 2.0))


def test_recording_time_and_duration(make_recording: RecordingFactory) -> None:
    recording = make_recording(SCHEDULE)
    assert recording.duration == pytest.approx(8.0, abs=0.05)
    assert recording.time[0] == 0.0
    np.testing.assert_allclose(np.diff(recording.time), 1 / recording.rig.rate)


def test_is_movement_in_walking_running_and_stairs(make_recording: RecordingFactory) -> None:
    recording = make_recording(SCHEDULE)
    assert set(recording.condition[recording.is_movement()]) == {"walking", "stairs_up"}


def test_without_gyroscopes_keeps_accelerometers(make_recording: RecordingFactory) -> None:
    whole = make_recording(SCHEDULE)
    imu = whole.without_gyroscopes().imu
    assert np.isnan(imu[..., 3:]).all()
    np.testing.assert_array_equal(imu[..., :3], whole.imu[..., :3])
    assert np.isfinite(whole.imu).all()


def test_slice_keeps_all_parts_aligned(make_recording: RecordingFactory) -> None:
    whole = make_recording(SCHEDULE)
    fast = np.repeat(np.arange(float(len(whole))), 10)[:, None].repeat(2, axis=1)
    whole = replace(whole, start=100.0, emg=RawEmg(fast, 10 * whole.rig.rate, "mV"))
    part = whole.slice(50, 170)
    assert len(part) == 120
    assert part.start == pytest.approx(100.0 + 50 / whole.rig.rate)
    for field in ("imu", "envelope", "condition"):
        np.testing.assert_array_equal(getattr(part, field), getattr(whole, field)[50:170])
    assert part.emg is not None
    assert part.emg.data[:, 0].tolist() == np.repeat(np.arange(50.0, 170.0), 10).tolist()


def test_slice_stops_at_end(make_recording: RecordingFactory) -> None:
    whole = make_recording(SCHEDULE)
    assert len(whole.slice(len(whole) - 10, len(whole) + 1000)) == 10


@pytest.mark.parametrize("field", ["imu", "envelope", "muscle_weight", "condition"])
def test_recording_names_wrong_shape(make_recording: RecordingFactory, field: str) -> None:
    recording = make_recording(SCHEDULE)
    with pytest.raises(ValueError, match=f"{recording.name}.*{field}"):
        replace(recording, **{field: getattr(recording, field)[..., :-1]})
