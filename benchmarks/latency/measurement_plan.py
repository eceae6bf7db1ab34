"""The plan: the pieces of a run, and how each is measured."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.latency import live_sessions as live
from benchmarks.latency.arithmetic_floor import multiply_adds
from benchmarks.latency.measured_piece import Piece
from benchmarks.latency.measured_processes import MEGABYTE, Child, Limits
from benchmarks.latency.measurement_inputs import Material
from benchmarks.latency.measurement_settings import SECTIONS, WITHOUT_ROS, Settings
from benchmarks.latency.random_bundles import Shape, shape_of
from benchmarks.latency.step_timing import SEQUENCE, WINDOW
from benchmarks.run_folder import RunFolder
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.streaming.engine import available_engines
from imu_emg_estimator.utils.progress import CountProgress

LARGE = Shape(width=128, layers=4, window=200)
MAIN_CASE, LARGE_CASE = "main", "large"
CANDIDATES = (live.OURS, live.BASELINE, *live.EMPTY)
STEPPING, ARITHMETIC = "benchmarks.latency.step_timing", "benchmarks.latency.arithmetic_floor"
MAX_STEPPING_S = 900.0  # s
SWEEP_WINDOW_S = 1.0  # of attention in the sweep over the rate
PROBE = "import benchmarks.latency.ros_processes.imu_load, imu_emg_estimator.ros.node"

Progress = Callable[[str], CountProgress]


@dataclass(frozen=True)
class Task:
    """A piece, and the function that measures it."""

    piece: Piece
    run: Callable[[], dict[str, Any]]


@dataclass(frozen=True)
class Case:
    """A network whose step is timed.

    Attributes:
        sweep, value: e.g. ``width``, 64.
        rows: samples in the window of those without state.
    """

    sweep: str
    value: float
    shape: Shape
    rows: int


class Plan:
    """All tasks of some sections, in order; those that cannot be measured here are in ``left_out``.

    Args:
        progress: makes a progress bar for a piece that takes long.
    """

    def __init__(
        self,
        settings: Settings,
        material: Material,
        folder: RunFolder,
        sections: tuple[str, ...] = SECTIONS,
        progress: Progress | None = None,
    ) -> None:
        self._settings, self._material, self._folder, self._progress = settings, material, folder, progress
        self.limits = limits_of(settings)
        self._common = {
            "bundle": material.bundle.model_id,
            "cores": settings.cores,
            "memory_limit": settings.memory_limit,
            "engine": settings.engine,
        }
        self.left_out: dict[str, str] = {}
        self.tasks: list[Task] = []
        makers: dict[str, Callable[[], Iterator[Task]]] = {
            "floor": self._floor,
            "step": self._step,
            "sweep": self._sweep,
            "age": self._age,
            "scaling": self._scaling,
            "gap": self._gap,
            "calibration": self._calibration,
            "loss": self._loss,
            "growth": self._growth,
        }
        without_ros = None
        if any(section not in WITHOUT_ROS for section in sections):
            without_ros = missing_ros(folder)
        for section in sections:
            if section not in WITHOUT_ROS and without_ros:
                self.left_out[section] = without_ros
                continue
            try:
                self.tasks.extend(makers[section]())
            except InputError as error:
                self.left_out[section] = str(error)

    @property
    def seconds(self) -> float:
        """Estimated duration of all tasks [s]."""
        return sum(task.piece.seconds for task in self.tasks)

    # without ROS

    def _floor(self) -> Iterator[Task]:
        for repeat in range(self._settings.repeats):
            piece = self._piece("floor", "arithmetic", repeat, 2.0)
            count = str(multiply_adds(self._material.bundle.config))
            yield Task(piece, partial(self._numbers, piece, [ARITHMETIC, count]))

    def _step(self) -> Iterator[Task]:
        rows = self._settings.window
        cases = {
            MAIN_CASE: (str(self._material.own(self._settings.rate)), rows),
            LARGE_CASE: (self._shaped(LARGE), rows),
        }
        content = {"window": rows, "rate": self._settings.rate, "seconds": self._settings.step_seconds}
        for repeat, name in self._alternating(self.engines(available_engines(), sequence=True)):
            piece = self._piece("step", name, repeat, 3.0 + 4 * self._settings.step_seconds, **content)
            yield Task(piece, partial(self._stepped, piece, cases, self._settings.step_seconds))

    def _sweep(self) -> Iterator[Task]:
        cases = {
            f"{case.sweep}={case.value:g}": (self._shaped(case.shape), case.rows)
            for case in sweep_cases(self._settings, shape_of(self._material.bundle))
        }
        content = {"cases": list(cases), "rate": self._settings.rate, "seconds": self._settings.sweep_seconds}
        seconds = 3.0 + 2.5 * self._settings.sweep_seconds * len(cases)
        fastest = [self._settings.engine or available_engines()[0]]
        if "numpy" in available_engines() and "numpy" not in fastest:
            fastest.append("numpy")
        for repeat, name in self._alternating(self.engines(fastest)):
            piece = self._piece("sweep", name, repeat, seconds, **content)
            yield Task(piece, partial(self._stepped, piece, cases, self._settings.sweep_seconds))

    @staticmethod
    def engines(streaming: list[str], sequence: bool = False) -> list[str]:
        """List the streaming engines, and the ways without state if torch is installed."""
        if find_spec("torch") is None:
            return [name for name in streaming if name != "torch"]
        return [*streaming, WINDOW, *([SEQUENCE] if sequence else [])]

    def _stepped(self, piece: Piece, cases: Mapping[str, tuple[str, int]], seconds: float) -> dict[str, Any]:
        job = {
            "engine": piece.name,
            "seconds": seconds,
            "cases": [{"bundle": path, "rows": rows} for path, rows in cases.values()],
        }
        outcome = self._numbers(piece, [STEPPING, json.dumps(job)])
        return {**outcome, "cases": dict(zip(cases, outcome["cases"], strict=True))}

    def _numbers(self, piece: Piece, module: list[str]) -> dict[str, Any]:
        """Run a module in its own process on one thread; return the JSON that it prints."""
        folder = self._folder.work(piece)
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", *module]
        with Child(command, folder / f"{piece.name}.log", self.limits, threads=1) as child:
            said = child.wait(MAX_STEPPING_S)
        try:
            numbers: dict[str, Any] = json.loads(said.strip().splitlines()[-1])
        except (ValueError, IndexError):
            raise InputError(f"{piece.name} printed no figures; see {folder}") from None
        return numbers

    # with ROS

    def _age(self) -> Iterator[Task]:
        if find_spec("torch") is None:
            raise InputError("torch is not installed, which the baseline node needs; pip install torch")
        live.baseline_node()
        load = self._material.load(self._settings.rate)
        seconds = self._settings.age_seconds
        content = {"rate": self._settings.rate, "seconds": seconds, "settle": self._settings.settle}
        for repeat, name in self._alternating(list(CANDIDATES)):
            piece = self._piece("age", name, repeat, seconds + self._settings.settle + 5.0, **content)
            yield Task(piece, partial(self._end_to_end, piece, load, name))

    def _scaling(self) -> Iterator[Task]:
        base = replace(shape_of(self._material.bundle), sensors=6, rate=self._settings.rate)
        shapes = [replace(base, sensors=sensors) for sensors in self._settings.live_sensors]
        shapes += [replace(base, rate=rate) for rate in self._settings.live_rates]
        seconds = self._settings.scaling_seconds
        for shape in dict.fromkeys(shapes):
            load = self._material.shaped_load(shape)
            content = {"seconds": seconds, "shape": vars(shape)}
            piece = self._piece("scaling", f"{shape.sensors}x{shape.rate:g}Hz", 0, seconds + 8.0, **content)
            yield Task(
                piece,
                partial(self._end_to_end, piece, load, live.OURS),
            )

    def _gap(self) -> Iterator[Task]:
        load, bag = self._material.simulated_at_rate(self._settings.rate)
        content = {"rate": self._settings.rate, **self._calibrations()}
        for repeat in range(self._settings.repeats):
            piece = self._piece("gap", live.OURS, repeat, 40.0, **content)
            yield Task(piece, partial(self._calibrating, piece, load, bag, True))

    def _calibration(self) -> Iterator[Task]:
        content = {"source": self._material.source, **self._calibrations()}
        for subject in self._material.subjects(self._settings.subjects):
            piece = self._piece("calibration", subject, 0, 20.0, **content)
            yield Task(piece, partial(self._calibrated, piece, subject))

    def _calibrations(self) -> dict[str, Any]:
        return {"bag_seconds": self._settings.calibration_seconds, "burners": self._settings.burners}

    def _calibrated(self, piece: Piece, subject: str) -> dict[str, Any]:
        return self._calibrating(piece, *self._material.subject(subject), quiet=False)

    def _loss(self) -> Iterator[Task]:
        settings = self._settings
        shape = replace(shape_of(self._material.bundle), sensors=settings.loss_sensors, rate=settings.loss_rate)
        load = self._material.shaped_load(shape)
        for name, seconds in ((live.OURS, settings.loss_seconds), ("wait_set", settings.empty_loss_seconds)):
            content = {"seconds": seconds, "shape": vars(shape)}
            piece = self._piece("loss", name, 0, seconds + settings.settle + 20.0, **content)
            yield Task(
                piece,
                partial(self._losses, piece, load),
            )

    def _growth(self) -> Iterator[Task]:
        minutes = self._settings.growth_minutes
        load = self._material.load()
        for repeat in range(self._settings.growth_repeats):
            piece = self._piece("growth", live.OURS, repeat, 2.0 * minutes, minutes=minutes)
            yield Task(piece, partial(self._replay, piece, load))

    # what a session is given beside its load

    def _end_to_end(self, piece: Piece, load: live.Load, candidate: str) -> dict[str, Any]:
        return live.end_to_end(self._means(piece), load, candidate, piece.settings["seconds"])

    def _calibrating(self, piece: Piece, load: live.Load, bag: Path, quiet: bool) -> dict[str, Any]:
        return live.calibrating(self._means(piece), load, bag, "bench", quiet, self._settings.burners or 0)

    def _losses(self, piece: Piece, load: live.Load) -> dict[str, Any]:
        return live.losses(self._means(piece), load, piece.name, piece.settings["seconds"])

    def _replay(self, piece: Piece, load: live.Load) -> dict[str, Any]:
        return live.replay_minutes(self._means(piece), load, piece.settings["minutes"])

    # shared

    def _alternating(self, names: list[str]) -> Iterator[tuple[int, str]]:
        """List every name in every repeat, alternately forwards and backwards: slow changes affect all alike."""
        for repeat in range(self._settings.repeats):
            for name in names if repeat % 2 == 0 else reversed(names):
                yield repeat, name

    def _piece(self, section: str, name: str, repeat: int, about: float, **content: Any) -> Piece:
        return Piece(section, name, repeat, {**self._common, **content}, about)

    def _shaped(self, shape: Shape) -> str:
        return str(self._material.shaped(shape))

    def _means(self, piece: Piece) -> live.Means:
        settings = self._settings
        progress = self._progress(f"{piece.section} {piece.name}") if self._progress else None
        return live.Means(self._folder.work(piece), self.limits, settings.settle, settings.engine, progress)


def sweep_cases(settings: Settings, base: Shape) -> list[Case]:
    """List variations of the measured network in attention window, width, number of sensors, and rate.

    With the rate, the number of samples in a second of attention changes.
    """
    base = replace(base, rate=settings.rate)
    rows = settings.window
    cases = [
        Case("window", seconds, replace(base, window=round(seconds * base.rate)), round(seconds * base.rate))
        for seconds in settings.windows
    ]
    cases += [Case("width", width, replace(base, width=width), rows) for width in settings.widths]
    cases += [Case("sensors", sensors, replace(base, sensors=sensors), rows) for sensors in settings.sensors]
    for rate in settings.rates:
        span = round(SWEEP_WINDOW_S * rate)
        cases.append(Case("rate", rate, replace(base, rate=rate, window=span), span))
    return cases


def limits_of(settings: Settings) -> Limits:
    """Limit to the first cores that this process may use, and to so much memory."""
    allowed = sorted(os.sched_getaffinity(0))
    if settings.cores is not None and settings.cores > len(allowed):
        raise InputError(f"{settings.cores} cores were requested, {len(allowed)} are available; give fewer")
    return Limits(
        cores=tuple(allowed[: settings.cores]) if settings.cores else None,
        memory=settings.memory_limit * MEGABYTE if settings.memory_limit else None,
    )


def missing_ros(folder: RunFolder) -> str | None:
    """Return why the sections with ROS cannot run; None if they can."""
    folder.path.mkdir(parents=True, exist_ok=True)
    with Child([sys.executable, "-c", PROBE], folder.path / "ros.log") as child:
        try:
            child.wait(live.MAX_STARTUP_S)
        except InputError:
            last = (child.said().strip().splitlines() or ["no message"])[-1]
            return f"ROS 2 or this package's messages cannot be imported ({last}); source scripts/env.sh"
    return None
