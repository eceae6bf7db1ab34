"""A hash by which two files, or two folders of files, are known to be the same."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from imu_emg_estimator.errors import InputError

CHUNK_BYTES = 1 << 20  # read at a time


def hash_of(path: Path, progress: Callable[[int, int], None] | None = None) -> str:
    """Return the SHA-256 of a file, or of the names and contents of the files in a folder; in bounded memory.

    It equals that of coreutils: ``sha256sum FILE``, or in the folder ``LC_ALL=C; sha256sum * | sha256sum``.

    Args:
        progress: called with MiB done and MiB in all.

    Raises:
        InputError: it cannot be read.
    """
    try:
        if not path.is_dir():
            return _digest(path, _Counter(path.stat().st_size, progress))
        files = [file for file in sorted(path.iterdir()) if file.is_file() and not file.name.startswith(".")]
        count = _Counter(sum(file.stat().st_size for file in files), progress)
        lines = "".join(f"{_digest(file, count)}  {file.name}\n" for file in files)
        return hashlib.sha256(os.fsencode(lines)).hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); give a file, or a folder of files") from None


class _Counter:
    """Reports how many bytes of a total are done."""

    def __init__(self, total: int, progress: Callable[[int, int], None] | None) -> None:
        self._done, self._total, self._progress = 0, total, progress

    def add(self, count: int) -> None:
        self._done += count
        if self._progress:
            self._progress(self._done >> 20, self._total >> 20)


def _digest(file: Path, count: _Counter) -> str:
    digest = hashlib.sha256()
    with file.open("rb", buffering=0) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
            count.add(len(chunk))
    return digest.hexdigest()
