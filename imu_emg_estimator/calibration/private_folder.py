"""Private folders for temporary files, which do not outlive the process that made them by more than a start.

A folder is held by a lock that ends with its process, however that ends: what nobody holds is abandoned.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "imu_emg_calibration_"
ATTEMPTS = 10  # another process that sweeps at this instant may take a folder for abandoned


@contextmanager
def private_folder() -> Iterator[Path]:
    """A new folder that no other user can look into, removed at the end; raises OSError where none can be made."""
    folder, handle = _held_folder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def sweep() -> list[Path]:
    """Remove this user's abandoned folders; returns those that are gone."""
    with suppress(OSError):
        return [folder for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*") if _removed(folder)]
    return []


def _held_folder() -> tuple[Path, int]:
    for _ in range(ATTEMPTS):
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))  # mode 0700
        with suppress(FileNotFoundError, BlockingIOError):
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                _hold(handle)
                if folder.is_dir():
                    return folder, handle
            except BlockingIOError:
                os.close(handle)
                raise
            os.close(handle)
    raise BlockingIOError(f"other processes remove every new folder in {tempfile.gettempdir()}")


def _hold(handle: int) -> None:
    """Raises BlockingIOError if somebody else holds it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:  # a network disk that cannot: ``_removed`` fails there, too, and leaves it
        return


def _removed(folder: Path) -> bool:
    try:
        if folder.lstat().st_uid != os.getuid():
            return False
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:  # gone meanwhile, a link, or no folder
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
        return not folder.exists()
    except OSError:  # held
        return False
    finally:
        os.close(handle)
