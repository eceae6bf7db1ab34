"""Draw docs/img/view.png: ``view_picture.py``. It needs Chromium or Chrome on the path.

The page of ``imu-emg view`` with a bag of a SIMULATED subject, one of whose sensors repeats its last sample.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

from imu_emg_estimator.bags import write_bag
from imu_emg_estimator.datasets import movement_statistics, simulated_subject
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.utils.shipped_files import shipped_bundle
from imu_emg_estimator.view.bag_feed import BagFeed
from imu_emg_estimator.view.live_history import LiveHistory
from imu_emg_estimator.view.page_server import serving
from scripts.report_picture import photograph

PICTURE = Path(__file__).parents[1] / "docs" / "img" / "view.png"
DURATION_S, FROZEN_FROM_S = 16.0, 12.0
SENSOR, SEED = "left_shank", 2
SIZE = (1280, 760)  # CSS pixels


def main() -> int:
    """Simulate, freeze a sensor, play it to its end, and photograph the page."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        recording = simulated_subject.simulate(movement_statistics.shipped_statistics(), DURATION_S, SEED)
        imu, sensor = recording.imu.copy(), recording.rig.sensor_names.index(SENSOR)
        first = round(FROZEN_FROM_S * recording.rig.rate)
        imu[first:, sensor] = imu[first, sensor]
        bag = Path(folder, "simulated_subject")
        write_bag(replace(recording, imu=imu), bag)
        history = LiveHistory()
        feed = BagFeed(bag, Bundle.load(shipped_bundle()), None, history)
        threading.Thread(target=feed.run, daemon=True).start()
        with serving(history, feed.actions, 0) as server:
            while not history.state["ended"]:
                time.sleep(0.1)
            photograph(server.url, PICTURE, SIZE, Path(folder, "profile"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
