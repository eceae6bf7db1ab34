"""A bag goes through the live path, without ROS."""

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fixtures.factories import RecordingFactory, refusal

from imu_emg_estimator.bags import write_bag
from imu_emg_estimator.guide.bag_watch import BagWatch
from imu_emg_estimator.guide.watch_panel import EstimatorView
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.streaming.live_estimator import Output
from imu_emg_estimator.streaming.streaming_estimator import StreamingEstimator
from imu_emg_estimator.utils.progress import Stopped

SENSOR = "left_shank"
IMPORTED = """
import sys
import imu_emg_estimator.guide.bag_watch, imu_emg_estimator.cli.watch
print([name for name in ("torch", "rclpy") if name in sys.modules])
"""


@pytest.fixture(scope="module")
def walk(make_recording: RecordingFactory) -> Recording:
    return make_recording([("walking", 8.0)])


def watch(bundle: Bundle, recording: Recording, folder: Path, rate: float = 0.0) -> list[EstimatorView]:
    """Everything that is shown of a recording, and at last what was to be seen at its end."""
    write_bag(recording, folder / "bag")
    views: list[EstimatorView] = []
    last = BagWatch(folder / "bag", bundle).play(rate, views.append)
    return [*views, last]


def test_watched_bag_shows_what_the_live_path_estimates(bundle: Bundle, walk: Recording, tmp_path: Path) -> None:
    views = watch(bundle, walk, tmp_path)
    estimator = StreamingEstimator(bundle, scores_motion=False)
    expected = [estimate for row in walk.imu if (estimate := estimator.step(row)) is not None][-1]
    np.testing.assert_allclose(views[-1].activation, expected.activation, atol=1e-3)
    assert views[-1].is_good
    assert views[-1].faults == {}
    assert sum(views[-1].seen.values()) == pytest.approx(len(walk), abs=4)
    assert views[-1].rate == pytest.approx(walk.rig.rate, rel=0.05)
    assert [round(sensor.rate) for sensor in views[-1].sensors] == [round(walk.rig.rate)] * 6
    assert 60 < len(views) < 90  # ten a second


def test_watched_bag_names_a_frozen_sensor_with_remedy(bundle: Bundle, walk: Recording, tmp_path: Path) -> None:
    imu, sensor = walk.imu.copy(), walk.rig.sensor_names.index(SENSOR)
    imu[200:, sensor] = imu[200, sensor]
    last = watch(bundle, replace(walk, imu=imu), tmp_path)[-1]
    assert (last.sensors[sensor].verdict, last.is_good) == ("frozen", False)
    assert "; " in last.sensors[sensor].advice  # reason and remedy
    assert SENSOR in last.cause
    assert last.faults[f"{SENSOR} frozen"] > 150
    assert last.seen["DEGRADED"] > 150


def test_bag_is_watched_at_its_own_speed(bundle: Bundle, walk: Recording, tmp_path: Path) -> None:
    start = time.monotonic()
    watch(bundle, walk.slice(0, 60), tmp_path, rate=2.0)
    assert time.monotonic() - start > 0.4


def test_stopped_bag_is_not_played_to_its_end(bundle: Bundle, walk: Recording, tmp_path: Path) -> None:
    write_bag(walk.slice(0, 60), tmp_path / "bag")
    outputs: list[Output] = []

    def receive(output: Output) -> None:
        outputs.append(output)
        watch.pace.stopped = len(outputs) > 9

    watch = BagWatch(tmp_path / "bag", bundle, received=receive)
    with pytest.raises(Stopped):
        watch.play(0.0, lambda view: None)
    assert len(outputs) == 10


def test_bag_without_an_estimate_is_refused(bundle: Bundle, walk: Recording, tmp_path: Path) -> None:
    with refusal("bag", "is too short for an estimate"):
        watch(bundle, walk.slice(0, 2), tmp_path)


def test_bag_is_watched_without_torch_and_ros() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
