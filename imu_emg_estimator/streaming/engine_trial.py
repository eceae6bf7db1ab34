"""Trial of an engine in a process of its own: a library can crash the process that loads it.

A wheel that was built for a newer processor ends in SIGILL at its import or in its first step, which no ``except``
catches. So an engine is tried once, and the verdict remembered until library or processor change: a start after
that costs the reading of a small file.

    python -m imu_emg_estimator.streaming.engine_trial NAME
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.network_config import ModelConfig, weight_shapes
from imu_emg_estimator.utils.atomic_files import write_atomically
from imu_emg_estimator.utils.json_values import to_json

TIMEOUT_S = 60.0
CRASHES = {signal.SIGILL, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGABRT}
PROCESSOR = Path("/sys/devices/system/cpu/modalias")  # kind and features, read faster than /proc/cpuinfo
MAX_VERDICT_BYTES = 65536


def crash_of(name: str, library: str) -> str:
    """Return why an engine would end this process, or nothing where it would not.

    An exception is no crash: whoever loads the engine catches it. Nor is an end that says nothing of the engine, such
    as SIGKILL where memory is short.
    """
    if library in sys.modules or not sys.executable:
        return ""
    file, key = verdict_file(name), _key(library)
    verdict = _remembered(file)
    if verdict.get("key") == key:
        return str(verdict.get("crash", ""))
    crash = _try(name)
    if crash is None:
        return ""
    with suppress(InputError):  # without a place to write to it is tried at every start
        write_atomically(file, to_json({"key": key, "crash": crash}))
    return crash


def verdict_file(name: str) -> Path:
    """Return the file that remembers the verdict on an engine, in the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.path.expanduser(cache)) / "imu_emg_estimator" / f"{name}_engine.json"


def _try(name: str) -> str | None:
    """Return the crash of an engine in a process of its own, nothing if there was none, or None: not known."""
    import subprocess  # here: a start that remembers a verdict does without

    paths = os.pathsep.join(filter(None, sys.path))
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__, name],
            env={**os.environ, "PYTHONPATH": paths},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode >= 0:
        return ""
    ended_by = signal.Signals(-done.returncode)
    return ended_by.name if ended_by in CRASHES else None


def _remembered(file: Path) -> dict[str, object]:
    with suppress(OSError, ValueError, RecursionError):
        with file.open("rb") as opened:
            verdict = json.loads(opened.read(MAX_VERDICT_BYTES))
        if isinstance(verdict, dict):
            return verdict
    return {}


def _key(library: str) -> list[str]:
    """Return what a verdict depends on: the library's file and its age, Python, NumPy and the processor."""
    spec = find_spec(library)
    origin = (spec.origin if spec else "") or ""
    changed = ""
    with suppress(OSError):
        changed = str(os.stat(origin).st_mtime_ns)
    return [origin, changed, sys.version, np.__version__, os.uname().machine, _processor()]


def _processor() -> str:
    with suppress(OSError, ValueError):
        return PROCESSOR.read_text()
    return ""


def main(name: str) -> None:
    """Make an engine of a small network, and step it."""
    from imu_emg_estimator.streaming.engine import load_maker

    config = ModelConfig(inputs=72, muscles=2, layers=1)
    weights = {part: np.zeros(shape, np.float32) for part, shape in weight_shapes(config).items()}
    engine = load_maker(name)(config, weights, 1)
    for _ in range(config.kernel):
        engine.step(np.zeros(config.inputs, np.float32))


if __name__ == "__main__":
    main(sys.argv[1])
