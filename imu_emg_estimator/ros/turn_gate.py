"""Let other threads change what the data thread works on, between two of its turns."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager


class TurnGate:
    """One thread takes turns; others make changes between them, as soon as the turn is over.

    A lock alone would not do: the thread that takes turns would have it again before another one wakes.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._change = threading.Lock()

    def turn(self) -> AbstractContextManager[object]:
        """Return what to hold during a turn, after the change that waits."""
        if self._change.locked():
            with self._change:
                pass
        return self._turn

    @contextmanager
    def change(self, timeout: float = -1) -> Iterator[None]:
        """Make a change between two turns; raises TimeoutError where none ends within the timeout [s]."""
        with self._change:
            if not self._turn.acquire(timeout=timeout):
                raise TimeoutError
            try:
                yield
            finally:
                self._turn.release()
