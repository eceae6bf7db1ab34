"""``python -m imu_emg_estimator.calibration.background NICE COMMAND ...``: ``imu-emg``, disturbing nobody.

It yields to others before it imports anything heavy, and ends with the process that started it: that one
gives it a pipe as standard input and keeps the other end open.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from pathlib import Path

LOWEST = 19  # nice
ORPHANED = 3  # exit status


def main() -> int:
    """Run the command of the command line; returns its exit status."""
    yield_to_others(int(sys.argv.pop(1)))
    threading.Thread(target=_end_with_input, daemon=True).start()
    from imu_emg_estimator.cli.main import main as cli

    return cli()


def yield_to_others(nice: int = LOWEST) -> None:
    """Take less of the processor the higher ``nice`` (0 to 19) is; ``LOWEST`` = what nobody else wants, as far as the
    system lets.

    Nice alone is not enough on Linux: with autogroups it counts within a session only, and a session of its own
    has as much weight as that of the node. Each of the three is needed where another is without effect. The autogroup
    is the session's: it is lowered only by the process that leads the session, not under a terminal or a test run.
    """
    with suppress(OSError):
        os.nice(nice)
    if nice == LOWEST:
        with suppress(OSError, AttributeError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    if os.getsid(0) == os.getpid():
        with suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(nice))


def _end_with_input() -> None:
    """Whoever started this is gone, however it ended, when the pipe is."""
    with suppress(OSError):
        while os.read(sys.stdin.fileno(), 1024):
            pass
    os._exit(ORPHANED)


if __name__ == "__main__":
    sys.exit(main())
