"""The process that calibrates, seen from the process that starts, follows and stops it; see ``worker_process``."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from imu_emg_estimator.calibration import worker_process
from imu_emg_estimator.calibration.calibration_report import CalibrationReport
from imu_emg_estimator.calibration.request import CalibrationRequest
from imu_emg_estimator.calibration.worker_process import ADAPTED, REPORT, REQUEST
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.utils.progress import Progress, Stopped

EXIT_WAIT_S = 2.0  # to wait for a process that was killed: one that hangs in the system is left to itself
MAX_LINE_BYTES = 1 << 16
SHARE_PERIOD_S = 0.5  # between two looks at what the process gets of the processors
MIN_FRACTION = 0.02  # of the work must be done before the time for all of it is estimated
TIME_MARGIN = 1.5  # of that estimate, in advice
MIN_WALL_S = 5.0  # before that, nothing is said of a process
STARVED_SHARE = 0.25  # of one processor; a process that waits and gets less is starved
NANOSECOND_S = 1e-9


class OutOfTime(Exception):
    """A calibration was ended because its time was over; the text says why it was not enough, and what to do."""


class Worker:
    """One calibration in a process of its own, which another thread may stop.

    Args:
        folder: private, for all files of the process: it is killed without notice.
        nice: how much it yields to others, 0 to 19; see ``worker_process.yield_to_others``.
        on_progress: called with its progress, from a thread of its own.
        on_time: called about twice a second with what it got of the processors so far.

    Attributes:
        adapted: file of the new bundle.
        time: what it got of the processors so far.
    """

    def __init__(
        self,
        folder: Path,
        nice: int,
        on_progress: Callable[[Progress], None],
        on_time: Callable[[ProcessorTime], None] = lambda time: None,
    ) -> None:
        self.adapted, self.time = folder / ADAPTED, ProcessorTime(0.0, 0.0, 0.0)
        self._folder, self._nice, self._on_progress, self._on_time = folder, nice, on_progress, on_time
        self._fraction = 0.0  # of the work that is done
        self._errors = folder / "errors.txt"
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._stopped = self._done = False

    def run(self, request: CalibrationRequest, timeout: float) -> CalibrationReport:
        """Do what a request says; returns the report, and ``adapted`` is the new bundle.

        Raises:
            Stopped: by ``stop``.
            OutOfTime: it took longer [s].
            InputError: it ended without a report.
        """
        # A node that is killed closes its end of the pipe, which ends the process.
        lifeline, held = os.pipe()
        try:
            try:
                process = self._started(request, lifeline)
            finally:
                os.close(lifeline)
            listener = threading.Thread(target=self._listen, args=(process.stdout,), name="progress", daemon=True)
            listener.start()
            try:
                self._await(process, timeout)
            finally:
                self._end(process, listener)
            return self._read_report()
        finally:
            os.close(held)

    def stop(self) -> bool:
        """End it, from any thread, at once; False if its work was done already."""
        with self._lock:
            if self._done:
                return False
            self._stopped = True
            if self._process is not None:
                _kill(self._process)
            return True

    def _await(self, process: subprocess.Popen[bytes], timeout: float) -> None:
        """Wait for the end of the process; raises OutOfTime."""
        start = time.monotonic()
        while process.poll() is None:
            elapsed = time.monotonic() - start
            self.time = processor_time(process.pid, elapsed)
            self._on_time(self.time)
            if elapsed >= timeout:
                raise OutOfTime(self._why_out_of_time())
            with suppress(subprocess.TimeoutExpired):
                process.wait(min(SHARE_PERIOD_S, timeout - elapsed))

    def _why_out_of_time(self) -> str:
        if self.time.is_starved:
            return starvation(self.time, self._nice)
        found = f"it was {self._fraction:.0%} done after {self.time}"
        if self._fraction < MIN_FRACTION:
            return f"{found}: allow more than {self.time.wall_s:.0f} s"
        needed = TIME_MARGIN * self.time.wall_s / self._fraction
        return f"{found}: give shorter or fewer bags, or {needed:.0f} s"

    def _started(self, request: CalibrationRequest, lifeline: int) -> subprocess.Popen[bytes]:
        (self._folder / REQUEST).write_bytes(request.to_json())
        command = [sys.executable, "-m", worker_process.__name__, str(self._folder), str(self._nice)]
        environment = os.environ | {"OMP_NUM_THREADS": str(request.threads), "TMPDIR": str(self._folder)}
        with self._lock, self._errors.open("wb") as errors:
            if self._stopped:
                raise Stopped
            # A session of its own: Ctrl-C at the terminal is for the node, which then ends the process.
            self._process = subprocess.Popen(
                command,
                env=environment,
                stdin=lifeline,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
        return self._process

    def _end(self, process: subprocess.Popen[bytes], listener: threading.Thread) -> None:
        """Nothing of the process is left, and nothing can stop it any more; raises Stopped if something has."""
        with self._lock:
            self._done = True
            _kill(process)
        with suppress(subprocess.TimeoutExpired):
            process.wait(EXIT_WAIT_S)
        listener.join(EXIT_WAIT_S)
        if self._stopped:
            raise Stopped

    def _listen(self, stream: BinaryIO) -> None:
        with stream:
            for line in iter(partial(stream.readline, MAX_LINE_BYTES), b""):
                progress = _progress(line)
                if progress and not self._done:
                    self._fraction = progress.fraction
                    self._on_progress(progress)

    def _read_report(self) -> CalibrationReport:
        try:
            return CalibrationReport.from_json((self._folder / REPORT).read_bytes())
        except (OSError, InputError):
            lines = self._errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            last = (lines or ["no message"])[-1]
            raise InputError(
                f"the calibration process ended without a report ({last}); the old model was kept"
            ) from None


def starvation(got: ProcessorTime, nice: int) -> str:
    """Say that a calibration of a niceness is starved by other processes, and what to do."""
    yielding = f"lower the parameter 'calibration_nice' ({nice})" if nice else "use a computer with more processors"
    return (
        f"other processes keep this computer busy, and the calibration had the processor for {got.running_s:.1f} s of "
        f"{got.wall_s:.0f} s: stop some of them, or {yielding}"
    )


def _kill(process: subprocess.Popen[bytes]) -> None:
    """With all that it has started."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _progress(line: bytes) -> Progress | None:
    """What a line says; None if it is not about progress."""
    try:
        found = json.loads(line)
        phase, fraction = str(found["phase"]), float(found["fraction"])
        left, loss = (math.nan if found[name] is None else float(found[name]) for name in ("seconds_left", "loss"))
    except (ValueError, TypeError, KeyError):
        return None
    return Progress(phase, fraction, left, loss)


@dataclass(frozen=True)
class ProcessorTime:
    """What a process got of the processors since its start, by the kernel's account; Linux only.

    Attributes:
        running_s: on a processor, all threads together; NaN = not known.
        waiting_s: ready to run while other processes had the processors; NaN = not known.
        wall_s: since its start.
    """

    running_s: float
    waiting_s: float
    wall_s: float

    @property
    def is_starved(self) -> bool:
        """Whether other processes leave it next to nothing; one that waits for a disk is not starved."""
        hungry = self.running_s < STARVED_SHARE * self.wall_s and self.waiting_s > 0.5 * self.wall_s
        return self.wall_s >= MIN_WALL_S and hungry

    def __str__(self) -> str:
        """Say it as in "it took ..."."""
        wall = f"{self.wall_s:.1f} s"
        return wall if math.isnan(self.running_s) else f"{wall} ({self.running_s:.1f} s of processor time)"


def processor_time(process: int, wall_s: float) -> ProcessorTime:
    """Read what a process got so far; figures of threads that have ended are missing.

    Args:
        process: its id.
        wall_s: since its start.
    """
    running = waiting = 0
    threads = list(Path(f"/proc/{process}/task").glob("*/schedstat"))
    for thread in threads:
        with suppress(OSError, ValueError):  # it has ended
            ran, waited, _ = map(int, thread.read_text().split())
            running, waiting = running + ran, waiting + waited
    if not threads:
        return ProcessorTime(math.nan, math.nan, wall_s)
    return ProcessorTime(running * NANOSECOND_S, waiting * NANOSECOND_S, wall_s)
