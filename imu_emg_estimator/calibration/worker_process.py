"""``python -m imu_emg_estimator.calibration.worker_process FOLDER NICE``: one calibration in a process of its own.

It reads the request from FOLDER, writes its progress to standard output, a JSON object a line, and the report and the
new bundle to FOLDER. ``worker_control.Worker`` starts it.

It yields to others before it imports anything heavy, and ends with the process that started it: that one gives it a
pipe as standard input and keeps the other end open. Its memory is limited, as it reads files of unknown origin.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imu_emg_estimator.calibration.calibration_report import CalibrationReport
    from imu_emg_estimator.utils.progress import Progress

REQUEST, REPORT, ADAPTED = "request.json", "report.json", "adapted.safetensors"  # files in FOLDER
MAX_NICE = 19
MAX_MEMORY_BYTES = 4 << 30  # beyond what the process has at its start
ORPHANED = 3  # exit status


def main() -> int:
    """Do what the request in the folder says; returns the exit status."""
    folder, nice = Path(sys.argv[1]), int(sys.argv[2])
    yield_to_others(nice)
    threading.Thread(target=_end_with_input, daemon=True).start()

    from imu_emg_estimator.utils.atomic_files import write_atomically
    from imu_emg_estimator.utils.memory_limit import limit_memory

    limit_memory(MAX_MEMORY_BYTES)
    write_atomically(folder / REPORT, calibrate_in(folder).to_json())
    return 0


def calibrate_in(folder: Path) -> CalibrationReport:
    """Do what the request in a folder says and save the new bundle there."""
    from imu_emg_estimator.calibration.calibrate_bags import calibrate_bags
    from imu_emg_estimator.calibration.calibration_report import CalibrationReport
    from imu_emg_estimator.calibration.request import CalibrationRequest
    from imu_emg_estimator.errors import InputError
    from imu_emg_estimator.utils.optional_packages import unmet

    try:
        request = CalibrationRequest.from_json((folder / REQUEST).read_bytes())
        result = calibrate_bags(request, _print_progress)
        if result.bundle:
            result.bundle.save(folder / ADAPTED)
        return result.report
    except InputError as error:
        return CalibrationReport.failed(error)
    except ImportError as error:
        if not (reason := unmet(error)):
            raise
        return CalibrationReport.failed(error, f"calibration {reason}")
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        return CalibrationReport.failed(
            MemoryError(), f"the calibration needs more than {MAX_MEMORY_BYTES >> 30} GiB of memory; give fewer or "
            "shorter bags, and check that they are sound"
        )  # fmt: skip


def is_out_of_memory(error: Exception) -> bool:
    """Whether an allocation failed, by Python's or by torch's account."""
    return isinstance(error, MemoryError) or "can't allocate memory" in str(error) or "bad_alloc" in str(error)


def yield_to_others(nice: int = MAX_NICE) -> None:
    """Take less of the processor the higher ``nice`` (0 to 19) is; 3 = half of what others get, 19 = what they leave.

    Nice alone is not enough on Linux: with autogroups it counts within a session only, and a session of its own
    has as much weight as that of the node. Each of the three is needed where another is without effect. The autogroup
    is the session's: it is lowered only by the process that leads the session, not under a terminal or a test run.
    """
    with suppress(OSError):
        os.nice(nice)
    if nice == MAX_NICE:
        with suppress(OSError, AttributeError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    if os.getsid(0) == os.getpid():
        with suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(nice))


def _print_progress(progress: Progress) -> None:
    print(json.dumps(progress.to_dict()), flush=True)


def _end_with_input() -> None:
    """End when the pipe does: whoever started this process is gone then, however it ended."""
    with suppress(OSError):
        while os.read(sys.stdin.fileno(), 1024):
            pass
    os._exit(ORPHANED)


if __name__ == "__main__":
    sys.exit(main())
