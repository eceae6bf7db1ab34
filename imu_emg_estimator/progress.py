"""A progress bar on standard error for anything that takes over two seconds."""

from __future__ import annotations

import sys
import time

WIDTH = 30


class ProgressBar:
    """Call with (done, total) or (done, total, loss); rewrites one line on a terminal, prints sparsely elsewhere.

    Args:
        patience: s; work that is done sooner is not spoken of.
    """

    def __init__(self, title: str, patience: float = 0.0) -> None:
        self._title, self._patience = title, patience
        self._start = time.monotonic()
        self._last_print = 0.0
        self._interval = 0.2 if sys.stderr.isatty() else 10.0

    def __call__(self, done: int, total: int, loss: float | None = None) -> None:
        now = time.monotonic()
        if now - self._start < self._patience or (done < total and now - self._last_print < self._interval):
            return
        self._last_print = now
        filled = WIDTH * done // max(total, 1)
        left = (now - self._start) * (total - done) / max(done, 1)
        text = f"{self._title} [{'#' * filled}{'.' * (WIDTH - filled)}] {done}/{total}"
        text += f", {left:.0f} s left" if done else ""
        text += "" if loss is None else f", loss {loss:.3f}"
        if sys.stderr.isatty():
            print(f"\r{text:<100}", end="\n" if done >= total else "", file=sys.stderr, flush=True)
        else:
            print(text, file=sys.stderr, flush=True)
