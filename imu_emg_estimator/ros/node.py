"""The node as a program: ``python -m imu_emg_estimator.ros.node --ros-args ...``.

Nothing of ROS or NumPy is imported before the signals are caught and the threads capped.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

# What NumPy's and torch's libraries read when they are loaded: one thread waits for no other, and none spins.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until Ctrl-C or SIGTERM; the exit status is 2 if it cannot start."""
    with _stop_signals() as stop:
        for name in THREADS:
            os.environ.setdefault(name, "1")
        from imu_emg_estimator.ros.node_threads import run  # takes most of the start

        return run(arguments, stop)


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """Collects Ctrl-C and SIGTERM; unlike KeyboardInterrupt they cannot get lost, or break in anywhere."""
    received: list[int] = []
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in handlers:
        signal.signal(number, lambda number, _: received.append(number))
    try:
        yield received
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(main())
