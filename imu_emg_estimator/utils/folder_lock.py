"""Locks of folders, against other processes and threads; a lock ends with its process, however that ends."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

LOCK = ".lock"  # name of the file that is locked
POLL_S = 0.01


def lock_folder(folder: Path, patience: float = 0.0) -> int:
    """Lock a folder that exists; return the handle that holds the lock until it is closed.

    Args:
        patience: how long to wait for another holder [s].

    Raises:
        BlockingIOError: another process or thread holds it for longer.
        OSError: there is no such folder, it cannot be written, or its disk has no locks.
    """
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    until = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        except OSError as error:
            if not isinstance(error, BlockingIOError) or time.monotonic() >= until:
                os.close(handle)
                raise
        time.sleep(POLL_S)
