"""Run the node: ``python -m imu_emg_estimator.ros.node --ros-args ...``.

Signals are caught and threads capped before ROS and NumPy are imported.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

# Read by the libraries of NumPy and torch when they load. With one thread, none waits for another and none spins.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until Ctrl-C or SIGTERM; the exit status is 2 if it cannot start."""
    with stop_signals() as stop:
        for name in THREAD_VARIABLES:
            os.environ.setdefault(name, "1")
        from imu_emg_estimator.ros.node_threads import run  # this import takes most of the start

        return run(arguments, stop)


@contextmanager
def stop_signals(*others: signal.Signals) -> Iterator[list[int]]:
    """Collect Ctrl-C and SIGTERM in a list: unlike KeyboardInterrupt they are never lost and interrupt nothing.

    Args:
        others: signals that are to stop as well; SIGHUP not under ``nohup``, which asks to go on.
    """
    received: list[int] = []
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, *others)}
    if handlers.get(signal.SIGHUP) == signal.SIG_IGN:
        del handlers[signal.SIGHUP]
    for number in handlers:
        signal.signal(number, lambda number, _: received.append(number))
    try:
        yield received
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(main())
