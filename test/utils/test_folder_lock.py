"""Locks of folders: one holder at a time, in threads and processes, and none after a process has ended."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from imu_emg_estimator.utils.folder_lock import lock_folder

HOLD = """
import sys, time
from pathlib import Path
from imu_emg_estimator.utils.folder_lock import lock_folder
lock_folder(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(1000)
"""


def test_lock_has_one_holder_until_its_handle_is_closed(tmp_path: Path) -> None:
    handle = lock_folder(tmp_path)
    with pytest.raises(BlockingIOError):
        lock_folder(tmp_path, patience=0.02)
    os.close(handle)
    os.close(lock_folder(tmp_path))


def test_lock_ends_with_killed_process(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(BlockingIOError):
            lock_folder(tmp_path)
        process.send_signal(signal.SIGKILL)
        process.wait()
    os.close(lock_folder(tmp_path))


def test_refused_lock_leaves_no_handle_open(tmp_path: Path) -> None:
    handle = lock_folder(tmp_path)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with pytest.raises(BlockingIOError):
            lock_folder(tmp_path)
    assert len(os.listdir("/proc/self/fd")) == before
    os.close(handle)


def test_folder_that_is_not_there_cannot_be_locked(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        lock_folder(tmp_path / "missing")
