"""`imu-emg rig` with live topics: found by type, and checked as a bag is."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fixtures.command_line import strict_json
from fixtures.factories import RecordingFactory

from imu_emg_estimator.bags import write_bag
from imu_emg_estimator.rig import Rig

COMMAND = [sys.executable, "-m", "imu_emg_estimator"]
PATIENCE = 200.0  # s; only a test that fails waits so long


@pytest.fixture
def played(make_recording: RecordingFactory, tmp_path: Path) -> Iterator[Rig]:
    """The rig of a bag that is played again and again."""
    recording = make_recording([("walking", 10.0)])
    write_bag(recording, tmp_path / "bag")
    player = subprocess.Popen([*COMMAND, "replay", str(tmp_path / "bag"), "--loop"], stderr=subprocess.DEVNULL)
    yield recording.rig
    player.kill()
    player.wait()


def test_rig_is_written_and_checked_with_live_topics(played: Rig, tmp_path: Path) -> None:
    path, report = tmp_path / "lab.yaml", tmp_path / "rig.json"
    subprocess.run([*COMMAND, "rig", "new", str(path), "--live", "3"], check=True, timeout=PATIENCE)
    rig = Rig.from_yaml(path)
    assert set(rig.sensor_names) == set(played.sensor_names)
    assert set(rig.muscle_names) == set(played.muscle_names)
    subprocess.run([*COMMAND, "rig", "check", str(path), "--live", "3", "--json", str(report)], timeout=PATIENCE)
    assert {own["source"] for own in strict_json(report)["sensors"]} == {f"/imu/{name}" for name in rig.sensor_names}
