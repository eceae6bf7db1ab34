"""Writing bags: its progress."""

from pathlib import Path

from fixtures.factories import RecordingFactory

from imu_emg_estimator.bags import write_bag


def test_write_bag_reports_every_sample(make_recording: RecordingFactory, tmp_path: Path) -> None:
    recording = make_recording([("walking", 3.0)])
    calls: list[tuple[int, int]] = []
    write_bag(recording, tmp_path / "bag", progress=lambda done, total: calls.append((done, total)))
    assert calls == [(done + 1, len(recording)) for done in range(len(recording))]
