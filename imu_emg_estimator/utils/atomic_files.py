"""Atomic writing of files, and folders that only one process at a time writes to.

A crash, a full disk or a power cut at any instant leaves either the old or the complete new file, and at worst a
temporary file whose name matches ``TEMPORARY``.
"""

from __future__ import annotations

import errno
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from imu_emg_estimator.errors import InputError

TEMPORARY = re.compile(r"\.(?P<target>.+)\.[a-z0-9_]{8}")  # names of incomplete files
LOCK = ".lock"
LOCK_TIMEOUT_S = 10.0  # another process needs some milliseconds to write
POLL_S = 0.01


def write_atomically(path: Path, payload: bytes) -> None:
    """Write next to the target, flush to disk, then rename over it; raise InputError if that fails."""
    write_together([(path, payload)])


def write_together(files: Sequence[tuple[Path, bytes]]) -> None:
    """Write several files and flush them to disk before the first of them replaces its target.

    They replace their targets one by one in the given order; an interruption may leave only the first ones replaced.

    Raises:
        InputError: a file cannot be written; nothing has changed, unless the disk failed while targets were replaced.
    """
    finished: list[tuple[Path, Path]] = []
    path = files[0][0]
    try:
        for path, payload in files:
            make_folder(path.parent)
            finished.append((_temporary(path, payload), path))
        for temporary, path in finished:
            os.replace(temporary, path)
        for folder in dict.fromkeys(path.parent for path, _ in files):
            flush_folder(folder)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}); free space or give a writable place") from None
    finally:
        for temporary, _ in finished:
            _discard(temporary)


def make_folder(folder: Path) -> None:
    """Make a folder and its missing parents, and flush their names to disk."""
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in missing:
        flush_folder(made.parent)


def flush_folder(folder: Path) -> None:
    """Flush new, renamed and removed names in a folder to disk, so that they survive a power cut."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EACCES):  # unsupported here
            raise


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a folder, made if missing, against other processes and threads.

    The lock is released when the process ends, however it ends.

    Raises:
        InputError: the folder cannot be written, or another process holds it for longer than ``LOCK_TIMEOUT_S``.
    """
    from filelock import FileLock, Timeout  # brings asyncio, SSL and SQLite: not into a node that only estimates

    lock = FileLock(folder / LOCK, timeout=LOCK_TIMEOUT_S)
    try:
        make_folder(folder)
        lock.acquire(poll_interval=POLL_S)
    except Timeout:
        raise InputError(
            f"another process has been writing to {folder} for {LOCK_TIMEOUT_S:g} s; end it and try again"
        ) from None
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or "its disk has no locks"
        raise InputError(
            f"{folder} cannot be written or locked ({reason}); free space, or give a writable place on a disk of this "
            "computer"
        ) from None
    try:
        yield
    finally:
        lock.release()


def _temporary(path: Path, payload: bytes) -> Path:
    """Write a complete temporary file next to its target; remove it if that fails."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        os.fchmod(handle, 0o644)  # mkstemp allows access to the owner only
        with os.fdopen(handle, "wb") as file:
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        _discard(Path(name))
        raise
    return Path(name)


def _discard(file: Path) -> None:
    with suppress(OSError):
        file.unlink(missing_ok=True)
