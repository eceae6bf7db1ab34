"""Bags far larger than what is read of them take memory for that alone.

IMU_EMG_LARGE_BAG=3 makes them of 3 GiB (else 0.1), which takes minutes and so much disk.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fixtures.bag_forms import FORMS, Entry, Signal, emg_entries, imu_entries, write_form
from fixtures.factories import RecordingFactory

from imu_emg_estimator.datasets.hugadb import RIG
from imu_emg_estimator.recording import Recording

pytestmark = pytest.mark.hostile

GIB = 1 << 30
SIZE = float(os.environ.get("IMU_EMG_LARGE_BAG", "0.1")) * GIB
IMAGE = 1 << 20  # bytes
MEMORY = 300 << 20  # bytes over what the process takes before
EMG_RATE = 2000.0

CHILD = """
import json, sys, time
from imu_emg_estimator.bags import read_bag
from imu_emg_estimator.datasets.hugadb import RIG
def peak():  # getrusage would tell that of the parent
    return 1024 * int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
before, began = peak(), time.monotonic()
rows = len(read_bag(sys.argv[1], RIG))
print(json.dumps({"rows": rows, "grown": peak() - before, "seconds": time.monotonic() - began}))
"""


class Image(Entry):
    """A camera's message: large, and of a type that is not read."""

    @property
    def data(self) -> bytes:
        return self.message  # type: ignore[no-any-return]


class Stream:
    """Entries that are made while they are written, so that making the bag needs little memory, too."""

    def __init__(self, recording: Recording, images: int) -> None:
        self._rng = rng = np.random.default_rng(0)
        signal = Signal(
            rng.standard_normal((round(recording.duration * EMG_RATE), 2)), EMG_RATE, RIG.muscle_names, False
        )
        self._small = sorted([*imu_entries(recording), *emg_entries(signal, 20)], key=lambda entry: entry.receive_time)
        self._every = max(len(self._small) // images, 1)

    def __len__(self) -> int:
        return len(self._small)

    def __getitem__(self, index: int) -> Entry:
        return self._small[index]

    def __iter__(self) -> Iterator[Entry]:
        for index, entry in enumerate(self._small):
            if index % self._every == 0:
                yield Image(entry.receive_time, "/camera", "sensor_msgs/msg/Image", self._rng.bytes(IMAGE))
            yield entry


@pytest.mark.parametrize("form", ["foxglove-zstd", "mcap-fastwrite-file", "mcap-zstd-file", "sqlite3-zstd-file"])
def test_read_bag_memory_is_bounded(form: str, tmp_path: Path, make_recording: RecordingFactory) -> None:
    recording = make_recording([("walking", max(10.0, SIZE / GIB * 30))])
    bag = write_form(tmp_path / "bag", Stream(recording, round(SIZE / IMAGE)), FORMS[form])  # type: ignore[arg-type]
    size = sum(file.stat().st_size for file in bag.rglob("*")) if bag.is_dir() else bag.stat().st_size
    assert size > 0.9 * SIZE

    answer = subprocess.run([sys.executable, "-c", CHILD, str(bag)], capture_output=True, text=True, check=True)
    figures = json.loads(answer.stdout)
    print(f"{form}: {size / GIB:.2f} GiB in {figures['seconds']:.1f} s, {figures['grown'] / 2**20:.0f} MiB more")
    assert figures["rows"] == len(recording)
    assert figures["grown"] < MEMORY
