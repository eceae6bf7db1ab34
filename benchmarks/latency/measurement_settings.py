"""Settings of a run: what is measured, for how long, how often."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from imu_emg_estimator.errors import InputError

SECTIONS = ("floor", "step", "sweep", "age", "scaling", "gap", "calibration", "loss", "growth")
WITHOUT_ROS = ("floor", "step", "sweep")


@dataclass(frozen=True)
class Settings:
    """Extent of the measurements; times are in seconds.

    Attributes:
        repeats: of everything that a ratio or a spread is made of.
        rate: of the IMUs and of the grid in the end-to-end sections [Hz].
        window: samples in the window of those without state.
        step_seconds: timing of each engine and network.
        sweep_seconds: timing of each network in a sweep.
        settle: after the first estimate, before anything is measured.
        age_seconds: one session of each node for age, processor time and memory.
        scaling_seconds: one session for each number of sensors and rate.
        loss_seconds, loss_sensors, loss_rate: the long run in which no message may be lost.
        empty_loss_seconds: the same load into an empty node.
        calibration_seconds: data in the bag that calibrates.
        subjects: at most so many are calibrated; None = all.
        burners: processes of normal priority that keep processors busy during calibrations; None = none.
        growth_minutes: data of the accelerated replay, whose last minute is compared with its first.
        growth_repeats: of that replay.
        cores, memory_limit: limits of the processes under test (number, MB); None = unlimited.
        engine: of the node; empty = its default.
        windows, widths, sensors, rates: sweeps of the step time.
        live_sensors, live_rates: sweeps of the node's processor time.
    """

    repeats: int = 5
    rate: float = 200.0
    window: int = 200
    step_seconds: float = 1.0
    sweep_seconds: float = 0.4
    settle: float = 3.0
    age_seconds: float = 12.0
    scaling_seconds: float = 10.0
    loss_seconds: float = 600.0
    loss_sensors: int = 8
    loss_rate: float = 400.0
    empty_loss_seconds: float = 60.0
    calibration_seconds: float = 30.0
    subjects: int | None = None
    burners: int | None = None
    growth_minutes: int = 60
    growth_repeats: int = 5
    cores: int | None = None
    memory_limit: int | None = None
    engine: str = ""
    windows: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0)  # s
    widths: tuple[int, ...] = (32, 64, 128, 256)
    sensors: tuple[int, ...] = (1, 2, 4, 6, 8, 12, 16)
    rates: tuple[float, ...] = (50.0, 100.0, 200.0, 400.0)  # Hz
    live_sensors: tuple[int, ...] = (1, 6, 16)
    live_rates: tuple[float, ...] = (50.0, 100.0, 400.0)  # Hz

    def __post_init__(self) -> None:
        if self.growth_minutes < 2:
            raise InputError(f"a replay of {self.growth_minutes} min cannot show growth; give at least 2")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


QUICK = Settings(
    repeats=1,
    step_seconds=0.05,
    sweep_seconds=0.02,
    settle=0.5,
    age_seconds=1.5,
    scaling_seconds=1.0,
    loss_seconds=3.0,
    empty_loss_seconds=1.0,
    subjects=1,
    growth_minutes=2,
    growth_repeats=1,
    windows=(0.5, 4.0),
    widths=(32, 64),
    sensors=(1, 6),
    rates=(50.0, 400.0),
    live_sensors=(1,),
    live_rates=(50.0,),
)


def sections_of(names: list[str] | None) -> tuple[str, ...]:
    """Return the named sections in order; None = all."""
    if unknown := sorted(set(names or ()) - set(SECTIONS)):
        raise InputError(f"section '{unknown[0]}' does not exist; give any of {', '.join(SECTIONS)}")
    return tuple(section for section in SECTIONS if names is None or section in names)


def changed(settings: Settings, **values: Any) -> Settings:
    """Replace settings by the given values that are not None."""
    return replace(settings, **{name: value for name, value in values.items() if value is not None})
