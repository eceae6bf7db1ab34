"""Private folders: for their owner alone, gone with their process, and nothing else is ever removed."""

import os
import signal
import stat
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from imu_emg_estimator.calibration.private_folder import PREFIX, private_folder, sweep

HOLD = """
import sys, time
from imu_emg_estimator.calibration.private_folder import private_folder
with private_folder() as folder:
    (folder / "file").touch()
    print(folder, flush=True)
    time.sleep(1000)
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files are, here and in processes that tests start."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def test_private_folder_is_private_and_removed_at_end() -> None:
    with suppress(KeyboardInterrupt), private_folder() as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "below").mkdir()
        (folder / "below" / "file").touch()
        raise KeyboardInterrupt
    assert not folder.exists()


def test_sweep_removes_folder_of_killed_process_only() -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        with private_folder() as own:
            assert sweep() == []
            assert own.is_dir()
        assert (folder / "file").exists()
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert (folder / "file").exists()
    assert sweep() == [folder]
    assert not folder.exists()


def test_sweep_keeps_links_files_and_other_folders(temporary: Path) -> None:
    elsewhere = temporary / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").touch()
    (temporary / f"{PREFIX}link").symlink_to(elsewhere)
    (temporary / f"{PREFIX}file").touch()
    (temporary / "imu_emg_demo_x").mkdir()
    assert sweep() == []
    assert (elsewhere / "precious").exists()
    assert len(list(temporary.iterdir())) == 4


def test_sweep_keeps_folders_of_other_users(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (temporary / f"{PREFIX}other").mkdir()
    monkeypatch.setattr(os, "getuid", lambda: 12345678)
    assert sweep() == []


def test_sweep_without_temporary_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    assert sweep() == []
    with pytest.raises(FileNotFoundError), private_folder():
        pass
