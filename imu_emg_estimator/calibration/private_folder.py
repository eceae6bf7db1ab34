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
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import FileLock

PREFIX = "imu_emg_calibration_"
LOCK = ".lock"
MAX_ATTEMPTS = 10  # another process that sweeps at this instant may take a folder for abandoned


@contextmanager
def private_folder() -> Iterator[Path]:
    """Make a folder that no other user can read, removed at the end; raises OSError where none can be made."""
    folder, lock = _held_folder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.release()


def sweep() -> list[Path]:
    """Remove this user's abandoned folders; returns those that are gone."""
    with suppress(OSError):
        return [folder for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*") if _removed(folder)]
    return []


def _held_folder() -> tuple[Path, FileLock]:
    from filelock import FileLock, Timeout  # late: see ``utils.atomic_files``

    for _ in range(MAX_ATTEMPTS):
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))  # mode 0700
        lock = FileLock(folder / LOCK, timeout=0)
        try:
            lock.acquire()
        except (FileNotFoundError, Timeout):  # it is being removed
            continue
        except (OSError, NotImplementedError):  # a disk without locks, where ``sweep`` leaves all folders alone
            return folder, lock
        if (folder / LOCK).exists():
            return folder, lock
        lock.release()
    raise BlockingIOError(f"other processes remove every new folder in {tempfile.gettempdir()}")


def _removed(folder: Path) -> bool:
    """Whether a folder was abandoned, and is gone now."""
    from filelock import FileLock

    try:
        found = folder.lstat()  # a link may lead anywhere
        if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode):
            return False
        with FileLock(folder / LOCK, timeout=0):
            shutil.rmtree(folder, ignore_errors=True)
            return not folder.exists()
    except (OSError, NotImplementedError):  # held, or gone meanwhile; Timeout is an OSError
        return False
