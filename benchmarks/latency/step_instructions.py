"""Instructions of an estimate, for computers not at hand: ``python -m benchmarks.latency.step_instructions FILES``.

Callgrind, of valgrind, counts them whatever else runs; the NumPy engine, with features, motion and scaling. What
starting costs is counted by a second run without estimates, and subtracted.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from benchmarks.latency.random_bundles import made_up_motion
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.streaming.streaming_estimator import StreamingEstimator

ESTIMATES = 1000
WARM_UP = 100
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}


def instructions_of(bundle: Path, estimates: int = ESTIMATES) -> float:
    """Return the instructions of one estimate; FileNotFoundError without valgrind."""
    return (_collected(bundle, estimates) - _collected(bundle, 0)) / estimates


def _collected(bundle: Path, estimates: int) -> int:
    counter = ["valgrind", "--tool=callgrind", "--trace-children=yes", "--callgrind-out-file=/dev/null"]
    command = [*counter, sys.executable, "-m", "benchmarks.latency.step_instructions", str(bundle), str(estimates)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | ENVIRONMENT)
    return max(map(int, re.findall(r"Collected : (\d+)", done.stderr)))


def estimate(bundle: Bundle, estimates: int) -> None:
    """Estimate so often, after warming up: what callgrind counts."""
    estimator, motion = StreamingEstimator(bundle, "numpy"), made_up_motion(bundle, WARM_UP + ESTIMATES)
    for row in motion[: WARM_UP + estimates]:
        estimator.step(row)


if __name__ == "__main__":
    if sys.argv[-1].isdecimal():
        estimate(Bundle.load(Path(sys.argv[1])), int(sys.argv[2]))
    else:
        for path in map(Path, sys.argv[1:]):
            print(f"{path.stem}: {instructions_of(path):.0f} instructions an estimate")
