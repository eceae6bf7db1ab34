"""Files that are written whole or not at all, and folders that one process at a time writes to.

A crash, a full disk or a power cut at any instant leaves what was there before, or the whole new file; at
worst a temporary file stays behind, whose name ``TEMPORARY`` matches.
"""

from __future__ import annotations

import errno
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from imu_emg_estimator.errors import InputError

TEMPORARY = re.compile(r"\.(?P<target>.+)\.[a-z0-9_]{8}")  # names of files that are not finished
LOCK = ".lock"
LOCK_TIMEOUT_S = 10.0  # for another process that is writing; it takes some milliseconds
POLL_S = 0.01


def write_atomically(path: Path, payload: bytes) -> None:
    """Write next to the target, flush to disk, then rename over it; raises InputError where it cannot."""
    write_together([(path, payload)])


def write_together(files: Sequence[tuple[Path, bytes]]) -> None:
    """Write several files, none of which is seen before all of them are safe on the disk.

    They then appear in the given order, each at once; where that is interrupted, the first ones may be there alone.

    Raises:
        InputError: one cannot be written; unless the disk failed while they appeared, nothing has changed.
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
    """Make a folder and those above it, so that they last."""
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in missing:
        flush_folder(made.parent)


def flush_folder(folder: Path) -> None:
    """Make new, renamed and removed names in a folder last through a power cut."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EACCES):  # nothing that one can do about
            raise


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder, which is made where it is missing: one process, or thread, at a time gets past here.

    The end of the process, however it comes, frees the folder.

    Raises:
        InputError: it cannot be written, or another process holds it for too long.
    """
    lock = FileLock(folder / LOCK, timeout=LOCK_TIMEOUT_S, poll_interval=POLL_S)
    try:
        make_folder(folder)
        lock.acquire()
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
    """A finished file next to its target; none is left if it cannot be finished."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        os.fchmod(handle, 0o644)  # temporary files are made for their owner alone
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
