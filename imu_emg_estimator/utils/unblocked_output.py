"""Standard output and error that never wait for who reads them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

CHUNK_BYTES = 65536
FLUSH_S = 10.0  # for what was written to be read, at the end: on a busy computer a thread waits for its turn
COLOURS = "RCUTILS_COLORIZED_OUTPUT"  # ROS itself looks for a terminal, which it no longer finds


@contextmanager
def unblocked_output() -> Iterator[None]:
    """Let a thread hand on what is written to both: a terminal after Ctrl-S, or a full pipe, would stop all else.

    What does not fit into a pipe meanwhile is lost. It holds for libraries in C, too.
    """
    if os.isatty(2):
        os.environ.setdefault(COLOURS, "1")
    pumps = [_Pump(descriptor) for descriptor in (1, 2)]
    try:
        yield
    finally:
        for pump in pumps:
            pump.close()


class _Pump:
    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._destination = descriptor, os.dup(descriptor)
        self._source, end = os.pipe()
        os.set_blocking(end, False)
        os.dup2(end, descriptor)
        os.close(end)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        os.dup2(self._destination, self._descriptor)
        self._thread.join(FLUSH_S)

    def _run(self) -> None:
        while chunk := os.read(self._source, CHUNK_BYTES):
            with suppress(OSError):  # the terminal is gone
                while chunk:
                    chunk = chunk[os.write(self._destination, chunk) :]
