"""Files of unknown origin are read in a process of their own, with limits on its memory and time.

A library that crashes on a damaged file, or a file that claims more than it holds, ends that process and no other.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import warnings
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports.channels import Take
from imu_emg_estimator.imports.file_forms import read_take
from imu_emg_estimator.imports.takes_on_disk import put_on_disk, taken_from_disk
from imu_emg_estimator.utils.memory_limit import limit_memory

GIB = 1 << 30
MAX_MEMORY_BYTES = 4 * GIB  # beyond what the process has at its start
MAX_READ_S = 30.0  # for any file, and more the larger it is:
SLOWEST_BYTES_PER_S = 250_000  # a tenth of what text takes, compressed


def read_guarded(
    path: Path, folder: Path | None = None, max_memory: int = MAX_MEMORY_BYTES, max_s: float | None = None
) -> Take:
    """Read a file of any form in a process with limits.

    Args:
        folder: for the arrays of the take, which then stay on the disk until they are used; None = in memory.
        max_memory: memory of the process [bytes].
        max_s: time that it may take [s]; None = by its size.

    Raises:
        InputError: the file is not as it should be, or reading it takes too much.
    """
    limit = _time_for(path) if max_s is None else max_s
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.Process(target=_read_and_send, args=(sender, path, folder, max_memory), daemon=True)
    process.start()
    sender.close()
    try:
        if not receiver.poll(limit):
            raise InputError(f"{path} takes longer than {limit:.3g} s to read; split it, or export it again")
        answer = receiver.recv()
    except EOFError:
        raise InputError(f"{path} is damaged: its reader crashed; export it again") from None
    finally:
        process.kill()
        process.join()
        receiver.close()
    if isinstance(answer, str):
        raise InputError(answer)
    assert isinstance(answer, Take)
    return answer if folder is None else taken_from_disk(answer, folder)


def _time_for(path: Path) -> float:
    """Return the time [s] that reading a file or a bag's folder may take."""
    files = [path] if path.is_file() else list(path.glob("*"))
    return MAX_READ_S + sum(file.stat().st_size for file in files) / SLOWEST_BYTES_PER_S


def _read_and_send(sender: Connection, path: Path, folder: Path | None, max_memory: int) -> None:
    """Send what a file holds, or the sentence that says why not."""
    _be_quiet()
    limit_memory(max_memory)
    answer: Take | str
    try:
        answer = read_take(path)
        sender.send(answer if folder is None else put_on_disk(answer, folder))
        return
    except InputError as error:
        answer = str(error)
    except MemoryError:
        answer = (
            f"{path} needs more than {max_memory / GIB:.3g} GiB of memory to read; split it, or export fewer channels"
        )
    except Exception as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        answer = f"{path} is damaged or of another kind ({reason}); export it again"
    with suppress(OSError):
        sender.send(answer)


def _be_quiet() -> None:
    """Keep what libraries print about a file from the user's screen; the answer says it in a sentence."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
