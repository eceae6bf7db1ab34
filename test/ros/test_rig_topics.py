"""`imu-emg rig` with live topics: found by type, and checked as a bag is."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fixtures.command_line import strict_json
from fixtures.factories import RecordingFactory, refusal
from imu_emg_estimator.msg import Emg
from rclpy.serialization import serialize_message

from imu_emg_estimator.bags import EMG_TYPE, write_bag
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.ros.rig_topics import packet_of

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
    until = time.monotonic() + PATIENCE
    while not path.exists() and time.monotonic() < until:  # on a busy computer the player starts late
        subprocess.run([*COMMAND, "rig", "new", str(path), "--live", "3"], timeout=PATIENCE)
    rig = Rig.from_yaml(path)
    assert set(rig.sensor_names) == set(played.sensor_names)
    assert set(rig.muscle_names) == set(played.muscle_names)
    subprocess.run([*COMMAND, "rig", "check", str(path), "--live", "3", "--json", str(report)], timeout=PATIENCE)
    assert {own["source"] for own in strict_json(report)["sensors"]} == {f"/imu/{name}" for name in rig.sensor_names}


def test_emg_message_without_rate_is_refused_by_its_topic() -> None:
    message = serialize_message(Emg(channel_names=["calf"], data=[1.0]))
    with refusal("on /emg ", "; correct what publishes it"):
        packet_of("/emg", EMG_TYPE, message)
