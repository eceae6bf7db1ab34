"""Private folders for temporary files, which do not outlive the process that made them by more than a start.

A folder is held by a lock that ends with its process, however that ends: a folder that is not held is abandoned.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from imu_emg_estimator.utils.folder_lock import LOCK, lock_folder

PREFIX = "imu_emg_calibration_"
MAX_ATTEMPTS = 10  # another process that sweeps at this instant may take a folder for abandoned


@contextmanager
def private_folder() -> Iterator[Path]:
    """Make a folder that no other user can read, removed at the end; raises OSError where none can be made."""
    folder, handle = _held_folder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if handle is not None:
            os.close(handle)


def sweep() -> list[Path]:
    """Remove this user's abandoned folders; returns those that are gone."""
    with suppress(OSError):
        return [folder for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*") if _removed(folder)]
    return []


def _held_folder() -> tuple[Path, int | None]:
    """Return a new folder and the handle of its lock; None on a disk without locks, where ``sweep`` removes nothing."""
    for _ in range(MAX_ATTEMPTS):
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))  # mode 0700
        try:
            handle = lock_folder(folder)
        except (FileNotFoundError, BlockingIOError):  # it is being removed
            continue
        except OSError:
            return folder, None
        if (folder / LOCK).exists():
            return folder, handle
        os.close(handle)
    raise BlockingIOError(f"other processes remove every new folder in {tempfile.gettempdir()}")


def _removed(folder: Path) -> bool:
    """Whether a folder was abandoned, and is gone now."""
    try:
        found = folder.lstat()  # a link may lead anywhere
        if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode):
            return False
        handle = lock_folder(folder)
    except OSError:  # held, or gone meanwhile
        return False
    shutil.rmtree(folder, ignore_errors=True)
    os.close(handle)
    return not folder.exists()
